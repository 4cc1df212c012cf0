// Embeddings of pictures and videos by their content: the same one in a later turn is not encoded again. What no running prompt shows goes, the longest
// unused first, when all together are too many bytes.
import type { Buffers } from '../gpu/buffers.ts'
import type { Grid } from '../model/mrope.ts'

export interface Kept {
  rows: GPUBuffer
  grid: Grid
  /** Prompts that show it now. */
  uses: number
}

export class KeptSights {
  readonly #buffers: Buffers
  readonly #most: number
  /** In the order of their last use. */
  readonly #all = new Map<number, Kept>()

  constructor(buffers: Buffers, mostBytes: number) {
    this.#buffers = buffers
    this.#most = mostBytes
  }

  get bytes(): number {
    return [...this.#all.values()].reduce((sum, { rows }) => sum + rows.size, 0)
  }

  /** In use from now on, until `release`. */
  use(key: number): Kept | undefined {
    const found = this.#all.get(key)
    if (!found) return undefined
    this.#all.delete(key)
    this.#all.set(key, found)
    found.uses++
    return found
  }

  add(key: number, rows: GPUBuffer, grid: Grid): Kept {
    const kept = { rows, grid, uses: 1 }
    this.#all.set(key, kept)
    this.#clear()
    return kept
  }

  release(kept: Kept): void {
    kept.uses--
    this.#clear()
  }

  #clear(): void {
    let bytes = this.bytes
    for (const [key, { rows, uses }] of this.#all) {
      if (bytes <= this.#most) return
      if (uses > 0) continue
      bytes -= rows.size
      this.#all.delete(key)
      this.#buffers.free(rows)
    }
  }
}

/** One number for one content at one size, 2 ** 32 and more: 52 bits of SHA-256. Steps of a clip add to it. */
export async function keyOf(parts: readonly (Uint8Array<ArrayBuffer> | string)[]): Promise<number> {
  const digest = (data: Uint8Array<ArrayBuffer>) => crypto.subtle.digest('SHA-256', data)
  const all = new Uint8Array(32 * parts.length)
  for (const [at, part] of parts.entries()) {
    all.set(new Uint8Array(await digest(typeof part === 'string' ? new TextEncoder().encode(part) : part)), 32 * at)
  }
  const words = new Uint32Array(await digest(all))
  return ((words[0]! & 0xfffff) + 1) * 2 ** 32 + words[1]!
}
