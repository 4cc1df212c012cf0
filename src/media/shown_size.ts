// How large a model is shown pictures and videos: within what its files say, and within a budget of tokens.
import { GlmError } from '../errors.ts'
import { type PicturePlan, planPictures } from './picture_plan.ts'
import { type PictureProfileName, pictureProfiles } from './picture_profiles.ts'
import { type Size, smartResize } from './resize.ts'

export interface SizeRule {
  profile: PictureProfileName
  /** Pixels of a picture (counted twice) and of all frames of a video, as the model's files say: at least, and at most. */
  bounds: Record<'picture' | 'video', readonly [least: number, most: number]>
  /** The only size there is. */
  size?: Size
  /** Tokens of a video's step where nobody asks, in a tower whose own table of positions has fewer than is usual. */
  step?: number
}

/** Tokens of a picture, and of a step of a video, at most. */
export interface Budget {
  picture?: number | null
  step?: number | null
}

export const usual = { picture: 640, step: 100 }

/** A picture, or the frames of a video, of which the first has the size of all. */
export interface Sized {
  frames: readonly Size[]
  /** Of a video; only how many there are counts. */
  steps?: readonly unknown[]
}

export function planShown({ frames, steps }: Sized, rule: SizeRule, budget: Budget = {}): PicturePlan {
  const { profile } = rule
  const first = frames[0]
  if (!first) throw new GlmError('messages_invalid', 'A video has no frames; give at least one.')
  const size = rule.size ?? sizeOf(first, frames.length, steps?.length, rule, budget)
  return planPictures(first.width, first.height, frames.length, { profile, size, ...(steps ? { video: true } : {}) })
}

function sizeOf(from: Size, frames: number, steps: number | undefined, { profile, bounds, step: own }: SizeRule, budget: Budget): Size {
  const { patch, merge, temporal } = pictureProfiles[profile]
  const token = (patch * merge) ** 2 * temporal
  const tokens = { picture: allowed('picture', budget.picture), step: allowed('step', budget.step ?? own) }
  const [minPixels, most] = bounds[steps ? 'video' : 'picture']
  const within = token * (steps ? tokens.step * steps : tokens.picture)
  return smartResize(from, {
    frames: steps ? Math.max(frames, temporal) : temporal,
    factor: patch * merge,
    temporal,
    minPixels,
    maxPixels: Math.max(minPixels, Math.min(most, within)),
  })
}

function allowed(name: keyof typeof usual, value: number | null | undefined): number {
  if (value === undefined || value === null) return usual[name]
  if (!Number.isInteger(value) || value < 1 || value > 2 ** 16)
    throw new GlmError('request_invalid', `budget.${name} is ${String(value)}; use a whole number of tokens from 1.`)
  return value
}
