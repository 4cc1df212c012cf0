// Reads a buffer as fast as the adapter can: what decoding is measured against.
import type { Kernel } from '../gpu/pipeline.ts'
import { files, loops } from './files.ts'

/** vec4<u32> that each of a workgroup's 256 threads reads: few keep a GPU's loads in flight, many keep a CPU's barriers rare. */
export const streamLoads = (rolled: boolean): number => (rolled ? 256 : 16)

/** Folds `vectors` vec4<u32> of x into one word of y per workgroup. */
export const stream = (vectors: number, rolled: boolean): Kernel => ({
  name: 'stream',
  files: files('stream', loops(rolled)),
  bindings: { x: 'read', y: 'write', rows: 'read' },
  constants: { VECTORS: vectors, LOADS: streamLoads(rolled) },
})

export const streamGroups = (vectors: number, rolled: boolean): [number] => [Math.ceil(vectors / (256 * streamLoads(rolled)))]
