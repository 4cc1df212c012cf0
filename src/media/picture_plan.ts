// What a model makes of pictures before there are any: how large they become, and how many patches and tokens that is.
import { GlmError } from '../errors.ts'
import { type PictureProfile, type PictureProfileName, pictureProfiles } from './picture_profiles.ts'
import { type Size, smartResize } from './resize.ts'

export interface PictureOptions {
  profile: PictureProfileName
  /** Pixels of every result, in place of what the profile says; of patches, whole blocks of them. */
  size?: Size
  /** Where sizes follow the picture: the most pixels of all frames together, a still counted twice, as the processors count. */
  maxPixels?: number
  /** The frames are one clip: they share a size and stand in steps, an odd last one twice. Else each is a picture of its own. */
  video?: boolean
}

export interface PicturePlan {
  resized: Size
  /** Steps (of pictures: how many), rows and columns of patches in each; planes count as one patch. */
  grid: [t: number, h: number, w: number]
  /** Blocks of `merge` x `merge` patches. */
  tokens: number
  /** Of the values: [patches, 3 * temporal * patch * patch], or [pictures, 3, height, width]. */
  shape: number[]
}

export function profileOf(name: PictureProfileName): PictureProfile {
  if (!Object.hasOwn(pictureProfiles, name))
    throw new GlmError('request_invalid', `There is no profile ${String(name)}; there are ${Object.keys(pictureProfiles).join(', ')}.`)
  return pictureProfiles[name]
}

/** For `count` pictures or frames of one size. */
export function planPictures(width: number, height: number, count: number, options: PictureOptions): PicturePlan {
  const profile = profileOf(options.profile)
  for (const [name, value] of Object.entries({ width, height, count })) whole(name, value)
  const resized = sizeOf(profile, { width, height }, count, options)
  const { patch, merge, temporal, layout } = profile
  if (layout === 'planes') {
    return { resized, grid: [count, 1, 1], tokens: count, shape: [count, 3, resized.height, resized.width] }
  }
  const steps = options.video ? Math.ceil(count / temporal) : count
  const grid: PicturePlan['grid'] = [steps, resized.height / patch, resized.width / patch]
  const patches = steps * grid[1] * grid[2]
  return { resized, grid, tokens: patches / merge ** 2, shape: [patches, 3 * temporal * patch ** 2] }
}

function sizeOf({ size, patch, merge, temporal, layout }: PictureProfile, from: Size, count: number, options: PictureOptions): Size {
  const factor = layout === 'patches' ? patch * merge : 1
  if (options.size) return given(options.size, factor)
  if (size.kind === 'fixed') {
    if (options.maxPixels !== undefined)
      throw new GlmError('request_invalid', `Profile ${options.profile} has one size for all pictures: give size, not maxPixels.`)
    return { width: size.width, height: size.height }
  }
  const [minPixels, most] = options.video ? size.video : size.picture
  const maxPixels = options.maxPixels ?? most
  whole('maxPixels', maxPixels)
  const frames = options.video ? Math.max(count, temporal) : temporal
  return smartResize(from, { frames, factor, temporal, minPixels, maxPixels })
}

function given({ width, height }: Size, factor: number): Size {
  for (const side of [width, height]) {
    if (!(Number.isInteger(side) && side > 0 && side % factor === 0 && side < 2 ** 16))
      throw new GlmError('request_invalid', `A size of ${width} × ${height} cannot be made: give multiples of ${factor} below 65536.`)
  }
  return { width, height }
}

function whole(name: string, value: number): void {
  if (!(Number.isSafeInteger(value) && value > 0))
    throw new GlmError('request_invalid', `${name} is ${value}: give a whole number above 0.`)
}
