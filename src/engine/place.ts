// From what a page names to the files of one model: downloaded, kept and told of on the way. Part of the lazy bundle.
import type { LoadEvents, WireLoad, WireModel } from '../api/channel.ts'
import type { ModelChoice } from '../api/plan.ts'
import type { Progress } from '../api/types.ts'
import { GlmError } from '../errors.ts'
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
import type { ModelFiles } from './checkpoint.ts'

/** A model's files while it loads. */
export interface OpenedModel {
  source: Source
  /** Where several models lay in one place. */
  choice?: ModelChoice
  /** Throws `quota_exceeded` where what is to be kept has no room. */
  admit(files: Pick<ModelFiles, 'checkpoint'>): Promise<void>
  /** Adds what came over the network and from the cache. */
  progress(progress: Pick<Progress, 'phase' | 'loaded' | 'total'>): void
  /** Writes down what was kept. */
  finish(signal?: AbortSignal): Promise<void>
  close(): void
}

export type Whereabouts = Pick<WireLoad, 'headers' | 'hub' | 'memory'>

export async function openModel(
  model: WireModel,
  options: Whereabouts & Pick<WireLoad, 'cache' | 'verify'>,
  events: LoadEvents,
  signal: AbortSignal,
): Promise<OpenedModel> {
  const { source: origin, choice } = await locate(model, options, signal)
  const told = createTeller(events.onProgress)
  const admitted = async () => {}
  if (origin.local || model.embedded)
    return { source: origin, ...told, admit: admitted, finish: async () => {}, close: () => origin.close?.() }
  const { revision } = origin
  const source = await cachedSource(origin, {
    keep: options.cache !== 'none',
    verify: options.verify ?? 'download',
    signal,
    follow: checkPublished,
    origin: { source: origin.name, ...(revision ? { revision } : {}), ...(model.licence ? { licence: model.licence } : {}) },
    onWarning: events.onWarning,
    onPiece: told.piece,
  })
  return {
    source,
    ...(choice ? { choice } : {}),
    progress: told.progress,
    admit: options.cache === 'none' ? admitted : ({ checkpoint }) => checkRoom(origin.name, checkpoint.bytes),
    finish: (signal) => source.finish(signal),
    close: () => source.close?.(),
  }
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
  const names = (await listCache())
    .filter(({ name, complete }) => complete && name.startsWith(`${repository}@${fixed}`) && name.endsWith(file ? `/${file}` : ''))
    .sort((one, other) => other.saved.localeCompare(one.saved))
    .map(({ name }) => name)
  const name = names[0]
  if (name === undefined) return undefined
  const entry = /@[^/]+\/(.+\.gguf)$/i.exec(name)?.[1]
  return { ...keptSource(name), ...(entry ? { entry } : {}) }
}

/** Progress in bytes, with speed and what is left. */
function createTeller(onProgress: LoadEvents['onProgress']) {
  const bytes = { network: 0, cached: 0, total: 0 }
  const speed = new Speed()
  const tell = (phase: Progress['phase'], loaded: number, file?: string) => {
    const now = performance.now()
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
      if (!cached) {
        speed.add(bytes.network, performance.now())
        tell('download', bytes.network + bytes.cached, file)
      }
    },
    progress({ phase, loaded, total }: Pick<Progress, 'phase' | 'loaded' | 'total'>) {
      bytes.total = Math.max(total, bytes.network + bytes.cached)
      tell(phase, loaded)
    },
  }
}
