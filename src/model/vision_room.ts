// The buffers a tower works in, as large as the largest batch so far: whole batches for what attention reads, chunks of rows for what is wider.
import type { Buffers } from '../gpu/buffers.ts'
import { positionTaps } from '../kernels/see_positions.ts'
import { turnTable } from '../kernels/see_turn.ts'
import type { Batch } from './vision_batches.ts'
import type { VisionConfig } from './vision_config.ts'

/** What there must be room for. */
export interface RoomSize {
  /** Patches of a batch, a multiple of those of a chunk. */
  rows: number
  /** Patches of a chunk: a multiple of 64, so that chunks begin where bindings may. */
  chunk: number
  /** Tiles of attention of a batch. */
  tiles: number
  /** Rows or columns of patches, the larger. */
  side: number
}

/** Patches of a dispatch, and those that steps of one size are put together to: on CPU adapters an abort waits for a dispatch. */
export const towerLimits = { hardware: { chunk: 512, batch: 2048 }, software: { chunk: 128, batch: 256 } }
/** Tiles of attention between two places that a dispatch may begin at. */
export const grain = 8
/** Words between two tables of rows: as far apart as bindings must be. */
const tableWords = 64
const pad = (width: number) => Math.ceil(width / 32) * 32

export class Room {
  readonly size: RoomSize
  readonly patches: GPUBuffer // [rows, values], as they were prepared
  readonly h: GPUBuffer // [rows, hidden], the residual stream
  readonly q: GPUBuffer // [rows, hidden], then what they saw
  readonly k: GPUBuffer // [rows, hidden]
  readonly v: GPUBuffer // [rows, hidden]
  readonly normed: GPUBuffer // [chunk, hidden]
  readonly act: GPUBuffer // [chunk, mlp]
  readonly merged: GPUBuffer // [chunk / merge², text]
  readonly projected: GPUBuffer // [chunk / merge², text]
  readonly inner: GPUBuffer // [chunk / merge², inner]
  readonly out: GPUBuffer // [rows / merge², text], not padded
  readonly turns: GPUBuffer // see_turn's table
  readonly taps: GPUBuffer // see_positions' table
  readonly tables: GPUBuffer // a table of rows for each chunk of patches, for each chunk of tokens, for each place attention may begin at
  readonly #config: VisionConfig
  readonly #buffers: Buffers
  readonly #all: GPUBuffer[] = []

  constructor(size: RoomSize, config: VisionConfig, buffers: Buffers) {
    this.size = size
    this.#config = config
    this.#buffers = buffers
    const values = roomValues(size, config)
    this.patches = this.#make('patches', values.patches)
    this.h = this.#make('vision h', values.h)
    this.q = this.#make('vision q', values.q)
    this.k = this.#make('vision k', values.k)
    this.v = this.#make('vision v', values.v)
    this.normed = this.#make('vision normed', values.normed)
    this.act = this.#make('vision act', values.act)
    this.merged = this.#make('vision merged', values.merged)
    this.projected = this.#make('vision projected', values.projected)
    this.inner = this.#make('vision inner', values.inner)
    this.out = this.#make('vision out', values.out)
    this.turns = this.#make('vision turns', values.turns)
    this.taps = this.#make('vision taps', values.taps)
    this.tables = this.#make('vision rows', values.tables)
  }

  get chunks(): number {
    return this.size.rows / this.size.chunk
  }

  /** What depends on the room alone. */
  fill(queue: GPUQueue): void {
    const { rope, headDim } = this.#config
    if (rope) queue.writeBuffer(this.turns, 0, turnTable(headDim, this.size.side))
  }

  /** What the next batch is. */
  write(queue: GPUQueue, { steps, height, width }: Batch, tiles: number): void {
    const { chunk } = this.size
    const { merge, side } = this.#config
    const words = new Uint32Array(this.tables.size / 4)
    const patches = steps * height * width
    for (let index = 0; index < this.chunks; index++) {
      const count = Math.max(0, Math.min(chunk, patches - index * chunk))
      words.set([count, 0, 0, index * chunk, height * width, width, height], 2 * index * tableWords)
      words[(2 * index + 1) * tableWords] = count / merge ** 2
    }
    for (let tile = 0; tile < tiles; tile += grain) {
      words.set([tiles, 0, 0, tile, height * width], (2 * this.chunks + tile / grain) * tableWords)
    }
    queue.writeBuffer(this.tables, 0, words)
    if (side > 0) queue.writeBuffer(this.taps, 0, positionTaps(side, height, width))
  }

  /** The table of a chunk of patches, of one of tokens, or of a place of attention. */
  table(kind: 'patches' | 'tokens' | 'attention', index: number): GPUBufferBinding {
    const at = { patches: 2 * index, tokens: 2 * index + 1, attention: 2 * this.chunks + index }[kind]
    return { buffer: this.tables, offset: at * tableWords * 4, size: tableWords * 4 }
  }

  /** A chunk's share of a buffer that holds the whole batch. */
  share(buffer: GPUBuffer, index: number): GPUBufferBinding {
    const size = buffer.size / this.chunks
    return { buffer, offset: index * size, size }
  }

  /** Whether a batch of this size fits. */
  holds({ rows, tiles, side }: RoomSize): boolean {
    return rows <= this.size.rows && tiles <= this.size.tiles && side <= this.size.side
  }

  close(): void {
    for (const buffer of this.#all) this.#buffers.free(buffer)
    this.#all.length = 0
  }

  #make(label: string, values: number): GPUBuffer {
    const buffer = this.#buffers.make(label, values * 4)
    this.#all.push(buffer)
    return buffer
  }
}

/** f32 values, or words, of every buffer. */
export function roomValues({ rows, chunk, tiles, side }: RoomSize, config: VisionConfig) {
  const { hidden, mlp, text, inner, merge, headDim, rope } = config
  const [wide, tokens] = [pad(hidden), merge ** 2]
  return {
    patches: rows * valuesOf(config),
    h: rows * wide,
    q: rows * wide,
    k: rows * wide,
    v: rows * wide,
    normed: chunk * wide,
    act: chunk * pad(mlp),
    merged: (chunk / tokens) * pad(text),
    projected: (chunk / tokens) * pad(text),
    inner: (chunk / tokens) * pad(inner),
    out: (rows / tokens) * text,
    turns: rope ? (side * headDim) / 2 : 4,
    taps: side * 16,
    tables: (2 * (rows / chunk) + Math.ceil(tiles / grain)) * tableWords,
  }
}

/** Values of a patch. */
export const valuesOf = ({ temporal, patch }: VisionConfig): number => 3 * temporal * patch ** 2

/** f32 values of a patch in the widest buffer that one dispatch reads whole. */
export const widestPatch = (config: VisionConfig): number => Math.max(valuesOf(config), pad(config.hidden), config.text / config.merge ** 2)
