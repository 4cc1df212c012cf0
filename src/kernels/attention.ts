// Causal grouped-query attention over the pages of a sequence.
import type { Kernel } from '../gpu/pipeline.ts'
import { float } from '../gpu/shader.ts'
import { files, loops } from './files.ts'
import { type RowsShape, rowsConstants } from './rows.ts'

export interface AttentionOptions {
  heads: number
  kvHeads: number
  headDim: number
  /** Stride of a row of queries and of the result, in f32. */
  stride: number
  kv: 'f32' | 'f16'
  shape: RowsShape
  rolled: boolean
}

/** Workgroups: [heads, rows]. */
export function attention(options: AttentionOptions): Kernel {
  return {
    name: 'attention',
    files: files('attention', loops(options.rolled), `kv/${options.kv}_read`, 'rows'),
    bindings: { x: 'read', y: 'write', rows: 'read', kv: 'read' },
    constants: {
      ...rowsConstants(options.shape),
      HEADS: options.heads,
      KV_HEADS: options.kvHeads,
      HEAD_DIM: options.headDim,
      X_STRIDE: options.stride,
      Y_STRIDE: options.stride,
      SCALE: float(1 / Math.sqrt(options.headDim)),
    },
  }
}
