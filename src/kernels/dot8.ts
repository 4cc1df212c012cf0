// y = W x with x rounded to 8 bits in groups of 32: integer dot products, for q4 and q8 weights.
import type { Kernel } from '../gpu/pipeline.ts'
import { linear } from './linear.ts'
import type { MatmulOptions } from './matmul.ts'

/** Groups of x in workgroup memory at once, over all rows of a tile; each row's share is a multiple of 16. */
const staged = 128

export function dot8(options: MatmulOptions): Kernel {
  const { tile, threads, lanes, stripes } = options
  return linear('dot8', options, { TILE: tile, WG: threads, LANES: lanes, STRIPES: stripes, CHUNK: staged / tile })
}
