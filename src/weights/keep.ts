// Keeps files that loading made, under a name of their own: pieces and hashes like those of downloaded files, written one after the other. What
// was kept before a cut need not be made again. They are read back as a source. Part of the lazy bundle.
import { GlmError, throwIfAborted } from '../errors.ts'
import { lock } from './lock.ts'
import type { Source } from './source.ts'
import {
  asManifest,
  defaultPieceBytes,
  deleteFromCache,
  digest,
  emptyManifest,
  hashOf,
  indexedStore,
  type KeptFile,
  type Manifest,
  newFile,
  type Origin,
  type PieceStore,
  pieceKey,
  pieceLength,
  rowKey,
} from './store.ts'

export interface WriterOptions {
  origin?: Origin
  /** Ends the wait for another tab that makes the same files. */
  signal?: AbortSignal
  store?: PieceStore
  locks?: LockManager
  pieceBytes?: number
}

export interface CacheWriter {
  /** All files are there already: read them. */
  readonly complete: boolean
  /** A file of so many bytes; one of another size under that path is dropped. */
  open(path: string, size: number): Promise<FileWriter>
  /** Drops all that was written, and holds the lock. */
  clear(): Promise<void>
  /** What files tell as written is found by a later load. */
  save(): Promise<void>
  /** All files are written: from now on they are read. */
  finish(): Promise<void>
  /** Lets other tabs go on. What was written stays. */
  close(): Promise<void>
}

export interface FileWriter {
  /** Bytes from the start that are kept already: go on from there. */
  readonly kept: number
  /** Bytes from the start that are in the cache by now: whole pieces. */
  readonly written: number
  write(bytes: Uint8Array): Promise<void>
  /** Writes the last piece, where all bytes came. */
  close(): Promise<void>
}

const rowEvery = 1000 // ms between rows while pieces are written

/** Opens the files of `name` for writing; another tab that has them open is waited for. Throws `quota_exceeded` where nothing can be kept. */
export async function cacheWriter(name: string, options: WriterOptions = {}): Promise<CacheWriter> {
  const store = options.store ?? indexedStore()
  if (!store) throw new GlmError('quota_exceeded', 'IndexedDB cannot be used here; nothing can be kept.')
  const release = !options.store || options.locks ? await waited(lock(name, options.signal, options.locks), options.signal) : () => {}
  try {
    const pieceBytes = options.pieceBytes ?? defaultPieceBytes
    const found = asManifest(await kept(store.get(rowKey(name))))
    const sound = found?.name === name && found.pieceBytes === pieceBytes
    if (!sound) await kept(deleteFromCache(name, store))
    return new Writer(store, Object.assign(sound ? found : emptyManifest(name, pieceBytes), options.origin), release)
  } catch (error) {
    release()
    throw error
  }
}

/** The files that a writer kept, for `cachedSource`: nothing else is there, and what was lost cannot be fetched again. */
export function keptSource(name: string): Source {
  const gone = async (path: string): Promise<never> => {
    throw new GlmError('file_missing', `${path} is not kept of ${name}, or was lost; load the model from its source again.`)
  }
  return { name, size: gone, read: gone }
}

class Writer implements CacheWriter {
  readonly #store: PieceStore
  readonly #row: Manifest
  readonly #release: () => void
  #rowWritten = 0

  constructor(store: PieceStore, row: Manifest, release: () => void) {
    this.#store = store
    this.#row = row
    this.#release = release
  }

  get complete(): boolean {
    return this.#row.complete
  }

  async open(path: string, size: number): Promise<FileWriter> {
    const row = this.#row
    let file = row.files.get(path)
    if (file?.size !== size) {
      // Pieces that no hash names could be taken for those of the new file.
      await kept(this.#store.delete(Array.from({ length: (file?.hashes.length ?? 0) / 32 }, (_, index) => pieceKey(row.name, path, index))))
      file = newFile(size, row.pieceBytes)
      row.files.set(path, file)
    }
    row.complete = false
    await this.save() // a piece is of the file that the row knows
    return new OpenFile(this, this.#row, file, (index, bytes) => this.#keep(path, file, index, bytes))
  }

  async clear(): Promise<void> {
    this.#row.files.clear()
    this.#row.complete = false
    await kept(deleteFromCache(this.#row.name, this.#store))
  }

  async finish(): Promise<void> {
    this.#row.complete = true
    await this.save()
    this.#release()
  }

  async close(): Promise<void> {
    if (!this.#row.complete) await this.save()
    this.#release()
  }

  async save(): Promise<void> {
    this.#rowWritten = Date.now()
    this.#row.saved = new Date().toISOString()
    await kept(this.#store.set(rowKey(this.#row.name), this.#row))
  }

  async #keep(path: string, file: KeptFile, index: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const hash = await digest(bytes)
    await kept(this.#store.set(pieceKey(this.#row.name, path, index), new Blob([bytes])))
    file.hashes.set(hash, index * 32)
    if (Date.now() - this.#rowWritten >= rowEvery) await this.save()
  }
}

class OpenFile implements FileWriter {
  readonly kept: number
  readonly #writer: Writer
  readonly #row: Manifest
  readonly #file: KeptFile
  readonly #keep: (index: number, bytes: Uint8Array<ArrayBuffer>) => Promise<void>
  #index = 0
  #piece: Uint8Array<ArrayBuffer>
  #filled = 0

  constructor(writer: Writer, row: Manifest, file: KeptFile, keep: (index: number, bytes: Uint8Array<ArrayBuffer>) => Promise<void>) {
    this.#writer = writer
    this.#row = row
    this.#file = file
    this.#keep = keep
    while (hashOf(file, this.#index)) this.#index++
    this.kept = this.written
    this.#piece = this.#next()
  }

  get written(): number {
    return Math.min(this.#file.size, this.#index * this.#row.pieceBytes)
  }

  #next(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(Math.max(0, pieceLength(this.#row, this.#file, this.#index)))
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + this.#piece.length - this.#filled)
      if (part.length === 0) throw new GlmError('internal', `More than ${this.#file.size} bytes were written to a kept file.`)
      this.#piece.set(part, this.#filled)
      at += part.length
      this.#filled += part.length
      if (this.#filled < this.#piece.length) continue
      await this.#keep(this.#index++, this.#piece)
      this.#piece = this.#next()
      this.#filled = 0
    }
  }

  async close(): Promise<void> {
    await this.#writer.save()
  }
}

/** Faults of the store as ours: the caller goes on without keeping. */
async function kept<T>(call: Promise<T>): Promise<T> {
  try {
    return await call
  } catch (cause) {
    throw new GlmError('quota_exceeded', 'The browser cannot keep more files; free disk space, or delete models from the cache.', { cause })
  }
}

async function waited<T>(call: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  try {
    return await call
  } catch (error) {
    throwIfAborted(signal)
    throw error
  }
}
