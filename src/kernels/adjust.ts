// Bias, penalties and masks over the logits, ahead of sampling. Tensors: weights bias, x logits, y what is sampled from, aux counts, source masks.
import type { Kernel } from '../gpu/pipeline.ts'
import { files } from './files.ts'
import { type RowsShape, rowsConstants } from './rows.ts'

/** Workgroups: [tokens / 256, rows whose logits were asked for]. */
export function adjust(vocabulary: number, shape: RowsShape): Kernel {
  return {
    name: 'adjust',
    files: files('adjust', 'rows'),
    bindings: { weights: 'read', x: 'read', y: 'write', aux: 'write', rows: 'read', source: 'read' },
    constants: { ...rowsConstants(shape), VOCABULARY: vocabulary },
  }
}

export const adjustGroups = (vocabulary: number, logits: number) => [Math.ceil(vocabulary / 256), logits] as const
