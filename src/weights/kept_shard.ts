// A shard of our packed form as the cache keeps it: written front to back, from where an earlier load stopped. Part of the lazy bundle.
import { GlmError } from '../errors.ts'
import type { CacheWriter, FileWriter } from './keep.ts'
import type { PlacedPart, Shard } from './shards.ts'
import { defaultPieceBytes, type PieceStore, pieceKey, readPiece } from './store.ts'

export class KeptShard {
  readonly file: string
  readonly bytes: number
  readonly parts: readonly PlacedPart[]
  readonly #file: FileWriter
  readonly #kept: number
  #next: number

  static async open(writer: CacheWriter, shard: Shard): Promise<KeptShard> {
    const own = new KeptShard(shard, await writer.open(shard.file, shard.bytes))
    await own.put(0, shard.header)
    return own
  }

  private constructor({ file, bytes, parts }: Shard, writer: FileWriter) {
    this.file = file
    this.bytes = bytes
    this.parts = parts
    this.#file = writer
    this.#kept = writer.kept
    this.#next = writer.kept
  }

  /** Whether a part was there before this load. */
  has({ end }: PlacedPart): boolean {
    return end <= this.#kept
  }

  /** Whether a part is in the cache by now. */
  holds({ end }: PlacedPart): boolean {
    return end <= this.#file.written
  }

  /** Bytes from `at` on; what is there already is left out. */
  async put(at: number, bytes: Uint8Array): Promise<void> {
    if (at > this.#next) throw new GlmError('internal', `${this.file} was not written in the order of its bytes.`)
    const rest = bytes.subarray(Math.max(0, this.#next - at))
    if (at + bytes.length <= this.#next) return
    await this.#file.write(rest)
    this.#next += rest.length
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}

/** A file of which nothing is there, or all. */
export async function putWhole(writer: CacheWriter, { path, bytes }: { path: string; bytes: Uint8Array }): Promise<void> {
  const file = await writer.open(path, bytes.length)
  if (file.kept < bytes.length) await file.write(bytes.subarray(file.kept))
  await file.close()
}

/** Bytes of a kept file of a known size; nothing where a piece is missing. */
export async function readKept(
  { store, name, pieceBytes = defaultPieceBytes }: { store: PieceStore; name: string; pieceBytes?: number },
  path: string,
  size: number,
  start = 0,
  end = size,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const out = new Uint8Array(end - start)
  for (let index = Math.floor(start / pieceBytes); index * pieceBytes < end; index++) {
    const from = index * pieceBytes
    const piece = await readPiece(store, pieceKey(name, path, index), Math.min(pieceBytes, size - from))
    if (!piece) return undefined
    out.set(piece.subarray(Math.max(0, start - from), end - from), Math.max(0, from - start))
  }
  return out
}
