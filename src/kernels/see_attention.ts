// Full attention of patches to one another, step by step: no masks, no pages.
import type { Kernel } from '../gpu/pipeline.ts'
import { float } from '../gpu/shader.ts'
import { seeFiles, seeLoops } from './vision_files.ts'

/** Queries of a workgroup. */
const tile = 32

export interface SeeAttention {
  heads: number
  /** A multiple of 4, at most 128. */
  headDim: number
  rolled: boolean
}

/** What q (`y`) sees of k (`x`) and v (`source`) goes to where q was. Workgroups: [heads, tiles]. */
export function seeAttention({ heads, headDim, rolled }: SeeAttention): Kernel {
  const quads = headDim / 4
  return {
    name: 'see_attention',
    files: seeFiles('see_attention', seeLoops(rolled)),
    bindings: { x: 'read', y: 'write', rows: 'read', source: 'read' },
    constants: {
      HEAD_DIM: headDim,
      QUADS: Math.ceil((heads * headDim) / 32) * 8,
      CHUNK: [8, 7, 6, 5, 4, 3, 2, 1].find((count) => quads % count === 0)!,
      SCALE: float(1 / Math.sqrt(headDim)),
    },
  }
}

/** Tiles of so many steps of so many patches. */
export const seeTiles = (steps: number, patches: number): number => steps * Math.ceil(patches / tile)
