// What a tower is asked to see: grids of patches, and the batches in which it takes them.
import { GlmError } from '../errors.ts'
import type { VisionConfig } from './vision_config.ts'
import { valuesOf } from './vision_room.ts'

/** Steps (of a picture one), and rows and columns of patches in each. */
export type Grid = readonly [t: number, h: number, w: number]

/** Steps of one size that are seen together. */
export interface Batch {
  steps: number
  height: number
  width: number
}

/** Rows of embeddings that a grid becomes. */
export const tokensOf = ({ merge, ends }: VisionConfig, [t, h, w]: Grid): number => t * ((h * w) / merge ** 2 + (ends ? 2 : 0))

export const patchesOf = ({ steps, height, width }: Batch): number => steps * height * width

/** Steps in order; those of one size together, as long as they are few patches. */
export function batchesOf(grids: readonly Grid[], patches: number): Batch[] {
  const batches: Batch[] = []
  for (const [t, height, width] of grids) {
    const fit = Math.max(1, Math.floor(patches / (height * width)))
    for (let left = t; left > 0; ) {
      const last = batches.at(-1)
      const open = last && last.height === height && last.width === width ? fit - last.steps : 0
      const steps = Math.min(left, open > 0 ? open : fit)
      if (open > 0) last!.steps += steps
      else batches.push({ steps, height, width })
      left -= steps
    }
  }
  return batches
}

/** Throws `request_invalid` or `out_of_memory`. `bytes`: of the prepared patches; `most`: patches of a step, bytes of a binding. */
export function checkGrids(config: VisionConfig, grids: readonly Grid[], bytes: number, most: { patches: number; bytes: number }): void {
  const sum = (of: (grid: Grid) => number) => grids.reduce((total, grid) => total + of(grid), 0)
  if (grids.length === 0) throw new GlmError('request_invalid', 'There is no picture to encode; give at least one grid.')
  for (const grid of grids) checkGrid(config, grid, most.patches)
  const patches = sum(([t, h, w]) => t * h * w)
  if (bytes < patches * valuesOf(config) * 4)
    throw new GlmError('request_invalid', `The buffer holds fewer than the ${patches} patches of its grids; prepare the pictures again.`)
  const tokens = sum((grid) => tokensOf(config, grid))
  const fit = Math.floor(most.bytes / (config.text * 4))
  if (tokens <= fit) return
  const why = `These pictures are ${tokens} tokens, more than the ${fit} that fit this GPU`
  throw new GlmError('out_of_memory', `${why}; lower maxPixels, or give fewer frames.`)
}

function checkGrid({ merge, positions, side }: VisionConfig, grid: Grid, most: number): void {
  const [, h, w] = grid
  if (!grid.every((size) => Number.isSafeInteger(size) && size > 0) || h % merge !== 0 || w % merge !== 0) {
    const what = `A grid of ${grid.join(' x ')} patches cannot be seen`
    throw new GlmError('request_invalid', `${what}; give rows and columns in multiples of ${merge}.`)
  }
  if (positions === 'learned' && (h !== side || w !== side)) {
    const what = `This model sees ${side} x ${side} patches, not ${h} x ${w}`
    throw new GlmError('request_invalid', `${what}; prepare the picture with the model's own profile.`)
  }
  if (h * w <= most) return
  throw new GlmError('out_of_memory', `A picture of ${h * w} patches is more than the ${most} that this GPU sees at once; lower maxPixels.`)
}
