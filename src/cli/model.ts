// MODEL, as the command line takes it, → a source of files; and an engine that runs it.
import { existsSync, statSync } from 'node:fs'
import { totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { readModel } from '../engine/checkpoint.ts'
import { Engine, type EngineOptions } from '../engine/engine.ts'
import { type FittingOptions, loadFitting } from '../engine/fitting.ts'
import { asGlmError, GlmError } from '../errors.ts'
import * as reading from '../formats.ts'
import { catalog } from '../model/catalog.ts'
import * as tools from '../tools.ts'
import * as seeing from '../vision.ts'
import { cachedSource } from '../weights/cache.ts'
import { narrow } from '../weights/choose.ts'
import { folderSource } from '../weights/folder.ts'
import { httpSource } from '../weights/http.ts'
import { parseModelName } from '../weights/hub.ts'
import { type Opened, openHub } from '../weights/open.ts'
import { placeOf } from '../weights/place.ts'
import type { Source } from '../weights/source.ts'
import { findGpu } from './gpu.ts'
import { size, type Terminal } from './terminal.ts'

/** What every command is given beside its flags. */
export interface Setting {
  /** Folder of the entry: dist, or src when run from there. */
  home: string
  terminal: Terminal
  signal: AbortSignal
}

/** What a command says of where its model comes from. */
export interface Finding {
  /** Address of the hub, where it is not huggingface.co: a mirror. Default: GLM_HUB of the environment. */
  hub?: string | undefined
  /** Of several quantisations the best that fits so many bytes; without, 4 bits. */
  memory?: number | undefined
  /** Only headers are wanted: nothing is read ahead. */
  headers?: boolean
}

/**
 * The files of a model: a name in the catalog, an http(s) address of a folder or a .gguf file, a folder or a .gguf file on disk, or a repository of
 * the hub; what lies on disk goes before the hub. HF_TOKEN of the environment opens private repositories. Throws `model_unknown` for anything else. Where there were several, it says which was taken.
 */
export async function sourceOf(
  model: string,
  setting: Setting,
  { hub = process.env.GLM_HUB || undefined, memory, headers: headersOnly = false }: Finding = {},
): Promise<Source> {
  const { terminal, signal } = setting
  const token = process.env.HF_TOKEN
  const headers = token ? { headers: { authorization: `Bearer ${token}` } } : {}
  const options = { signal, ...headers, ...(hub === undefined ? {} : { hub }), ...(memory === undefined ? {} : { memory }) }
  const tell = ({ source, chosen }: Opened) => {
    if (chosen) terminal.log(chosen.why)
    return source.local || headersOnly ? source : fetched(source)
  }
  const known = catalog.find(({ id }) => id === model)
  if (known) {
    if (known.repository === undefined) return folderSource(embedded(known.id, setting.home))
    terminal.log([`${known.title} is under the licence ${known.licence}.`, known.notice && `${known.notice}.`].filter(Boolean).join(' '))
    return tell(await openHub(`${known.repository}@${known.revision}/${known.file}`, options))
  }
  const onHub = parseModelName(model, hub) !== undefined
  if (/^https?:/i.test(model)) return onHub ? tell(await openHub(model, options)) : tell({ source: webSource(model) })
  const found = statSync(model, { throwIfNoEntry: false })
  if (found && /\.safetensors$/i.test(model)) return folderSource(dirname(model))
  if (found?.isDirectory() || (found && /\.gguf$/i.test(model))) return tell(await narrow(folderSource(model), options))
  if (!found && onHub) return tell(await openHub(model, options).catch((error) => Promise.reject(nowhere(model, error))))
  throw new GlmError(
    'model_unknown',
    found
      ? `"${model}" is a file, but neither .gguf nor .safetensors; give that, or the folder it lies in.`
      : `"${model}" is not a folder here; give a folder, a .gguf file, an address that begins with https://, owner/name on the hub, or ${ids()}.`,
  )
}

const ids = () => catalog.map(({ id }) => id).join(', ')

/** Whoever wrote a path that is not there hears that too. */
function nowhere(model: string, error: unknown): unknown {
  const { code, message } = asGlmError(error)
  if (code !== 'model_unknown' && code !== 'file_missing' && code !== 'network_failed') return error
  return new GlmError(code, `${message} "${model}" is no folder here either.`, { cause: error })
}

function webSource(model: string): Source {
  const { entry, ...place } = placeOf(model)
  return { ...httpSource(place), ...(entry === undefined ? {} : { entry }) }
}

/** Beside dist/cli.js, or in the repository. */
function embedded(id: string, home: string): string {
  const folder = [join(home, id), join(home, '../models', id)].find((place) => existsSync(join(place, 'config.json')))
  if (!folder) throw new GlmError('model_unknown', `The embedded model ${id} is not beside this program; install the package again.`)
  return folder
}

/** Ranges of the web, several at once. `score` tokenizes before the engine loads: what both read is fetched once. */
async function fetched(origin: Source): Promise<Source> {
  const source = await cachedSource(origin, { keep: false })
  const kept = new Map<string, ReturnType<Source['read']>>()
  return {
    ...origin,
    size: (path, signal) => source.size(path, signal),
    announce: (ranges) => source.announce(ranges),
    close: () => source.close?.(),
    read(path, start, end, signal) {
      if (/\.(safetensors|gguf)$/i.test(path)) return source.read(path, start, end, signal)
      const key = `${path} ${start} ${end}`
      const bytes = kept.get(key) ?? source.read(path, start, end, signal)
      kept.set(key, bytes)
      return bytes
    },
  }
}

/** What a page fetches when it is wanted: here it is at hand. */
export const formats = async () => reading
const tuning = async () => tools
const vision = async () => seeing

/** Loads a model on this machine's GPU, and says on stderr what it became. */
export async function openEngine(
  source: Source,
  options: Pick<EngineOptions, 'context' | 'kv' | 'exact' | 'without' | 'dot8' | 'serial' | 'chats' | 'choose'> &
    Pick<FittingOptions, 'weights' | 'visionWeights' | 'memory'>,
  setting: Setting,
) {
  const { terminal, signal } = setting
  const began = performance.now()
  const engine = await loadFitting({
    memory: totalmem() / 2,
    ...options,
    gpu: await findGpu(),
    source,
    formats,
    tuning,
    plan: tuning,
    vision,
    signal,
    load: Engine.load,
    read: readModel,
    onProgress: (progress) => terminal.progress(progress),
    onWarning: ({ message }) => terminal.log(message),
  })
  const milliseconds = performance.now() - began
  const { id, weights, bytes, adapter } = engine.info
  const slow = adapter.software ? ', a software adapter: right, but slow' : ''
  const name = adapter.description || adapter.architecture || adapter.vendor
  terminal.log(`Loaded ${id} as ${weights} (${size(bytes.weights)}) in ${(milliseconds / 1000).toFixed(1)} s on ${name}${slow}.`)
  return { engine, milliseconds }
}
