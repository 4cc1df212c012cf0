// A matrix as it stands on the GPU, back as numbers: the inverse of the layout in shaders/README.md.

import type { Engine } from '../../src/engine/engine.ts'
import { readBack } from '../../src/gpu/buffers.ts'
import { centresAt, type Matrix, scaleGroups, scalesAt } from '../../src/kernels/matrix.ts'
import { planEmbedding, planHead } from '../../src/model/layout.ts'
import type { MatrixPlan } from '../../src/weights/load.ts'
import { halfValue } from '../reference.ts'

/** The tensors of the text model's matrices by name, with the values that the engine really holds. */
export async function heldTensors({ weights, files, gpu }: Engine): Promise<Map<string, Float64Array>> {
  const tensors = new Map<string, Float64Array>()
  const plans = [
    [planEmbedding(files.config), weights.embed],
    [planHead(files.config), weights.head],
    ...weights.layers.flatMap(({ plan, qkv, o, gateUp, down }) => [
      [plan.qkv, qkv],
      [plan.o, o],
      [plan.gateUp, gateUp],
      [plan.down, down],
    ]),
  ] as [MatrixPlan, Matrix][]
  for (const [plan, matrix] of plans) {
    const values = await readMatrix(gpu.device, matrix) // [rows, columns]
    for (const { tensor, from, rows, offset, step } of plan.pieces) {
      const [height, width] = files.checkpoint.tensors.get(tensor)?.shape ?? []
      if (!height) continue // a tied head
      const whole = tensors.get(tensor) ?? new Float64Array(height * width!)
      for (let row = 0; row < rows; row++) {
        const at = (offset + row * step) * plan.columns
        whole.set(values.subarray(at, at + plan.columns), (from + row) * plan.columns)
      }
      tensors.set(tensor, whole)
    }
  }
  return tensors
}

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
