// MODEL, as the command line takes it, → a source of files; and an engine that runs it.
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Engine, type EngineOptions } from '../engine/engine.ts'
import { GlmError } from '../errors.ts'
import { folderSource } from '../weights/folder.ts'
import { httpSource } from '../weights/http.ts'
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

/** The files of a model. Throws `model_unknown` unless it is `pocket`, an http(s) address or a folder. */
export function sourceOf(model: string, home: string): Source {
  if (model === 'pocket') return folderSource(pocket(home))
  if (/^https?:/i.test(model)) return readOnce(httpSource({ base: model }))
  const found = statSync(model, { throwIfNoEntry: false })
  if (found?.isDirectory()) return folderSource(model)
  throw new GlmError(
    'model_unknown',
    found
      ? `"${model}" is a file; give the folder it lies in.`
      : `"${model}" is not a folder here; give a folder, an address that begins with https://, or pocket.`,
  )
}

/** Beside dist/cli.js, or in the repository. */
function pocket(home: string): string {
  const folder = [join(home, 'pocket'), join(home, '../models/pocket')].find((place) => existsSync(join(place, 'config.json')))
  if (!folder) throw new GlmError('model_unknown', 'The embedded model is not beside this program; install the package again.')
  return folder
}

/** `score` tokenizes before the engine loads: over the web, what both read is fetched once. */
function readOnce(source: Source): Source {
  const kept = new Map<string, ReturnType<Source['read']>>()
  return {
    ...source,
    read(path, start, end, signal) {
      if (path.endsWith('.safetensors')) return source.read(path, start, end, signal)
      const key = `${path} ${start} ${end}`
      const bytes = kept.get(key) ?? source.read(path, start, end, signal)
      kept.set(key, bytes)
      return bytes
    },
  }
}

/** Loads a model on this machine's GPU, and says on stderr what it became. */
export async function openEngine(
  source: Source,
  options: Pick<EngineOptions, 'weights' | 'context' | 'kv' | 'exact' | 'without' | 'dot8' | 'serial' | 'chats'>,
  setting: Setting,
) {
  const { terminal, signal } = setting
  const began = performance.now()
  const gpu = await findGpu()
  const engine = await Engine.load({ ...options, gpu, source, signal, onProgress: (progress) => terminal.progress(progress) })
  const milliseconds = performance.now() - began
  const { id, weights, bytes, adapter } = engine.info
  const slow = adapter.software ? ', a software adapter: right, but slow' : ''
  const name = adapter.description || adapter.architecture || adapter.vendor
  terminal.log(`Loaded ${id} as ${weights} (${size(bytes.weights)}) in ${(milliseconds / 1000).toFixed(1)} s on ${name}${slow}.`)
  return { engine, milliseconds }
}
