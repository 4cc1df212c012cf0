// Fetches the pieces of files, ahead of their reader: a few requests at once, each for a run of missing pieces; what a reader waits for comes first,
// then what was announced, in that order. Each piece is handed on as soon as it is whole, while the rest of its run is still coming.
import { GlmError, throwIfAborted } from '../errors.ts'
import { type Source, share } from './source.ts'

type Bytes = Uint8Array<ArrayBuffer>

/** A stretch of a file; all but a file's last are of the same length. */
export interface Piece {
  path: string
  /** Of path and index (keyOf). */
  key: string
  index: number
  start: number
  end: number
}

/** Where pieces are kept. */
export interface Keeper {
  /** Whether there is a place for all; where there is none, pieces wait in memory, and requests wait for room. */
  readonly keeping: boolean
  has(piece: Piece): boolean
  load(piece: Piece): Promise<Bytes | undefined>
  /** A piece that came. The request waits for the one before. */
  keep(piece: Piece, bytes: Bytes): Promise<void>
  /** Called before a request. */
  begin(path: string, signal: AbortSignal): Promise<void>
  failed(error: unknown): Promise<void>
}

/** Requests at once. Browsers open six connections to a host; one is left for small files. */
const lanes = 5
/** Pieces per request. */
const runPieces = 8
/** Pieces that stay in memory after they were read: a reader's next range may begin in one of them. */
const recentPieces = 16

const keyOf = (path: string, index: number) => `${path}#${index}`
const first = <T>(map: Map<string, T>): T | undefined => map.values().next().value

export class Ahead {
  readonly #source: Source
  readonly #keeper: Keeper
  /** Pieces that may be on their way, or wait for the reader. */
  readonly #most: number
  /** Pieces that readers wait for. */
  readonly #reading = new Map<string, Promise<Bytes>>()
  readonly #waiting = new Map<string, { resolve(bytes: Bytes): void; reject(error: unknown): void }>()
  /** To be fetched: what readers wait for, and what was announced. */
  readonly #asked = new Map<string, Piece>()
  readonly #planned = new Map<string, Piece>()
  readonly #arriving = new Set<string>()
  /** At hand: pieces that came before a reader asked, and those used last, oldest first. */
  readonly #early = new Map<string, Bytes>()
  readonly #recent = new Map<string, Bytes>()
  readonly #requests = new Set<Promise<void>>()
  #stop = new AbortController()

  constructor(source: Source, keeper: Keeper, most: number) {
    this.#source = source
    this.#keeper = keeper
    this.#most = most
  }

  /** The piece, where it is in memory. */
  held({ key }: Piece): Bytes | undefined {
    return this.#recent.get(key) ?? this.#early.get(key)
  }

  /** A piece for a reader: from memory, from where it is kept, or from the source. */
  take(piece: Piece, signal?: AbortSignal): Promise<Bytes> {
    const { key } = piece
    const held = this.held(piece)
    if (held) return Promise.resolve(this.#use(key, held))
    const taken = share(this.#reading, key, signal, async () => {
      const kept = this.#keeper.has(piece) && (await this.#keeper.load(piece))
      return kept ? this.#use(key, kept) : this.#ask(key, piece)
    })
    return signal ? unlessAborted(taken, signal) : taken
  }

  /** What will be taken next, in that order. */
  plan(pieces: Iterable<Piece>): void {
    for (const piece of pieces) {
      const { key } = piece
      if (!(this.#keeper.has(piece) || this.#arriving.has(key) || this.#asked.has(key) || this.held(piece))) this.#planned.set(key, piece)
    }
    this.#pump()
  }

  /** Waits for the requests that run; nothing that was only planned is begun. */
  async settled(): Promise<void> {
    this.#planned.clear()
    while (this.#requests.size > 0) await Promise.all(this.#requests)
  }

  /** Stops all requests. Pieces that are whole are still kept. */
  halt(): void {
    this.#stop.abort()
    this.#stop = new AbortController()
    this.#reject([...this.#asked.values()], new GlmError('aborted', 'The call was aborted.'))
    this.#asked.clear()
    this.#early.clear()
    this.#recent.clear()
  }

  #use(key: string, bytes: Bytes): Bytes {
    this.#recent.delete(key)
    this.#recent.set(key, bytes)
    if (this.#recent.size > recentPieces) this.#recent.delete(this.#recent.keys().next().value!)
    if (this.#early.delete(key)) this.#pump()
    return bytes
  }

  #ask(key: string, piece: Piece): Promise<Bytes> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(key, { resolve, reject })
      if (!this.#arriving.has(key)) this.#asked.set(key, piece)
      // Later, so that pieces asked for together come in one request.
      queueMicrotask(() => this.#pump())
    })
  }

  /** Starts requests as long as there is something to fetch, and room for it. */
  #pump(): void {
    for (let run = this.#next(); run[0]; run = this.#next()) {
      const request = this.#fetch(run, run[0], this.#stop.signal).finally(() => {
        this.#requests.delete(request)
        this.#pump()
      })
      this.#requests.add(request)
    }
  }

  #next(): Piece[] {
    const run: Piece[] = []
    if (this.#requests.size >= lanes) return run
    const room = this.#keeper.keeping ? runPieces : this.#most - this.#early.size - this.#arriving.size
    let piece = first(this.#asked) ?? (room < runPieces ? undefined : first(this.#planned))
    while (piece && run.length < runPieces) {
      this.#asked.delete(piece.key)
      this.#planned.delete(piece.key)
      this.#arriving.add(piece.key)
      run.push(piece)
      const next = keyOf(piece.path, piece.index + 1)
      piece = this.#asked.get(next) ?? (run.length < room ? this.#planned.get(next) : undefined)
    }
    return run
  }

  /** One request. Its faults go to those who wait for its pieces. */
  async #fetch(run: Piece[], { path, start }: Piece, signal: AbortSignal): Promise<void> {
    let kept: Promise<void> | undefined
    try {
      await this.#keeper.begin(path, signal)
      const lengths = run.map((piece) => piece.end - piece.start)
      const chunks = this.#source.stream?.(path, start, run.at(-1)!.end, signal) ?? this.#byPieces(run.slice(), signal)
      for await (const bytes of cut(chunks, lengths)) {
        // The network must not run ahead of the disk: a piece is written while the next one comes, and no more.
        await kept
        kept = this.#arrived(run.shift()!, bytes)
      }
      if (run[0]) throw new GlmError('file_truncated', `${path} ended early; load the model again.`)
    } catch (error) {
      await this.#keeper.failed(error)
      this.#reject(run, error)
    }
    await kept
  }

  async *#byPieces(run: Piece[], signal: AbortSignal): AsyncGenerator<Bytes> {
    for (const { path, start, end } of run) yield await this.#source.read(path, start, end, signal)
  }

  async #arrived(piece: Piece, bytes: Bytes): Promise<void> {
    const { key } = piece
    const waiter = this.#waiting.get(key)
    this.#waiting.delete(key)
    this.#arriving.delete(key)
    if (waiter) waiter.resolve(this.#use(key, bytes))
    else this.#early.set(key, bytes)
    await this.#keeper.keep(piece, bytes)
    // On disk it can wait as well.
    if (this.#keeper.has(piece) && this.#early.size + this.#arriving.size > this.#most) this.#early.delete(key)
  }

  #reject(pieces: Piece[], error: unknown): void {
    // What nobody waits for is not tried over and over.
    this.#planned.clear()
    for (const { key } of pieces) {
      this.#arriving.delete(key)
      this.#waiting.get(key)?.reject(error)
      this.#waiting.delete(key)
    }
  }
}

interface Cut {
  path: string
  size: number
  pieceBytes: number
}

export function pieceAt({ path, size, pieceBytes }: Cut, index: number): Piece {
  const start = index * pieceBytes
  return { path, key: keyOf(path, index), index, start, end: Math.min(size, start + pieceBytes) }
}

/** The pieces that a range of a file lies in. */
export function piecesOf(file: Cut, start: number, end: number): Piece[] {
  const first = Math.floor(start / file.pieceBytes)
  const count = start < end ? Math.ceil(Math.min(end, file.size) / file.pieceBytes) - first : 0
  return Array.from({ length: Math.max(0, count) }, (_, at) => pieceAt(file, first + at))
}

/** Whole pieces of the given lengths, from chunks of any size. */
async function* cut(chunks: AsyncIterable<Bytes>, lengths: number[]): AsyncGenerator<Bytes> {
  let piece: Bytes | undefined
  let filled = 0
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      piece ??= new Uint8Array(lengths.shift() ?? chunk.length)
      const part = chunk.subarray(at, at + piece.length - filled)
      piece.set(part, filled)
      at += part.length
      filled += part.length
      if (filled < piece.length) continue
      yield piece
      piece = undefined
      filled = 0
    }
  }
}

/** The caller stops waiting when its signal says so; what it waits for goes on for others. */
async function unlessAborted<T>(running: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop = () => {}
  const aborted = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined)
    signal.addEventListener('abort', stop)
  })
  try {
    const value = await Promise.race([running, aborted])
    throwIfAborted(signal)
    return value as T
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
