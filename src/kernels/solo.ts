// y = W x for few rows where threads share nothing: for CPU adapters, and weights in codes.
import type { Kernel } from '../gpu/pipeline.ts'
import { linear } from './linear.ts'
import type { MatmulOptions } from './matmul.ts'

/** How such a kernel is shared out: a thread has a block of 8 weight rows. */
export const soloShape = { threads: 8, lanes: 1, stripes: 8 } as const

export const solo = (options: MatmulOptions): Kernel => linear('solo', options, { TILE: options.tile, WG: options.threads })
