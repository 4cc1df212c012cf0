// Sizes that follow from a config: what a plan and a decoder agree on.
import type { KvFormat } from '../api/types.ts'
import { pageSize } from '../kernels/rows.ts'
import type { Config } from './config.ts'

/** Values of a row, filled up to groups of 32. */
export const padded = (width: number) => Math.ceil(width / 32) * 32

/** f32 values of scratch that one row takes at its widest: what bounds the rows of a pass. With norms behind, a row of h has its raw one beside it. */
export const widestRow = ({ ffn, heads, headDim, hidden, postNorms }: Config): number =>
  Math.max(padded(ffn), padded(heads * headDim), padded(hidden) * (postNorms ? 2 : 1))

/** Bytes of keys and values of one page in one layer. q8: a byte each and an f32 scale for 32. */
export const pageBytes = (config: Config, kv: KvFormat): number =>
  2 * config.kvHeads * pageSize * config.headDim * { f32: 4, f16: 2, q8: 1.125 }[kv]
