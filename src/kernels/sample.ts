// The last dispatch of a pass: chooses tokens and feeds them back.
import type { Kernel } from '../gpu/pipeline.ts'
import { files, loops } from './files.ts'
import { type RowsShape, rowsConstants } from './rows.ts'

/** Workgroups: [rows whose logits were asked for]. */
export function sample(vocabulary: number, shape: RowsShape, rolled: boolean): Kernel {
  return {
    name: 'sample',
    files: files('sample', loops(rolled), 'random', 'rows'),
    bindings: { x: 'read', rows: 'write' },
    constants: { ...rowsConstants(shape), VOCABULARY: vocabulary, SLOTS: shape.slots, RING: shape.ring },
  }
}
