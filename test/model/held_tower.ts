// A vision tower as it stands on the GPU, back as the twin's tensors.
import type { Matrix } from '../../src/kernels/matrix.ts'
import type { VisionWeights } from '../../src/model/vision.ts'
import type { MatrixPlan } from '../../src/weights/load.ts'
import { readMatrix } from '../engine/read-matrix.ts'
import type { VisionModel } from '../reference/vision.ts'

/** The twin with the matrices that the tower really holds. */
export async function dequantised(device: GPUDevice, weights: VisionWeights, twin: VisionModel): Promise<VisionModel> {
  const { plan } = weights
  const tensors = new Map<string, Float64Array>()
  const pairs: [MatrixPlan, Matrix][] = [
    ...(['patch', 'downsample', 'proj', 'gateUp', 'down'] as const).map((key): [MatrixPlan, Matrix] => [plan[key], weights[key]]),
    ...plan.blocks.flatMap((block, i) =>
      (['qkv', 'o', 'up', 'down'] as const).map((key): [MatrixPlan, Matrix] => [block[key], weights.blocks[i]![key]]),
    ),
  ]
  for (const [own, matrix] of pairs) {
    const values = await readMatrix(device, matrix) // [rows, columns]
    for (const { tensor, from, rows, offset, step } of own.pieces) {
      const whole = tensors.get(tensor) ?? new Float64Array(twin.tensor(tensor).length)
      const { shape, blocks } = plan.checkpoint.tensors.get(tensor)!
      const columns = whole.length / shape[0]!
      for (let row = 0; row < rows; row++) {
        const at = (offset + row * step) * own.columns
        const line = values.subarray(at, at + own.columns)
        whole.set(blocks ? fileOrder(line, columns) : line, (from + row) * columns)
      }
      tensors.set(tensor, whole)
    }
  }
  return { ...twin, tensor: (name) => tensors.get(name) ?? twin.tensor(name) }
}

/** Columns of a convolution as the file has them: [inputs][4], on the GPU [4][padded inputs]. */
function fileOrder(row: Float64Array, columns: number): Float64Array {
  const own = row.filter((_, i) => i % (row.length / 4) < columns / 4) // [4][inputs]
  return Float64Array.from({ length: columns }, (_, i) => own[(i % 4) * (columns / 4) + Math.floor(i / 4)]!)
}
