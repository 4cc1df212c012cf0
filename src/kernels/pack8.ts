// Rows of x to 8-bit codes in groups of 32 with one f32 scale each, normed before where asked: what gemm8 multiplies.
import type { Kernel } from '../gpu/pipeline.ts'
import { files, loops } from './files.ts'
import { inputBindings, inputConstants, inputFiles, type Norm } from './linear.ts'
import { type RowsShape, rowsConstants } from './rows.ts'

const threads = 64

export interface Pack8Options {
  /** Groups of 32 of a row. */
  groups: number
  input: 'plain' | Norm
  rows: 'all' | 'logits'
  shape: RowsShape
  rolled: boolean
}

/** Workgroups: [1, rows]. */
export function pack8({ groups, input, rows, shape, rolled }: Pack8Options): Kernel {
  return {
    name: 'pack8',
    files: files('pack8', loops(rolled), ...inputFiles(input), 'rows', `rows/${rows}`),
    bindings: { x: 'read', y: 'write', rows: 'read', ...inputBindings(input) },
    constants: { ...rowsConstants(shape), GROUPS: groups, TILE: 1, WG: threads, ...inputConstants(input) },
  }
}

/** Words of y for this many rows: they stand together by fours. */
export const packedWords = (rows: number, groups: number): number => Math.ceil(rows / 4) * groups * 40
