// Embedding lookup from the same weight layout as every matrix.
import type { Kernel } from '../gpu/pipeline.ts'
import { files, loops } from './files.ts'
import { type Matrix, type MatrixPart, reader } from './matrix.ts'
import { type RowsShape, rowsConstants } from './rows.ts'

export function embed(matrix: Matrix, part: MatrixPart, shape: RowsShape, f16: boolean, rolled: boolean): Kernel {
  const weights = reader(matrix, part, f16)
  return {
    name: 'embed',
    files: files('embed', loops(rolled), ...weights.files, 'rows'),
    f16: weights.f16,
    bindings: { weights: 'read', y: 'write', rows: 'read' },
    constants: { ...rowsConstants(shape), ...weights.constants },
  }
}

export const embedGroups = (matrix: Matrix, rows: number): [number, number] => [Math.ceil(matrix.groups / 64), rows]
