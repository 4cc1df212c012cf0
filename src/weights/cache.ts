// Reads the files of a model through the cache. Each piece is hashed and written as it comes, the row that names pieces after them: a cut, a reload
// or a closed tab costs what was not whole. A piece that is lost or damaged is fetched again, alone; a changed file is never mended with new pieces.
import { GlmError, throwIfAborted } from '../errors.ts'
import { Ahead, type Keeper, type Piece, pieceAt, piecesOf } from './ahead.ts'
import { lock } from './lock.ts'
import { checkRange, type Source, share } from './source.ts'
import {
  asManifest,
  defaultPieceBytes,
  deleteFromCache,
  digest,
  emptyManifest,
  forget,
  hashOf,
  indexedStore,
  type KeptFile,
  largestFile,
  type Manifest,
  newFile,
  type Origin,
  type PieceStore,
  piecePrefix,
  readPiece,
  rowKey,
} from './store.ts'
import type { ByteRange } from './tensor.ts'

export interface CacheOptions {
  /** `download` (default): hashes are taken when pieces arrive. `always`: each cached piece is held against its hash once per load. */
  verify?: 'download' | 'always'
  /** `false`: nothing; the source only runs ahead. `meanwhile`: until dropped or finished, so no published hash is asked for; a complete row stays. */
  keep?: boolean | 'meanwhile'
  /** Default: IndexedDB, where there is one. */
  store?: PieceStore
  /** Default: `navigator.locks` for IndexedDB, none for other stores. */
  locks?: LockManager
  /** Ends the wait for another tab that is loading the same model. */
  signal?: AbortSignal
  /** Sees every piece that is kept, and may refuse a file (published.ts). */
  follow?: (load: Load) => Follower
  /** Kept in the row. */
  origin?: Origin
  /** Called once per piece and load, when it is at hand. */
  onPiece?: (piece: { file: string; bytes: number; cached: boolean }) => void
  /** Called at most once, when files cannot be kept; the load goes on without. */
  onWarning?: (warning: GlmError) => void
  pieceBytes?: number
  /** Bytes that may wait for the reader, or be on their way. */
  memoryBytes?: number
}

/** A source that reads through the cache. */
export interface CachedSource extends Source {
  announce(ranges: readonly ByteRange[]): void
  /** Of what is kept meanwhile: drops the pieces that lie wholly inside a range; without ranges, all, and keeps no more. */
  drop(ranges?: readonly ByteRange[]): Promise<void>
  /** Writes down what was kept. After it, a load of the same files asks the model's address for nothing. */
  finish(signal?: AbortSignal): Promise<void>
  close(): Promise<void>
}

/** A load as a follower sees it. */
export interface Load extends Source {
  readonly manifest: Manifest
  /** A piece that is in memory or kept. */
  peek(path: string, index: number): Promise<Uint8Array<ArrayBuffer> | undefined>
  announce(ranges: readonly ByteRange[]): void
  /** Ends the load, and drops what was kept. */
  refuse(error: GlmError): Promise<void>
}

export interface Follower {
  kept(path: string): void
  /** Throws where a file is not what it should be. */
  finish(signal?: AbortSignal): Promise<void>
}

const memoryBytes = 32 * 2 ** 20
/** Pieces that one read asks for at once. */
const readAhead = 16
const rowEvery = 1000 // ms between rows while pieces arrive

/** Reads `source` through the cache. Without IndexedDB, or when it is full or broken, it reads on and keeps nothing. */
export async function cachedSource(source: Source, options: CacheOptions = {}): Promise<CachedSource> {
  const model = new CachedModel(source, options)
  await model.open()
  return model
}

class CachedModel implements CachedSource, Keeper, Load {
  readonly name: string
  declare readonly entry?: Source['entry']
  declare readonly revision?: Source['revision']
  declare readonly list?: Source['list']
  declare readonly sha256?: Source['sha256']
  readonly #source: Source
  readonly #options: CacheOptions
  readonly #ahead: Ahead
  readonly #prefix: string
  readonly #pieceBytes: number
  #store: PieceStore | undefined
  #meanwhile: boolean
  /** Set when nothing more can be written; what was kept is still read. */
  #full = false
  /** Complete: all is there, and nothing is asked of the source but lost pieces. */
  manifest: Manifest
  #changed = false
  #rowWritten = 0
  #writing: Promise<void> = Promise.resolve()
  #release = () => {}
  /** Files whose size and ETag were learned from, or held against, the source in this load. */
  readonly #current = new Set<string>()
  readonly #seen = new Set<string>()
  readonly #opening = new Map<string, Promise<KeptFile>>()
  readonly #follower: Follower | undefined
  #refused: GlmError | undefined

  constructor(source: Source, options: CacheOptions) {
    const { entry, revision, list, sha256 } = source
    Object.assign(this, { entry, revision, list, sha256 })
    this.name = source.name
    this.#source = source
    this.#options = options
    this.#prefix = piecePrefix(this.name)
    this.#pieceBytes = options.pieceBytes ?? defaultPieceBytes
    this.#store = options.keep === false ? undefined : (options.store ?? indexedStore())
    this.#meanwhile = options.keep === 'meanwhile'
    this.manifest = emptyManifest(this.name, this.#pieceBytes)
    this.#ahead = new Ahead(source, this, (options.memoryBytes ?? memoryBytes) / this.#pieceBytes)
    this.#follower = options.follow?.(this)
  }

  async open(): Promise<void> {
    const { keep, store, locks, signal, origin } = this.#options
    if (!this.#store) return keep === false ? undefined : this.#stopKeeping(undefined)
    try {
      if (await this.#found(this.#store)) return
      if (!store || locks) this.#release = await lock(this.name, signal, locks)
      if (await this.#found(this.#store)) this.#release()
      else await this.#resume(this.#store)
    } catch (error) {
      throwIfAborted(signal)
      this.#stopKeeping(error)
    }
    Object.assign(this.manifest, origin)
  }

  /** Takes the row that is there, and says whether it names all that is needed. */
  async #found(store: PieceStore): Promise<boolean> {
    const row = asManifest(await store.get(rowKey(this.name)))
    if (row?.name === this.name && row.pieceBytes === this.#pieceBytes) this.manifest = row
    if (this.manifest.complete) this.#meanwhile = false // somebody asked to keep it
    return this.manifest.complete
  }

  /** A load that ended early left pieces that its row does not name yet; the row was there before them, so they are of the files it names. */
  async #resume(store: PieceStore): Promise<void> {
    this.manifest.missing.clear()
    const keys = new Set(await store.keys())
    for (const [path, file] of this.manifest.files) {
      for (const piece of this.#pieces(path, 0, file.size)) {
        const key = this.#prefix + piece.key
        const bytes = this.has(piece) || !keys.has(key) ? undefined : await readPiece(store, key, piece.end - piece.start)
        if (bytes) file.hashes.set(await digest(bytes), piece.index * 32)
      }
    }
  }

  async size(path: string, signal?: AbortSignal): Promise<number> {
    return (await this.#file(path, signal)).size
  }

  etag(path: string): string | undefined {
    return this.manifest.files.get(path)?.etag
  }

  announce(ranges: readonly ByteRange[]): void {
    this.#ahead.plan(ranges.flatMap(({ file, start, end }) => this.#pieces(file, start, end)))
  }

  async read(path: string, start: number, end: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    throwIfAborted(signal)
    if (this.#refused) throw this.#refused
    const file = await this.#file(path, signal)
    checkRange(path, start, end, file.size)
    const out = new Uint8Array(end - start)
    // Held here, so that other readers cannot push a piece out of memory before its turn.
    const taken: (Promise<Uint8Array<ArrayBuffer>> | undefined)[] = []
    const pieces = this.#pieces(path, start, end)
    this.#ahead.plan(pieces)
    for (const [turn, piece] of pieces.entries()) {
      for (const next of pieces.slice(taken.length, turn + readAhead)) {
        const bytes = this.#ahead.take(next, signal)
        bytes.catch(() => {}) // thrown when it is its turn
        taken.push(bytes)
      }
      const bytes = await taken[turn]!
      taken[turn] = undefined
      out.set(bytes.subarray(Math.max(0, start - piece.start), end - piece.start), Math.max(0, piece.start - start))
    }
    return out
  }

  async finish(signal?: AbortSignal): Promise<void> {
    await this.#ahead.settled()
    if (this.#refused) throw this.#refused
    if (this.#meanwhile) return this.drop()
    if (this.keeping && (this.#changed || !this.manifest.complete)) {
      await this.#follower?.finish(signal)
      await this.#ahead.settled()
      this.manifest.complete = true
      await this.#writeRow()
    }
    this.#release()
  }

  async close(): Promise<void> {
    this.#ahead.halt()
    this.#source.close?.()
    await this.#ahead.settled()
    await this.#writing
    // A load that ended early keeps what has arrived, if anything has.
    if (this.#changed && this.manifest.files.size > 0) await this.#writeRow()
    this.#release()
  }

  async drop(ranges?: readonly ByteRange[]): Promise<void> {
    if (!this.#meanwhile) return
    if (!ranges) return this.#dropAll()
    // Behind what is being written, and where nothing more can be. A row that still names a piece does no harm: it is fetched again if it is read.
    this.#writing = this.#writing
      .then(async () => {
        const pieces = ranges.flatMap(({ file, start, end }) =>
          this.#pieces(file, start, end).filter((piece) => start <= piece.start && piece.end <= end && this.has(piece)),
        )
        if (pieces.length === 0) return
        for (const { path, index } of pieces) forget(this.manifest.files.get(path)!, index)
        this.#changed = true
        await this.#store?.delete(pieces.map(({ key }) => this.#prefix + key))
      })
      .catch(() => {})
    await this.#writing
  }

  async #dropAll(): Promise<void> {
    const store = this.#store
    this.#store = undefined
    await this.#writing
    if (store) await deleteFromCache(this.name, store).catch(() => {})
    this.#release()
  }

  /** What is kept meanwhile stays little: the network does not run ahead to the end of the files. */
  get keeping(): boolean {
    return this.#store !== undefined && !this.#full && !this.#meanwhile
  }

  has({ path, index }: Piece): boolean {
    const file = this.#store && this.manifest.files.get(path)
    return file !== undefined && hashOf(file, index) !== undefined
  }

  async load(piece: Piece): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const bytes = await this.#fromStore(piece)
    if (bytes) this.#tell(piece, true)
    return bytes
  }

  async keep(piece: Piece, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    this.#tell(piece, false)
    const { path, key, index } = piece
    const file = this.manifest.files.get(path)
    if (!this.#store || this.#full || !file) return
    const hash = digest(bytes)
    hash.catch(() => {}) // awaited when it is its turn
    await this.#write(async (store) => {
      await store.set(this.#prefix + key, new Blob([bytes]))
      file.hashes.set(await hash, index * 32)
      this.#changed = true
      if (Date.now() - this.#rowWritten >= rowEvery) await this.#setRow(store)
    })
    if (!this.#meanwhile) this.#follower?.kept(path)
  }

  /** A file kept by an earlier load is only mended with pieces of the same file. */
  async begin(path: string, signal: AbortSignal): Promise<void> {
    const file = this.manifest.files.get(path)
    if (!file || this.#current.has(path)) return
    const size = await this.#source.size(path, signal)
    const etag = this.#source.etag?.(path)
    if (size !== file.size || (etag && file.etag && etag !== file.etag)) {
      throw new GlmError('file_invalid', `${path} is not the file that was saved of ${this.name}; the saved one was dropped, load again.`)
    }
    this.#current.add(path)
  }

  async peek(path: string, index: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const piece = pieceAt({ path, size: this.manifest.files.get(path)!.size, pieceBytes: this.#pieceBytes }, index)
    return this.#ahead.held(piece) ?? (this.has(piece) ? this.#fromStore(piece) : undefined)
  }

  async refuse(error: GlmError): Promise<void> {
    this.#refused = error
    await this.failed(error)
  }

  /** What was kept of a file that changed is of no use. */
  async failed(error: unknown): Promise<void> {
    if (error instanceof GlmError && error.code === 'file_invalid') await this.#dropAll()
  }

  /** The file's line in the manifest, from the source where there is none yet. */
  async #file(path: string, signal?: AbortSignal): Promise<KeptFile> {
    const known = this.manifest.files.get(path)
    if (known) return known
    if (this.manifest.missing.has(path)) {
      throw new GlmError('file_missing', `${path} is not part of ${this.name} as it was saved; delete it from the cache to look again.`)
    }
    return share(this.#opening, path, signal, async () => {
      try {
        const size = await this.#source.size(path, signal)
        if (size > largestFile) throw new GlmError('file_invalid', `${path} is said to have ${size} bytes; no model has such a file.`)
        const file = newFile(size, this.#pieceBytes, this.#source.etag?.(path))
        this.manifest.files.set(path, file)
        this.manifest.complete = false
        this.#current.add(path)
        // Before its first piece: of pieces that no row names yet it must be known which file they are of.
        void this.#writeRow()
        return file
      } catch (error) {
        if (error instanceof GlmError && error.code === 'file_missing') {
          this.manifest.missing.add(path)
          this.#changed = true
        }
        throw error
      }
    })
  }

  #pieces(path: string, start: number, end: number): Piece[] {
    const file = this.manifest.files.get(path)
    return file ? piecesOf({ path, size: file.size, pieceBytes: this.#pieceBytes }, start, end) : []
  }

  #tell({ path, key, start, end }: Piece, cached: boolean): void {
    if (!this.#seen.has(key)) this.#options.onPiece?.({ file: path, bytes: end - start, cached })
    this.#seen.add(key)
  }

  /** The piece as it was kept; where it is no good, it is forgotten. */
  async #fromStore({ path, key, index, start, end }: Piece): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const file = this.manifest.files.get(path)
    if (!this.#store || !file) return undefined
    const hash = this.#options.verify === 'always' && !this.#seen.has(key) ? hashOf(file, index) : undefined
    const bytes = await readPiece(this.#store, this.#prefix + key, end - start, hash)
    if (!bytes) {
      forget(file, index)
      this.manifest.complete = false
    }
    return bytes
  }

  /** One write after the other. When one fails, nothing more is kept in this load; what is there stays for the next one. */
  #write(run: (store: PieceStore) => Promise<unknown>): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      try {
        if (this.#store && !this.#full) await run(this.#store)
      } catch (error) {
        this.#stopKeeping(error)
      }
    })
    return this.#writing
  }

  #writeRow(): Promise<void> {
    return this.#write((store) => this.#setRow(store))
  }

  async #setRow(store: PieceStore): Promise<void> {
    this.#rowWritten = Date.now()
    this.manifest.saved = new Date().toISOString()
    this.#changed = false
    await store.set(rowKey(this.name), this.manifest)
  }

  /** Keeps nothing more in this load; pieces that are there stay for the next one. */
  #stopKeeping(error: unknown): void {
    this.#full = true
    if (this.#meanwhile) return // the load loses nothing by it
    const full = (error as Error | undefined)?.name === 'QuotaExceededError' // its class differs between browsers
    const why = full ? 'The browser has no room left; free disk space, or delete models from the cache' : 'IndexedDB cannot be used here'
    this.#options.onWarning?.(
      new GlmError('quota_exceeded', `${why}; the model loads, but is downloaded again next time.`, { cause: error }),
    )
  }
}
