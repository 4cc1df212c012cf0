// The worker: loads an engine and serves it to the page.
import { type LoadEvents, serve, type WireLoad, type WireModel, type WirePlan } from './api/channel.ts'
import type { ModelChoice, ModelPlan } from './api/plan.ts'
import type { Progress } from './api/types.ts'
import { readModel } from './engine/checkpoint.ts'
import { Engine } from './engine/engine.ts'
import { GlmError } from './errors.ts'
import { openGpu } from './gpu/device.ts'
import { cachedSource } from './weights/cache.ts'
import { httpSource } from './weights/http.ts'
import type { Opened } from './weights/open.ts'

let engine: Engine | undefined
/** Where the page found tools.js: bundlers see its address there, and leave this import alone. */
let tools = ''
const fetchTools = (): Promise<typeof import('./tools.ts')> => import(/* @vite-ignore */ /* webpackIgnore: true */ tools)

type Formats = typeof import('./formats.ts')
const fetchFormats = (formats: string) => (): Promise<Formats> => import(/* @vite-ignore */ /* webpackIgnore: true */ formats)

serve({
  async load(options, events, signal) {
    if (engine) throw new GlmError('request_invalid', 'This worker holds a model already; start another one.')
    engine = await load(options, events, signal)
    tools = options.tools
    // The model is usable; what tuning finds serves from the next answer on. A failure costs speed only.
    const loaded = engine
    if (!loaded.gpu.info.software)
      fetchTools()
        .then(({ tuneModel }) => loaded.tune(tuneModel))
        .catch(() => {})
    return engine.info
  },
  async chat(request, onPart, signal) {
    if (!engine) throw new GlmError('closed', 'No model is loaded; call loadGlm first.')
    await engine.chat(request, onPart, signal)
  },
  async bench(options, onPhase, signal) {
    if (!engine) throw new GlmError('closed', 'No model is loaded; call loadGlm first.')
    const loaded = engine
    const { bench } = await fetchTools()
    return bench(loaded, options, onPhase, signal)
  },
  plan,
  async adapter(powerPreference) {
    const gpu = await openGpu(navigator.gpu, { powerPreference })
    gpu.close()
    return gpu.info
  },
  async close() {
    await engine?.close()
    engine = undefined
  },
})

async function load(options: WireLoad, events: LoadEvents, signal: AbortSignal): Promise<Engine> {
  const { model } = options
  const counted = { network: 0, cached: 0, total: 0 }
  const tell = (phase: Progress['phase'], loaded: number, file?: string) => {
    const { cached, total } = counted
    events.onProgress({ phase, loaded, total: Math.max(total, loaded), cached, ...(file ? { file } : {}) })
  }
  const { source: remote, choice } = await sourceOf(model, options, signal)
  const cached =
    options.cache === false || remote.local
      ? undefined
      : await cachedSource(remote, {
          verify: options.verify ?? 'download',
          onWarning: events.onWarning,
          onPiece: ({ file, bytes, cached }) => {
            counted[cached ? 'cached' : 'network'] += bytes
            if (!cached) tell('download', counted.network + counted.cached, file)
          },
        })
  try {
    const loaded = await Engine.load({
      ...options,
      gpu: navigator.gpu,
      source: cached ?? remote,
      formats: fetchFormats(options.formats),
      id: model.id,
      ...(model.licence ? { licence: model.licence } : {}),
      ...(model.notice ? { notice: model.notice } : {}),
      ...(choice ? { choice } : {}),
      signal,
      onProgress: (progress) => {
        counted.total = Math.max(progress.total, counted.network + counted.cached)
        tell(progress.phase, progress.loaded)
      },
    })
    await cached?.finish()
    return loaded
  } finally {
    cached?.close?.()
  }
}

type Whereabouts = Pick<WireLoad, 'formats' | 'headers' | 'hub' | 'memory'>

/** Where the bytes come from; of several models in one place, one. */
async function sourceOf(
  model: WireModel,
  options: Whereabouts,
  signal: AbortSignal,
): Promise<Pick<Opened, 'source'> & { choice?: ModelChoice }> {
  const { headers, hub, memory } = options
  const rest = { signal, ...(headers ? { headers } : {}), ...(hub ? { hub } : {}), ...(memory ? { memory } : {}) }
  if (model.place) {
    const { entry, ...place } = model.place
    return { source: { ...httpSource({ ...place, ...rest }), ...(entry ? { entry } : {}) } }
  }
  const { openFiles, openHub } = await fetchFormats(options.formats)()
  const { source, chosen } = model.hub === undefined ? await openFiles(model.local as never, rest) : await openHub(model.hub, rest)
  if (!chosen) return { source }
  const { variant, why, variants } = chosen
  return { source, choice: { file: variant.files[0]!, why, variants } }
}

/** Headers only, by small ranges: nothing is cached, no weight is read. */
async function plan(options: WirePlan, signal: AbortSignal): Promise<ModelPlan> {
  const formats = fetchFormats(options.formats)
  const { source, choice } = await sourceOf(options.model, options, signal)
  const files = await readModel(source, { formats, signal })
  const gpu = await openGpu(navigator.gpu, options)
  gpu.close()
  const { binding, buffer } = gpu.limits
  const gigabytes = (navigator as { deviceMemory?: number }).deviceMemory
  const machine = { binding, buffer, software: gpu.info.software, ...(gigabytes ? { memory: gigabytes * 2 ** 30 } : {}) }
  const { planModel } = await formats()
  return { ...planModel(options.model.id, files, options, machine), ...(choice ? { choice } : {}) }
}
