// Sizes that follow from a config: what a plan and a decoder agree on.
import type { KvFormat } from '../api/types.ts'
import { pageSize, type RowsShape } from '../kernels/rows.ts'
import type { Checkpoint } from '../weights/tensor.ts'
import type { Config } from './config.ts'

/** Positions the pool holds where nobody asks: enough for a chat, small enough for a phone. */
export const defaultContext = 4096
/** Below this many parameters rounding activations costs more in answers than it saves in time. */
export const roundingFrom = 100e6
/** Tokens of a sequence that wait to be read. */
export const ring = 32

/** Values of a row, filled up to groups of 32. */
export const padded = (width: number) => Math.ceil(width / 32) * 32

/** f32 values of scratch that one row takes at its widest: what bounds the rows of a pass. With norms behind, a row of h has its raw one beside it. */
export const widestRow = ({ ffn, heads, headDim, hidden, postNorms }: Config): number =>
  Math.max(padded(ffn), padded(heads * headDim), padded(hidden) * (postNorms ? 2 : 1))

/** Bytes of keys and values of one page in one layer. q8: a byte each and an f32 scale for 32. */
export const pageBytes = (config: Config, kv: KvFormat): number =>
  2 * config.kvHeads * pageSize * config.headDim * { f32: 4, f16: 2, q8: 1.125 }[kv]

/** Rows of a pass and of logits, as many as one binding of `limit` bytes holds. */
export function rowsShape(config: Config, { limit, software, pages }: { limit: number; software: boolean; pages: number }): RowsShape {
  const within = (width: number, most: number) => Math.max(1, 2 ** Math.floor(Math.log2(Math.min(most, limit / (width * 4)))))
  const logits = within(config.vocabulary, 8)
  return { rows: within(widestRow(config), software ? 64 : 256), logits, slots: logits, pages, ring }
}

export function parametersOf({ tensors }: Checkpoint): number {
  let sum = 0
  for (const { shape } of tensors.values()) sum += shape.reduce((product, side) => product * side, 1)
  return sum
}
