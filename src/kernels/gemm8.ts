// y = W x for many rows of x that pack8 has rounded to 8 bits: prompts, for q4 and q8 weights.
import type { Kernel } from '../gpu/pipeline.ts'
import { type LinearOptions, linear } from './linear.ts'

/** What a workgroup covers and how its threads share it; any choice computes the same bits. */
export interface Gemm8Shape {
  /** Rows of x: a multiple of 4. */
  tile: number
  /** Weight rows: a multiple of 32. Rows times weight rows are at most 4096, what workgroup memory holds. */
  out: number
  /** Weight rows of a thread, each with four rows of x. */
  across: number
}

/** What a tuner may choose from; the rows of a tile go by the rows there are. */
export const gemm8Shapes = {
  /** 128 threads of 4 by 4 at 32 rows: most threads in flight. */
  square: { out: 64, across: 4 },
  /** 128 threads of 4 by 8 at 32 rows: fewest reads of x for what a GPU's registers hold. */
  wide: { out: 128, across: 8 },
  /** 32 threads of 4 by 16 at 32 rows: best on CPU adapters, where every read costs and threads are loops. */
  widest: { out: 64, across: 16 },
} satisfies Record<string, Omit<Gemm8Shape, 'tile'>>

export type Gemm8Options = Omit<LinearOptions, 'input'> & Gemm8Shape

export function gemm8(options: Gemm8Options): Kernel {
  const { tile, out, across } = options
  const threads = ((tile / 4) * out) / across
  return linear('gemm8', { ...options, input: 'packed' }, { TILE: tile, OUT: out, ACROSS: across, WG: threads })
}
