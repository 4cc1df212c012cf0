// A source is where the files of one model lie: a web folder, a disk folder, the cache. It knows sizes and byte ranges, no formats.
import { asGlmError, GlmError, throwIfAborted } from '../errors.ts'
import type { ByteRange } from './tensor.ts'

/** The files of one model, read by byte range. Paths are relative and use `/`. */
export interface Source {
  /** Names the model; the cache keeps its files under it. */
  readonly name: string
  /** The file's size in bytes. Throws `file_missing` where there is none. */
  size(path: string, signal?: AbortSignal): Promise<number>
  /** Exactly `end - start` bytes, or `file_missing`, `file_truncated`, `file_invalid` (changed under way), `network_failed`, `aborted`. */
  read(path: string, start: number, end: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>>
  /** A mark that changes with the file, where the source has one; known once the file was touched. */
  etag?(path: string): string | undefined
  /** The bytes of a range as they come, in chunks of any size; faults as of `read`. */
  stream?(path: string, start: number, end: number, signal?: AbortSignal): AsyncIterable<Uint8Array<ArrayBuffer>>
  /** What will be read next, and in which order: the source may run ahead. */
  announce?(ranges: readonly ByteRange[]): void
  /** The GGUF that the user named, or that was chosen for them; absent for a folder of safetensors. */
  readonly entry?: string
  /** Every file there is, where the source can tell (folder, hub, dropped files). */
  list?(signal?: AbortSignal): Promise<{ path: string; size: number }[]>
  /** The published hash of a whole file. */
  sha256?(path: string): string | undefined
  /** The commit that all files come from. */
  readonly revision?: string
  /** Files on this machine: a cache would only hold them twice. */
  readonly local?: true
  close?(): void
}

/** JSON files of a model are small; a larger one is a mistake or an attack. */
const jsonLimit = 128 * 2 ** 20

/** The whole file. */
export async function readWhole(source: Source, path: string, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  return source.read(path, 0, await source.size(path, signal), signal)
}

/** The file as JSON; the caller checks its shape. Throws `file_invalid` where it is no JSON in UTF-8. */
export async function readJson(source: Source, path: string, signal?: AbortSignal): Promise<unknown> {
  const size = await source.size(path, signal)
  if (size > jsonLimit) throw new GlmError('file_invalid', `${path} has ${size} bytes, too many for JSON; download the model again.`)
  const bytes = await source.read(path, 0, size, signal)
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    throw asGlmError(error, 'file_invalid', `${path} is not valid JSON; download the model again. `)
  }
}

/** Whether the source has the file; every other fault is thrown. */
export async function exists(source: Source, path: string, signal?: AbortSignal): Promise<boolean> {
  try {
    await source.size(path, signal)
    return true
  } catch (error) {
    if (error instanceof GlmError && error.code === 'file_missing') return false
    throw error
  }
}

/** Throws unless `start` and `end` are a range of bytes inside a file of `size` bytes. */
export function checkRange(path: string, start: number, end: number, size: number): void {
  if (!(Number.isSafeInteger(start) && Number.isSafeInteger(end) && 0 <= start && start <= end)) {
    throw new GlmError('internal', `${start} to ${end} is not a byte range of ${path}.`)
  }
  if (end > size) {
    throw new GlmError('file_truncated', `${path} ends at byte ${size}, but byte ${end} is needed; download or convert it again.`)
  }
}

/** Callers that ask for the same thing at once share one run of it. A run that its own caller aborted is started anew for the others. */
export async function share<T>(
  running: Map<string, Promise<T>>,
  key: string,
  signal: AbortSignal | undefined,
  start: () => Promise<T>,
): Promise<T> {
  for (;;) {
    throwIfAborted(signal)
    const known = running.get(key)
    if (!known) {
      const run = start().finally(() => running.delete(key))
      running.set(key, run)
      return run
    }
    try {
      return await known
    } catch (error) {
      if (!(error instanceof GlmError && error.code === 'aborted')) throw error
    }
  }
}
