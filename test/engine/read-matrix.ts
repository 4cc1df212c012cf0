// A matrix as it stands on the GPU, back as numbers: the inverse of the layout in shaders/README.md.
import { readBack } from '../../src/gpu/buffers.ts'
import { centresAt, type Matrix, scaleGroups, scalesAt } from '../../src/kernels/matrix.ts'
import { halfValue } from '../reference.ts'

/** [rows, columns] */
export async function readMatrix(device: GPUDevice, matrix: Matrix): Promise<Float64Array> {
  const values = new Float64Array(matrix.rows * matrix.columns)
  for (const part of matrix.parts) {
    const view = new DataView(await readBack(device, part.buffer))
    const scales = scalesAt(matrix, matrix.groups, part.rows) * 16
    const centres = centresAt(matrix, matrix.groups, part.rows) * 16
    for (let row = 0; row < part.rows; row++) {
      for (let column = 0; column < matrix.columns; column++) {
        values[(part.offset + row) * matrix.columns + column] = readValue(view, matrix, { scales, centres }, row, column)
      }
    }
  }
  return values
}

function readValue(view: DataView, matrix: Matrix, at: { scales: number; centres: number }, row: number, column: number): number {
  const group = Math.floor(column / 32)
  const index = column % 32
  const block = Math.floor(row / 8) * matrix.groups + group
  const lane = row % 8
  const span = (Math.floor(row / 8) * scaleGroups(matrix, matrix.groups) + Math.floor(column / matrix.group)) * 16 + lane * 2
  const scale = () => halfValue(view.getUint16(at.scales + span, true))
  const centre = () => (matrix.centred ? halfValue(view.getUint16(at.centres + span, true)) : 0)
  switch (matrix.format) {
    case 'f32':
      return view.getFloat32(((block * 8 + (index >> 2)) * 8 + lane) * 16 + (index % 4) * 4, true)
    case 'f16':
      return halfValue(view.getUint16(((block * 8 + (index >> 2)) * 8 + lane) * 8 + (index % 4) * 2, true))
    case 'q8':
      return view.getInt8(((block * 2 + (index >> 4)) * 8 + lane) * 16 + (index % 16)) * scale() + centre()
    case 'q4': {
      const byte = view.getUint8((block * 8 + lane) * 16 + (index >> 3) * 4 + (index % 4))
      return ((index % 8 < 4 ? byte & 15 : byte >> 4) - 8) * scale() + centre()
    }
  }
}
