// The norm behind a sandwich layer, added to the residual stream.
import type { Kernel } from '../gpu/pipeline.ts'
import { float } from '../gpu/shader.ts'
import { files } from './files.ts'
import type { Norm } from './linear.ts'
import { type RowsShape, rowsConstants } from './rows.ts'

/** h += gamma * x / rms(x). Workgroups: [1, rows]. */
export function addNorm(norm: Norm, shape: RowsShape): Kernel {
  return {
    name: 'norm',
    files: files('norm', 'rows'),
    bindings: { x: 'read', y: 'write', aux: 'read', rows: 'read' },
    constants: {
      ...rowsConstants(shape),
      WIDTH: norm.width,
      QUADS: Math.ceil(norm.width / 32) * 8,
      EPS: float(norm.eps),
      GAMMA: norm.gamma / 4,
    },
  }
}
