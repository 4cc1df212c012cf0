// What crosses to the worker: pixels as they are, for the shader to resize, until they are many; then made smaller here, to the size that the shader would
// have made of them. Nothing that the model sees changes by it.
import { GlmError } from '../errors.ts'
import { pictureProfiles } from './picture_profiles.ts'
import type { Pixels } from './pixels.ts'
import type { Size } from './resize.ts'
import { type Budget, planShown, type SizeRule } from './shown_size.ts'
import { shrink } from './shrink.ts'

/** Bytes that are handed over as they are: of a picture no more than every GPU binds, of all frames of a video what a page can spare. */
const plenty = { picture: 2 ** 27, video: 2 ** 29 }

export interface FitOptions {
  /** Absent: nothing is made smaller. */
  sizes?: SizeRule | undefined
  budget?: Budget | null | undefined
}

/** The frames of one picture or video, each as it is read. */
export class Fit {
  /** What they were made to be. */
  size: Size | undefined
  #first: Size | undefined
  readonly #count: number
  readonly #steps: number | undefined
  readonly #options: FitOptions

  /** `count`: frames that the model is shown; `steps`: of a video. */
  constructor(options: FitOptions, count = 1, steps?: number) {
    this.#options = options
    this.#count = count
    this.#steps = steps
  }

  /** Throws `messages_invalid` where frames of a video differ in size. */
  take(pixels: Pixels): Pixels {
    const { width, height } = pixels
    this.#first ??= { width, height }
    const { width: wide, height: high } = this.#first
    if (width !== wide || height !== high)
      throw new GlmError(
        'messages_invalid',
        `A video has frames of ${wide} × ${high} and of ${width} × ${height}; give frames of one size.`,
      )
    const { sizes, budget } = this.#options
    const most = this.#steps === undefined ? plenty.picture : plenty.video
    if (!sizes || this.#count * pixels.data.length <= most) return pixels
    this.size ??= planShown(
      { frames: Array<Size>(this.#count).fill(this.#first), ...(this.#steps === undefined ? {} : { steps: Array(this.#steps) }) },
      sizes,
      budget ?? {},
    ).resized
    return shrink(pixels, this.size, pictureProfiles[sizes.profile].filter)
  }
}
