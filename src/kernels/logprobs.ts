// Log-probabilities of the token that sampling chose and of the likeliest, behind it.
import type { Kernel } from '../gpu/pipeline.ts'
import { files } from './files.ts'
import { type RowsShape, rowsConstants } from './rows.ts'

/** The likeliest tokens that are told at most. */
export const mostLogprobs = 20

/** Words of one token's record: its own, and (token, log-probability) of the likeliest. */
export const logprobWords = 1 + 2 * mostLogprobs

/** Workgroups: [rows whose logits were asked for]. */
export function logprobs(vocabulary: number, shape: RowsShape): Kernel {
  return {
    name: 'logprobs',
    files: files('logprobs', 'rows'),
    bindings: { x: 'read', y: 'write', rows: 'read' },
    constants: { ...rowsConstants(shape), VOCABULARY: vocabulary, RING: shape.ring, TOP: mostLogprobs },
  }
}
