// The worker: loads an engine and serves it to the page.
import { type LoadEvents, serve, type WireLoad } from './api/channel.ts'
import type { Progress } from './api/types.ts'
import { readModel } from './engine/checkpoint.ts'
import { Engine } from './engine/engine.ts'
import { GlmError } from './errors.ts'
import { openGpu } from './gpu/device.ts'
import { bundledSource } from './weights/bundled.ts'

let engine: Engine | undefined
/** Where the page found tools.js: bundlers see its address there, and leave this import alone. */
let tools = ''
const fetchTools = (): Promise<typeof import('./tools.ts')> => import(/* @vite-ignore */ /* webpackIgnore: true */ tools)
/** A bundle by its address, when it is wanted. */
const fetched =
  <Bundle>(address: string) =>
  (): Promise<Bundle> =>
    import(/* @vite-ignore */ /* webpackIgnore: true */ address)
const fetchFormats = fetched<typeof import('./formats.ts')>

serve({
  async load(options, events, signal) {
    if (engine) throw new GlmError('request_invalid', 'This worker holds a model already; start another one.')
    tools = options.tools
    engine = await load(options, events, signal)
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
  async plan(options, signal) {
    const formats = fetchFormats(options.formats)
    tools = options.tools
    return (await formats()).planPlace(options, signal, { read: readModel, formats, openGpu, plan: fetchTools })
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
  const { weights, model, formats: address, vision, ...rest } = options
  const formats = fetchFormats(address)
  const { id, licence, notice } = model
  const about = { ...(id ? { id } : {}), ...(licence ? { licence } : {}), ...(notice ? { notice } : {}) }
  const common = {
    ...rest,
    ...about,
    gpu: navigator.gpu,
    tuning: fetchTools,
    vision: fetched<typeof import('./vision.ts')>(vision),
    signal,
  }
  // As it comes, the embedded model of text needs no other bundle.
  if (model.embedded && !model.embedded.sees && !rest.kv && !rest.exact && ['file', 'q4', undefined].includes(weights)) {
    const { name, files } = model.embedded
    const onProgress = (progress: Omit<Progress, 'cached'>) => events.onProgress({ ...progress, cached: 0 })
    return Engine.load({ ...common, source: bundledSource(name, files), onProgress })
  }
  const { loadFitting, openModel } = await formats()
  const opened = await openModel(model, options, events, signal, { load: Engine.load, read: readModel })
  const { source, choice } = opened
  try {
    const loaded = await loadFitting({
      ...common,
      source,
      ...(choice ? { choice } : {}),
      weights,
      formats,
      admit: opened.admit,
      load: opened.load,
      read: readModel,
      plan: fetchTools,
      onProgress: opened.progress,
      onWarning: events.onWarning,
    })
    await opened.finish(signal)
    return loaded
  } finally {
    await opened.close()
  }
}
