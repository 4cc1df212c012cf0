// The kernel that brings a tensor's codes into a coding: what a Checkpoint with blocks gives the loader.
import type { Kernel } from '../gpu/pipeline.ts'
import type { Coding } from '../kernels/matrix.ts'
import { repack } from '../kernels/repack.ts'
import type { TensorEntry } from './tensor.ts'

export function convert(entry: TensorEntry, to: Coding): Kernel {
  const { name, files, coding, constants } = entry.blocks!
  return repack({ name, files, coding, constants: constants?.(entry) ?? {}, sorted: entry.order !== undefined }, to)
}
