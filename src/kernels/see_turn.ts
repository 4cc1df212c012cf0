// Queries and keys of patches: normed head by head where the tower does, then turned by row and column.
import type { Kernel } from '../gpu/pipeline.ts'
import { float } from '../gpu/shader.ts'
import { seeFiles, seeLoops } from './vision_files.ts'

export interface SeeTurn {
  heads: number
  /** A multiple of 16. */
  headDim: number
  merge: number
  /** Offsets of q's and k's gamma in aux, in f32, multiples of 4. */
  norm?: { q: number; k: number; eps: number } | undefined
  rolled: boolean
}

export function seeTurn({ heads, headDim, merge, norm, rolled }: SeeTurn): Kernel {
  return {
    name: 'see_turn',
    files: seeFiles('see_turn', seeLoops(rolled), 'vision/place'),
    bindings: { y: 'write', next: 'write', rope: 'read', rows: 'read', aux: 'read' },
    constants: {
      HEADS: heads,
      HEAD_DIM: headDim,
      QUADS: Math.ceil((heads * headDim) / 32) * 8,
      MERGE: merge,
      NORMED: norm ? 1 : 0,
      EPS: float(norm?.eps ?? 0),
      Q_NORM: (norm?.q ?? 0) / 4,
      K_NORM: (norm?.k ?? 0) / 4,
    },
  }
}

export const seeTurnGroups = ({ heads }: Pick<SeeTurn, 'heads'>, rows: number): [number] => [Math.ceil((rows * heads * 2) / 64)]

/** Angles of `count` coordinates: [count][headDim / 16][cosines of four, sines of four], f_j = 10000^(-4j / headDim), j < headDim / 4. */
export function turnTable(headDim: number, count: number): Float32Array<ArrayBuffer> {
  const table = new Float32Array((count * headDim) / 2)
  const quarter = headDim / 4
  for (let place = 0; place < count; place++) {
    for (let j = 0; j < quarter; j++) {
      const angle = place * 10000 ** ((-4 * j) / headDim)
      const at = (place * (quarter / 4) + Math.floor(j / 4)) * 8 + (j % 4)
      table[at] = Math.cos(angle)
      table[at + 4] = Math.sin(angle)
    }
  }
  return table
}
