// Keeps the files of a model in IndexedDB, in pieces: a Blob each, with a SHA-256 taken when it was downloaded. One manifest row per model,
// always written after the pieces it names, says what is there. A piece that is missing, short, unreadable or damaged is fetched again, alone.
import { createStore, del, get, keys, set, type UseStore } from 'idb-keyval'
import { GlmError, throwIfAborted } from '../errors.ts'
import { checkRange, type Source, share } from './source.ts'

/** Where pieces and manifests are kept. */
export interface PieceStore {
  get(key: string): Promise<unknown>
  set(key: string, value: unknown): Promise<void>
  delete(key: string): Promise<void>
  keys(): Promise<string[]>
}

export interface CacheOptions {
  /** `download` (default): hashes are taken when pieces arrive. `always`: each cached piece is held against its hash once per load. */
  verify?: 'download' | 'always'
  /** Default: IndexedDB, where there is one. */
  store?: PieceStore
  /** Called once per piece and load, when it is at hand. */
  onPiece?: (piece: { file: string; bytes: number; cached: boolean }) => void
  /** Called at most once, when files cannot be kept; the load goes on without. */
  onWarning?: (warning: GlmError) => void
  pieceBytes?: number
}

/** A source that reads through the cache. */
export interface CachedSource extends Source {
  /** Writes down what was kept. After it, a load of the same files asks the model's address for nothing. */
  finish(): Promise<void>
}

/** What one model keeps. */
export interface KeptModel {
  name: string
  bytes: number
  files: number
  complete: boolean
  saved: string
}

interface KeptPiece {
  bytes: number
  sha256: string
}

interface KeptFile {
  size: number
  etag?: string
  /** Sparse: only pieces that were read. */
  pieces: (KeptPiece | undefined)[]
}

interface Manifest {
  name: string
  version: typeof version
  saved: string
  complete: boolean
  pieceBytes: number
  files: Map<string, KeptFile>
  /** Paths that were asked for and are not there: a later load asks again only when this one did not end well. */
  missing: Set<string>
}

const version = 1
/** Chromium loses large values; 8 MiB pieces are cheap to fetch again. */
const defaultPieceBytes = 8 * 2 ** 20
const piecesInMemory = 4
const readAhead = 2
const rowEvery = 1000 // ms between manifest rows while pieces arrive

/** Reads `source` through the cache. Without IndexedDB, or when it is full or broken, it reads on and keeps nothing. */
export async function cachedSource(source: Source, options: CacheOptions = {}): Promise<CachedSource> {
  const model = new CachedModel(source, options)
  await model.open()
  return model
}

class CachedModel implements CachedSource {
  readonly name: string
  readonly #source: Source
  readonly #options: CacheOptions
  readonly #pieceBytes: number
  #store: PieceStore | undefined
  #manifest: Manifest
  /** The row as it was found said that all is there: nothing is asked of the source but lost pieces. */
  #trusted = false
  #changed = false
  #rowWritten = 0
  #writing: Promise<void> = Promise.resolve()
  /** Files whose size and ETag were learned from, or held against, the source in this load. */
  readonly #current = new Set<string>()
  readonly #seen = new Set<string>()
  readonly #opening = new Map<string, Promise<KeptFile>>()
  readonly #fetching = new Map<string, Promise<Uint8Array<ArrayBuffer>>>()
  /** The pieces used last, oldest first. */
  readonly #memory = new Map<string, Uint8Array<ArrayBuffer>>()

  constructor(source: Source, options: CacheOptions) {
    this.name = source.name
    this.#source = source
    this.#options = options
    this.#pieceBytes = options.pieceBytes ?? defaultPieceBytes
    this.#store = options.store ?? indexedStore()
    this.#manifest = emptyManifest(this.name, this.#pieceBytes)
  }

  async open(): Promise<void> {
    if (!this.#store) return this.#stopKeeping(undefined)
    try {
      const found = asManifest(await this.#store.get(rowKey(this.name)))
      if (found?.pieceBytes !== this.#pieceBytes) return
      this.#manifest = found
      this.#trusted = found.complete
      if (!found.complete) found.missing.clear()
    } catch (error) {
      this.#stopKeeping(error)
    }
  }

  async size(path: string, signal?: AbortSignal): Promise<number> {
    return (await this.#file(path, signal)).size
  }

  etag(path: string): string | undefined {
    return this.#manifest.files.get(path)?.etag
  }

  async read(path: string, start: number, end: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    throwIfAborted(signal)
    const file = await this.#file(path, signal)
    checkRange(path, start, end, file.size)
    const out = new Uint8Array(end - start)
    const last = Math.ceil(end / this.#pieceBytes) - 1
    // Held here, so that other readers cannot push a piece out of memory before its turn.
    const ahead = new Map<number, Promise<Uint8Array<ArrayBuffer>>>()
    for (let index = Math.floor(start / this.#pieceBytes); start < end && index <= last; index++) {
      for (let next = index; next <= Math.min(last, index + readAhead); next++) {
        if (ahead.has(next)) continue
        const piece = this.#piece(path, file, next, signal)
        piece.catch(() => {}) // thrown when it is its turn
        ahead.set(next, piece)
      }
      const first = index * this.#pieceBytes
      const from = Math.max(start, first)
      out.set((await ahead.get(index)!).subarray(from - first, end - first), from - start)
      ahead.delete(index)
    }
    return out
  }

  async finish(): Promise<void> {
    await this.#writing
    if (!this.#store || (this.#trusted && !this.#changed)) return
    this.#manifest.complete = true
    await this.#writeRow()
  }

  close(): void {
    this.#memory.clear()
    // A load that ended early keeps what has arrived, if anything has.
    void this.#writing.then(() => (this.#changed && this.#manifest.files.size > 0 ? this.#writeRow() : undefined))
    this.#source.close?.()
  }

  /** The file's line in the manifest, from the source where there is none yet. */
  async #file(path: string, signal?: AbortSignal): Promise<KeptFile> {
    const known = this.#manifest.files.get(path)
    if (known) return known
    if (this.#manifest.missing.has(path)) {
      throw new GlmError('file_missing', `${path} is not part of ${this.name} as it was saved; delete it from the cache to look again.`)
    }
    return share(this.#opening, path, signal, async () => {
      try {
        const size = await this.#source.size(path, signal)
        const file: KeptFile = { size, etag: this.#source.etag?.(path), pieces: [] }
        this.#manifest.files.set(path, file)
        this.#current.add(path)
        this.#changed = true
        return file
      } catch (error) {
        if (error instanceof GlmError && error.code === 'file_missing') {
          this.#manifest.missing.add(path)
          this.#changed = true
        }
        throw error
      }
    })
  }

  async #piece(path: string, file: KeptFile, index: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    const key = pieceKey(this.name, path, index)
    const known = this.#memory.get(key)
    const bytes =
      known ??
      (await share(this.#fetching, key, signal, async () => {
        await this.#writing // The network must not run ahead of the disk, or pieces pile up in memory.
        const kept = await this.#fromStore(key, file, index)
        const piece = kept ?? (await this.#fromSource(path, key, file, index, signal))
        if (!this.#seen.has(key)) this.#options.onPiece?.({ file: path, bytes: piece.length, cached: kept !== undefined })
        this.#seen.add(key)
        this.#remember(key, piece)
        return piece
      }))
    if (known) this.#remember(key, known)
    return bytes
  }

  #remember(key: string, piece: Uint8Array<ArrayBuffer>): void {
    this.#memory.delete(key)
    this.#memory.set(key, piece)
    if (this.#memory.size > piecesInMemory) this.#memory.delete(this.#memory.keys().next().value!)
  }

  #length(file: KeptFile, index: number): number {
    return Math.min(this.#pieceBytes, file.size - index * this.#pieceBytes)
  }

  /** The piece as it was kept; nothing where it is missing, short, unreadable or, when hashes are checked, damaged. */
  async #fromStore(key: string, file: KeptFile, index: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const kept = file.pieces[index]
    if (!this.#store || !kept || kept.bytes !== this.#length(file, index)) return undefined
    try {
      const blob = await this.#store.get(key)
      const bytes = blob instanceof Blob && blob.size === kept.bytes ? new Uint8Array(await blob.arrayBuffer()) : undefined
      const check = this.#options.verify === 'always' && !this.#seen.has(key)
      if (bytes && !(check && (await sha256(bytes)) !== kept.sha256)) return bytes
    } catch {
      // Chromium can lose a Blob and says so only when it is read: NotFoundError, "Data lost due to missing file".
    }
    await this.#store.delete(key).catch(() => {})
    return undefined
  }

  async #fromSource(path: string, key: string, file: KeptFile, index: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    await this.#checkCurrent(path, file, signal)
    const start = index * this.#pieceBytes
    let piece: Uint8Array<ArrayBuffer>
    try {
      piece = await this.#source.read(path, start, start + this.#length(file, index), signal)
    } catch (error) {
      if (error instanceof GlmError && error.code === 'file_invalid') await this.#forget()
      throw error
    }
    if (this.#store) this.#writing = this.#writing.then(() => this.#keep(key, file, index, piece))
    return piece
  }

  /** A file kept by an earlier load is only mended with pieces of the same file. */
  async #checkCurrent(path: string, file: KeptFile, signal?: AbortSignal): Promise<void> {
    if (this.#current.has(path)) return
    const size = await this.#source.size(path, signal)
    const etag = this.#source.etag?.(path)
    if (size !== file.size || (etag && file.etag && etag !== file.etag)) {
      await this.#forget()
      throw new GlmError('file_invalid', `${path} is not the file that was saved of ${this.name}; the saved one was dropped, load again.`)
    }
    this.#current.add(path)
  }

  async #keep(key: string, file: KeptFile, index: number, piece: Uint8Array<ArrayBuffer>): Promise<void> {
    if (!this.#store) return
    try {
      const hash = await sha256(piece)
      await this.#store.set(key, new Blob([piece]))
      file.pieces[index] = { bytes: piece.length, sha256: hash }
      this.#changed = true
      // A crash costs a second of download: pieces that no row names yet are fetched again.
      if (Date.now() - this.#rowWritten >= rowEvery) await this.#writeRow()
    } catch (error) {
      this.#stopKeeping(error)
    }
  }

  async #writeRow(): Promise<void> {
    if (!this.#store) return
    this.#rowWritten = Date.now()
    this.#manifest.saved = new Date().toISOString()
    try {
      await this.#store.set(rowKey(this.name), structuredClone(this.#manifest))
      this.#changed = false
    } catch (error) {
      this.#stopKeeping(error)
    }
  }

  async #forget(): Promise<void> {
    const store = this.#store
    this.#store = undefined
    await this.#writing
    if (store) await deleteFromCache(this.name, store).catch(() => {})
  }

  /** Keeps nothing more in this load; pieces that are there stay for the next one. */
  #stopKeeping(error: unknown): void {
    this.#store = undefined
    const full = (error as Error | undefined)?.name === 'QuotaExceededError' // its class differs between browsers
    const why = full ? 'The browser has no room left; free disk space, or delete models from the cache' : 'IndexedDB cannot be used here'
    const end = 'the model loads, but is downloaded again next time.'
    this.#options.onWarning?.(new GlmError('quota_exceeded', `${why}; ${end}`, { cause: error }))
  }
}

/** The models that have files in the cache. */
export async function listCache(store: PieceStore | undefined = indexedStore()): Promise<KeptModel[]> {
  const models: KeptModel[] = []
  for (const key of (await store?.keys()) ?? []) {
    const row = key.startsWith(rowPrefix) ? asManifest(await store?.get(key)) : undefined
    if (!row) continue
    const bytes = [...row.files.values()].flatMap(({ pieces }) => pieces).reduce((sum, piece) => sum + (piece?.bytes ?? 0), 0)
    models.push({ name: row.name, bytes, files: row.files.size, complete: row.complete, saved: row.saved })
  }
  return models
}

/** Deletes all files of one model. */
export async function deleteFromCache(name: string, store: PieceStore | undefined = indexedStore()): Promise<void> {
  if (!store) return
  await store.delete(rowKey(name)) // first: what no row names is not there
  const pieces = (await store.keys()).filter((key) => key.startsWith(piecePrefix(name)))
  await Promise.all(pieces.map((key) => store.delete(key)))
}

/** Bytes of all kept files. */
export async function cacheSize(store: PieceStore | undefined = indexedStore()): Promise<number> {
  return (await listCache(store)).reduce((sum, { bytes }) => sum + bytes, 0)
}

/** Asks the browser not to evict the cache; call it from a click. `false` where it declined. */
export async function persistCache(): Promise<boolean> {
  return (await globalThis.navigator?.storage?.persist?.()) ?? false
}

/** The cache as the public surface shows it. */
export const cache = {
  list: () => listCache(),
  delete: (name: string) => deleteFromCache(name),
  size: () => cacheSize(),
  persist: persistCache,
}

let database: UseStore | undefined

/** The store in IndexedDB, or nothing where there is none (Node). */
export function indexedStore(): PieceStore | undefined {
  if (typeof indexedDB === 'undefined') return undefined
  const open = () => {
    database ??= createStore('glm-files', 'files')
    return database
  }
  return {
    get: async (key) => get(key, open()),
    set: async (key, value) => set(key, value, open()),
    delete: async (key) => del(key, open()),
    keys: async () => (await keys(open())).filter((key) => typeof key === 'string'),
  }
}

const rowPrefix = 'model:'
const rowKey = (name: string) => rowPrefix + name
/** Encoded, so that model `a` with file `b/c` and model `a/b` with file `c` stay apart. */
const piecePrefix = (name: string) => `piece:${encodeURIComponent(name)}/`
const pieceKey = (name: string, path: string, index: number) => `${piecePrefix(name)}${path}#${index}`

function emptyManifest(name: string, pieceBytes: number): Manifest {
  return { name, version, saved: '', complete: false, pieceBytes, files: new Map(), missing: new Set() }
}

/** A row of another version of this package counts as none. */
function asManifest(value: unknown): Manifest | undefined {
  const row = value as Manifest | null | undefined
  return row?.version === version && row.files instanceof Map && row.missing instanceof Set ? row : undefined
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
