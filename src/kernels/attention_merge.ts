// The end of split attention: one result of what each stretch of a sequence left.
import type { Kernel } from '../gpu/pipeline.ts'
import type { AttentionOptions } from './attention.ts'
import { files } from './files.ts'
import { rowsConstants } from './rows.ts'

/** x: what the stretches left; y: the result. */
export function attentionMerge(options: AttentionOptions): Kernel {
  const { heads, headDim, stride, outStride = stride, outOffset = 0 } = options
  return {
    name: 'attention_merge',
    files: files('attention_merge', 'rows', 'partials'),
    bindings: { x: 'read', y: 'write', rows: 'read' },
    constants: { ...rowsConstants(options.shape), HEADS: heads, HEAD_DIM: headDim, Y_STRIDE: outStride, Y_OFFSET: outOffset },
  }
}

export const mergeGroups = ({ heads, headDim }: Pick<AttentionOptions, 'heads' | 'headDim'>, rows: number): [number, number] => [
  Math.ceil((heads * headDim) / 256),
  rows,
]
