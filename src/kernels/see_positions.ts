// A table of positions, sampled bicubically for any grid of patches, added to them.
import type { Kernel } from '../gpu/pipeline.ts'
import { seeFiles, seeLoops } from './vision_files.ts'

export interface SeePositions {
  /** Width of a position; rows of patches are padded to groups of 32. */
  width: number
  /** Of the table. */
  side: number
  merge: number
  rolled: boolean
}

/** y += table at the place of each row. Workgroups: [1, rows]. */
export function seePositions({ width, side, merge, rolled }: SeePositions): Kernel {
  return {
    name: 'see_positions',
    files: seeFiles('see_positions', seeLoops(rolled), 'vision/place'),
    bindings: { x: 'read', y: 'write', rope: 'read', rows: 'read' },
    constants: { WIDTH: width / 4, QUADS: Math.ceil(width / 32) * 8, SIDE: side, MERGE: merge },
  }
}

/** Taps of a grid of `height` x `width` patches: for each row, then for each column, four indices and four weights. */
export function positionTaps(side: number, height: number, width: number): Float32Array<ArrayBuffer> {
  const taps = new Float32Array((height + width) * 8)
  for (let i = 0; i < height; i++) taps.set(tapsOf(side, i, height), i * 8)
  for (let i = 0; i < width; i++) taps.set(tapsOf(side, i, width), (height + i) * 8)
  return taps
}

/** Keys' cubic (a = -0.75) around (index + 1/2) * side / size - 1/2, as grid_sample without align_corners; beyond the border the border counts. */
function tapsOf(side: number, index: number, size: number): number[] {
  const at = ((index + 0.5) * side) / size - 0.5
  const first = Math.floor(at) - 1
  const places = [first, first + 1, first + 2, first + 3]
  return [...places.map((place) => Math.min(Math.max(place, 0), side - 1)), ...places.map((place) => cubic(Math.abs(at - place)))]
}

function cubic(x: number): number {
  const a = -0.75
  return x <= 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
}
