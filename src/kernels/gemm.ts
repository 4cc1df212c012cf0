// y = W x for many rows: prompts. Tiles in workgroup memory, exact products of f32.
import type { Kernel } from '../gpu/pipeline.ts'
import { type LinearOptions, linear } from './linear.ts'

export interface GemmOptions extends LinearOptions {
  /** Rows of x of a workgroup: 8, 16 or 32. Its threads are twice as many. */
  tile: number
}

/** Weight rows of a workgroup. */
export const gemmOut = 64

/** Rows of a tile that waste least on this many rows. */
export const gemmTile = (rows: number): number => (rows <= 8 ? 8 : rows <= 16 ? 16 : 32)

export function gemm(options: GemmOptions): Kernel {
  const { tile } = options
  return linear('gemm', options, { TILE: tile, OUT: gemmOut, WG: tile * 2 })
}
