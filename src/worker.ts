// The worker: loads an engine and serves it to the page.
import { type LoadEvents, serve, type WireLoad } from './api/channel.ts'
import type { Progress } from './api/types.ts'
import { Engine } from './engine/engine.ts'
import { GlmError } from './errors.ts'
import { openGpu } from './gpu/device.ts'
import { cachedSource } from './weights/cache.ts'
import { httpSource } from './weights/http.ts'

let engine: Engine | undefined
/** Where the page found tools.js: bundlers see its address there, and leave this import alone. */
let tools = ''
const fetchTools = (): Promise<typeof import('./tools.ts')> => import(/* @vite-ignore */ /* webpackIgnore: true */ tools)

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
  const { model, headers } = options
  const counted = { network: 0, cached: 0, total: 0 }
  const tell = (phase: Progress['phase'], loaded: number, file?: string) => {
    const { cached, total } = counted
    events.onProgress({ phase, loaded, total: Math.max(total, loaded), cached, ...(file ? { file } : {}) })
  }
  const remote = httpSource({
    name: model.name,
    base: model.base,
    ...(model.files ? { files: model.files } : {}),
    ...(headers ? { headers } : {}),
  })
  const cached =
    options.cache === false
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
      id: model.id,
      ...(model.licence ? { licence: model.licence } : {}),
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
