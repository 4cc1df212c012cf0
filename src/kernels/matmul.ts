// y = W x for few rows: decode, and prompts where no tiled kernel serves.
import type { Kernel } from '../gpu/pipeline.ts'
import { type LinearOptions, linear } from './linear.ts'

/** How the threads of a workgroup share the work; any choice computes the same, in the order of `lanes`. */
export interface Shape {
  /** Threads of a workgroup. */
  threads: number
  /** Threads that share one weight row: a power of two up to threads / 8. */
  lanes: number
  /** Weight rows of a thread. */
  stripes: number
  /** Squares for a norm are added by subgroups. */
  subgroups?: boolean
}

export interface MatmulOptions extends LinearOptions, Shape {
  /** Rows of x a workgroup takes at once: weights are read once for them. */
  tile: number
}

/** Weight rows of a workgroup. */
export const outputsOf = ({ threads, lanes, stripes }: Shape): number => (threads / lanes) * stripes

export function matmul(options: MatmulOptions): Kernel {
  const { tile, threads, lanes, stripes } = options
  return linear('matmul', options, { TILE: tile, WG: threads, LANES: lanes, STRIPES: stripes })
}
