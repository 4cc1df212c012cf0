// From what a page names to the files of one model: downloaded, kept and told of on the way. Part of the lazy bundle.
import type { LoadEvents, WireLoad, WireModel, WirePlan } from '../api/channel.ts'
import type { ModelChoice, ModelPlan } from '../api/plan.ts'
import type { Progress } from '../api/types.ts'
import { GlmError } from '../errors.ts'
import type { openGpu as open } from '../gpu/device.ts'
import { catalog } from '../model/catalog.ts'
import { bundledSource } from '../weights/bundled.ts'
import { cachedSource } from '../weights/cache.ts'
import { httpSource } from '../weights/http.ts'
import { keptSource } from '../weights/keep.ts'
import { type Opened, openFiles, openHub } from '../weights/open.ts'
import { placeOf } from '../weights/place.ts'
import { checkPublished } from '../weights/published.ts'
import { checkRoom } from '../weights/room.ts'
import type { Source } from '../weights/source.ts'
import { Speed } from '../weights/speed.ts'
import { listCache } from '../weights/store.ts'
import type { Formats, ModelFiles, readModel } from './checkpoint.ts'
import type { Engine, EngineOptions } from './engine.ts'
import { machineMemory } from './fitting.ts'
import { Keeping } from './kept.ts'
import type { planModel } from './plan.ts'

/** A model's files while it loads. */
export interface OpenedModel {
  source: Source
  /** Where several models lay in one place. */
  choice?: ModelChoice
  /** Throws `quota_exceeded` where what is to be kept has no room. */
  admit(files: Pick<ModelFiles, 'checkpoint'>): Promise<void>
  /** Adds what came over the network and from the cache. */
  progress(progress: Pick<Progress, 'phase' | 'loaded' | 'total'>): void
  /** Loads from `source`, and keeps what is to be kept. */
  load: Load
  /** Writes down what was kept. */
  finish(signal?: AbortSignal): Promise<void>
  close(): Promise<void> | void
}

type Load = (options: EngineOptions) => Promise<Engine>

export type Whereabouts = Pick<WireLoad, 'headers' | 'hub' | 'memory'>

/** `load`: Engine.load; `read`: readModel. This file is fetched alone, without an engine. */
export async function openModel(
  model: WireModel,
  options: Whereabouts & Pick<WireLoad, 'cache' | 'verify'>,
  events: LoadEvents,
  signal: AbortSignal,
  { load, read }: { load: Load; read: typeof readModel },
): Promise<OpenedModel> {
  const { source: origin, choice } = await locate(model, options, signal)
  const { onWarning } = events
  const { piece, progress } = createTeller(events.onProgress)
  const { revision } = origin
  const { licence } = model
  const kept = { source: origin.name, ...(revision ? { revision } : {}), ...(licence ? { licence } : {}) }
  const through = (source: Source, keep: boolean | 'meanwhile') =>
    cachedSource(source, {
      keep,
      verify: options.verify ?? 'download',
      signal,
      follow: checkPublished,
      origin: kept,
      onWarning,
      onPiece: piece,
    })
  const opened = { progress, admit: async () => {}, ...(choice ? { choice } : {}) }
  if (origin.local || model.embedded) return { ...opened, source: origin, load, finish: async () => {}, close: () => origin.close?.() }
  const admit: OpenedModel['admit'] = ({ checkpoint }) => checkRoom(origin.name, checkpoint.bytes)
  if (options.cache === 'none' || options.cache === 'source') {
    const keep = options.cache === 'source'
    const source = await through(origin, keep)
    return { ...opened, ...(keep ? { admit } : {}), source, load, finish: (end) => source.finish(end), close: () => source.close?.() }
  }
  const keeping = new Keeping({ load, read, through, room: checkRoom, onWarning, ...(licence ? { origin: { licence } } : {}) })
  return { ...opened, admit, source: origin, load: keeping.load, finish: (end) => keeping.finish(end), close: () => keeping.close() }
}

/** Headers only, by small ranges: nothing is cached, no weight is read. */
export async function planPlace(
  options: WirePlan,
  signal: AbortSignal,
  {
    read,
    formats,
    openGpu,
    plan,
  }: {
    read: typeof readModel
    formats: () => Promise<Formats>
    openGpu: typeof open
    plan: () => Promise<{ planModel: typeof planModel }>
  },
): Promise<ModelPlan> {
  const { source, choice } = await locate(options.model, options, signal)
  const files = await read(source, { formats, signal })
  const gpu = await openGpu(navigator.gpu, options)
  gpu.close()
  const { id = options.model.name ?? source.name } = options.model
  const { planModel } = await plan()
  const made = planModel(id, files, options, { ...gpu.limits, software: gpu.info.software, ...machineMemory() })
  return { ...made, ...(choice ? { choice } : {}) }
}

/** A page of the hub rather than files. */
const hubPage = /^https:\/\/(huggingface\.co|hf\.co)\//i

/** Where the bytes come from; of several models in one place, one. */
export async function locate(
  model: WireModel,
  { headers, hub, memory }: Whereabouts,
  signal: AbortSignal,
): Promise<{ source: Source; choice?: ModelChoice }> {
  const options = { signal, ...(headers ? { headers } : {}), ...(hub ? { hub } : {}), ...(memory ? { memory } : {}) }
  if (model.embedded) return { source: bundledSource(model.embedded.name, model.embedded.files) }
  const { name, local } = model
  if (name === undefined) return asked(await openFiles(local as never, options))
  const onHub = hubPage.test(name) || (hub !== undefined && name.startsWith(hub))
  if (!onHub && /^(https?:|\.{0,2}\/)/.test(name)) {
    const { entry, ...place } = placeOf(name, model.base)
    return { source: { ...httpSource({ ...place, ...options }), ...(entry ? { entry } : {}) } }
  }
  if (!onHub && !/^(hf:)?[\w.-]+\/[\w.-]/.test(name)) {
    const known = catalog.map(({ id }) => `'${id}'`).join(', ')
    throw new GlmError('model_unknown', `The model "${name}" is not known; use ${known}, owner/name on the hub, an address, or files.`)
  }
  try {
    return asked(await openHub(name, options))
  } catch (error) {
    const kept = error instanceof GlmError && error.code === 'network_failed' ? await keptOf(name) : undefined
    if (!kept) throw error
    return { source: kept }
  }
}

function asked({ source, chosen }: Opened): { source: Source; choice?: ModelChoice } {
  if (!chosen) return { source }
  const { variant, why, variants } = chosen
  return { source, choice: { file: variant.files[0]!, why, variants } }
}

/** Without a network: the repository as it was last kept, at whatever revision. */
async function keptOf(hub: string): Promise<Source | undefined> {
  const [, repository, revision, file] = /^(?:hf:)?([\w.-]+\/[\w.-]+)(?:@([^/]+))?(?:\/(.+))?$/.exec(hub) ?? []
  if (!repository) return undefined
  const fixed = revision && /^[0-9a-f]{12,}$/.test(revision) ? revision.slice(0, 12) : ''
  const plain = (name: string) => name.replace(/ as q[48]$/, '')
  const names = (await listCache())
    .filter(({ name, complete }) => complete && name.startsWith(`${repository}@${fixed}`) && plain(name).endsWith(file ? `/${file}` : ''))
    .sort((one, other) => other.saved.localeCompare(one.saved))
    .map(({ name }) => plain(name))
  const name = names[0]
  if (name === undefined) return undefined
  const entry = /@[^/]+\/(.+\.gguf)$/i.exec(name)?.[1]
  return { ...keptSource(name), ...(entry ? { entry } : {}) }
}

/** Progress in bytes, with speed and what is left. */
function createTeller(onProgress: LoadEvents['onProgress']) {
  const bytes = { network: 0, cached: 0, total: 0 }
  const speed = new Speed()
  let ready = false
  let last = { phase: '', at: 0 }
  /** Ten times a second, and whenever something else begins or all is there. */
  const tell = (phase: Progress['phase'], loaded: number, file?: string) => {
    const now = performance.now()
    if (phase === last.phase && now - last.at < 100 && loaded < bytes.total) return
    last = { phase, at: now }
    const total = Math.max(bytes.total, loaded)
    const rate = speed.rate(now)
    const left = speed.left(total - bytes.network - bytes.cached, now)
    onProgress({
      phase,
      loaded,
      total,
      cached: bytes.cached,
      ...(file ? { file } : {}),
      ...(rate > 0 ? { bytes_per_second: rate } : {}),
      ...(rate > 0 && left !== undefined ? { seconds_left: left } : {}),
    })
  }
  return {
    piece({ file, bytes: size, cached }: { file: string; bytes: number; cached: boolean }) {
      bytes[cached ? 'cached' : 'network'] += size
      // What is kept beside it may come later; nobody waits for that.
      if (!cached && !ready) {
        speed.add(bytes.network, performance.now())
        tell('download', bytes.network + bytes.cached, file)
      }
    },
    progress({ phase, loaded, total }: Pick<Progress, 'phase' | 'loaded' | 'total'>) {
      bytes.total = Math.max(total, bytes.network + bytes.cached)
      ready = phase === 'ready'
      tell(phase, loaded)
    },
  }
}
