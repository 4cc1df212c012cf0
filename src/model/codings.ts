// Which coding a matrix has on the GPU: as its tensors are stored, or as somebody asked.
import type { WeightsFormat } from '../api/types.ts'
import { type Coding, type Format, holds, plain, widest } from '../kernels/matrix.ts'
import type { MatrixPlan } from '../weights/load.ts'
import type { Checkpoint, TensorEntry } from '../weights/tensor.ts'

/** `file`: what its tensors are stored as, at the widest of them; of a checkpoint that is not quantised q4. A format: that one, and codes that it holds stay. */
export function codingOf(plan: MatrixPlan, checkpoint: Checkpoint, weights: WeightsFormat): Coding {
  const names = new Set(plan.pieces.map(({ tensor }) => tensor))
  const entries = [...names].map((name) => checkpoint.tensors.get(name)).filter((entry) => entry !== undefined)
  const stored = entries.map(storedAs).reduce((one, other) => widest(one, other), entries[0] ? storedAs(entries[0]) : plain('q4'))
  const kept = sameOrder(entries) ? stored : plain('f16')
  if (weights === 'file') return checkpoint.quantised ? kept : plain('q4')
  if (weights === 'f32' || weights === 'f16' || !sameOrder(entries)) return plain(weights)
  const asked = { ...stored, format: weights }
  return entries.every((entry) => holds(asked, storedAs(entry))) ? asked : plain(weights)
}

/** What holds a tensor without loss. BF16 has fewer digits than F16; a value beyond F16 is reported. */
function storedAs({ blocks, dtype }: TensorEntry): Coding {
  return blocks?.coding ?? plain(dtype === 'F32' ? 'f32' : 'f16')
}

/** Columns of a fused matrix can stand in one order only. */
function sameOrder(entries: readonly TensorEntry[]): boolean {
  const [first] = entries
  return entries.every(({ order }) => order?.join() === first?.order?.join())
}

/** What a model's weights are called as a whole: the narrowest format of its matrices. */
export function formatOf(codings: readonly Coding[]): Format {
  const order: Format[] = ['q4', 'q8', 'f16', 'f32']
  return order.find((format) => codings.some((coding) => coding.format === format)) ?? 'q4'
}
