// Causal grouped-query attention over the pages of a sequence: one kernel for rows that decode and for tiles of a prompt.
import type { Kernel } from '../gpu/pipeline.ts'
import { float } from '../gpu/shader.ts'
import { files, loops } from './files.ts'
import { type KvFormat, kvScales } from './linear.ts'
import { pageSize, type RowsShape, rowsConstants } from './rows.ts'

export interface AttentionOptions {
  heads: number
  kvHeads: number
  /** A multiple of 4, at most 256; of 32 with q8. */
  headDim: number
  /** Strides and offsets of rows of queries and of the result, in f32, multiples of 4. */
  stride: number
  offset?: number
  outStride?: number
  outOffset?: number
  kv: KvFormat
  /** Pages of the pool. */
  pages: number
  /** Rows of a workgroup: 1 for any rows; up to 8 where all rows of the pass are neighbours in one sequence, in order. */
  tile: number
  /** Leaves what each stretch adds to `attentionMerge`; for positions past the first stretch. */
  split: boolean
  shape: RowsShape
  rolled: boolean
}

/** Positions that one workgroup of the split kernel takes. */
export const stretch = 1024
/** How many stretches hold `positions`. */
export const stretches = (positions: number): number => Math.ceil(positions / stretch)

/** Threads that share a key's dims; with these and eight queries, workgroup memory stays within the 16 KB that every GPU has. */
const lanes = (headDim: number, rolled: boolean): number => (rolled ? 1 : headDim > 192 ? 2 : 4)
/** Queries whose sums a thread keeps: eight, where CPU adapters take twice as long to compile as for four. */
const queries = (rolled: boolean): number => (rolled ? 4 : 8)

/** Query heads of a workgroup: as many of a group as there are queries for, and evenly. */
function headsTogether({ heads, kvHeads, tile, rolled }: AttentionOptions): number {
  const group = heads / kvHeads
  let count = Math.min(group, Math.max(1, Math.floor(queries(rolled) / tile)))
  while (group % count !== 0) count--
  return count
}

export function attention(options: AttentionOptions): Kernel {
  const { heads, kvHeads, headDim, stride, offset = 0, outStride = stride, outOffset = 0, kv, pages, tile, split } = options
  const together = headsTogether(options)
  return {
    name: 'attention',
    files: files(
      'attention',
      loops(options.rolled),
      tile * together > 4 ? 'queries/eight' : 'queries/four',
      `kv/${kv}_read`,
      'rows',
      'partials',
    ),
    bindings: { x: 'read', y: 'write', rows: 'read', kv: 'read' },
    constants: {
      ...rowsConstants(options.shape),
      HEADS: heads,
      KV_HEADS: kvHeads,
      HEAD_DIM: headDim,
      TILE_ROWS: tile,
      TILE_HEADS: together,
      LANES: lanes(headDim, options.rolled),
      SPLIT: split ? 1 : 0,
      X_STRIDE: stride,
      X_OFFSET: offset,
      Y_STRIDE: outStride,
      Y_OFFSET: outOffset,
      SCALE: float(1 / Math.sqrt(headDim)),
      ...(kv === 'q8' ? { KV_SCALES: kvScales(pages, kvHeads, headDim) } : {}),
    },
  }
}

/** Workgroups over `rows` rows; the split kernel needs as many stretches as the furthest row reaches. */
export const attentionGroups = (options: AttentionOptions, rows: number, stretches = 1): [number, number, number] => [
  options.heads / headsTogether(options),
  Math.ceil(rows / options.tile),
  stretches,
]

/** f32 values of what the stretches leave for `rows` rows. */
export const partialsLength = ({ heads, headDim, shape }: Pick<AttentionOptions, 'heads' | 'headDim' | 'shape'>, rows: number): number =>
  rows * stretches(shape.pages * pageSize) * heads * (headDim + 4)
