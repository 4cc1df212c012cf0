// How large a picture becomes and what every new sample is made of, as the models' processors work it out: whole numbers where theirs are.
import { GlmError } from '../errors.ts'
import { halfEven } from './ticks.ts'

export interface Size {
  width: number
  height: number
}

export interface SmartSize {
  /** Frames that share the size; a still counts as `temporal`. */
  frames: number
  /** Sides become multiples of it. */
  factor: number
  /** Frames of a step. */
  temporal: number
  /** Pixels of all frames together. */
  minPixels: number
  maxPixels: number
}

export type Filter = 'bicubic' | 'bilinear'

/** The weights of one axis: sample i is (sum of weights[i * taps + j] * source[first[i] + j] + half) >> bits, clipped to a byte. */
export interface Axis {
  from: number
  to: number
  first: Uint32Array // [to]
  counts: Uint32Array // [to]
  weights: Int32Array // [to, taps]
  taps: number
  bits: number
}

/** `smart_resize` of Glm4vImageProcessor: sides as multiples of a factor, the shape kept, pixels within bounds. */
export function smartResize(size: Size, { frames, factor, temporal, minPixels, maxPixels }: SmartSize): Size {
  const { width, height } = atLeast(size, factor)
  if (Math.max(width, height) / Math.min(width, height) > 200)
    throw new GlmError(
      'request_invalid',
      `A picture of ${size.width} × ${size.height} is more than 200 times as long as it is wide: cut it into shorter ones.`,
    )
  const even = (value: number, step: number) => halfEven(value / step) * step
  const pixels = frames * width * height
  const rounded = even(frames, temporal) * even(height, factor) * even(width, factor)
  if (rounded > maxPixels) {
    const shrink = Math.sqrt(pixels / maxPixels)
    const down = (value: number) => Math.max(factor, Math.floor(value / shrink / factor) * factor)
    return { width: down(width), height: down(height) }
  }
  if (rounded < minPixels) {
    const stretch = Math.sqrt(minPixels / pixels)
    const up = (value: number) => Math.ceil((value * stretch) / factor) * factor
    return { width: up(width), height: up(height) }
  }
  return { width: even(width, factor), height: even(height, factor) }
}

/** Sides below the factor are scaled up to it, cut to whole numbers. */
function atLeast({ width, height }: Size, factor: number): Size {
  if (width >= factor && height >= factor) return { width, height }
  const scale = Math.max(factor / height, factor / width)
  return { width: Math.trunc(width * scale), height: Math.trunc(height * scale) }
}

/** Both are 1 at 0 and end at their reach; bicubic is Keys' with a = -0.5. */
const filters: Record<Filter, { reach: number; weigh: (x: number) => number }> = {
  bilinear: { reach: 1, weigh: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { reach: 2, weigh: (x) => cubic(Math.abs(x), -0.5) },
}

function cubic(x: number, a: number): number {
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
  return 0
}

/** One axis resized with antialiasing: a filter that widens as much as the axis shrinks, its weights whole numbers as PyTorch makes them for bytes. */
export function resample(from: number, to: number, filter: Filter): Axis {
  const { reach, weigh } = filters[filter]
  const scale = from / to
  const wide = Math.max(1, scale)
  const taps = Math.min(from, 2 * Math.ceil(reach * wide) + 1)
  const first = new Uint32Array(to)
  const counts = new Uint32Array(to)
  const exact = new Float64Array(to * taps)
  let largest = 0
  for (let i = 0; i < to; i++) {
    const centre = scale * (i + 0.5)
    const begin = Math.max(0, Math.trunc(centre - reach * wide + 0.5))
    const count = Math.min(Math.min(from, Math.trunc(centre + reach * wide + 0.5)) - begin, taps)
    const own = Array.from({ length: count }, (_, j) => weigh((j + begin - centre + 0.5) / wide))
    const sum = own.reduce((a, b) => a + b, 0)
    own.forEach((weight, j) => {
      exact[i * taps + j] = weight / sum
      largest = Math.max(largest, weight / sum)
    })
    first[i] = begin
    counts[i] = count
  }
  const bits = places(largest)
  return { from, to, first, counts, weights: Int32Array.from(exact, (weight) => halfAway(weight * 2 ** bits)), taps, bits }
}

/** The most places, up to 22, that the largest weight has room for in 16 bits. */
function places(largest: number): number {
  let bits = 0
  while (bits < 22 && Math.trunc(0.5 + largest * 2 ** (bits + 1)) < 2 ** 15) bits++
  return bits
}

const halfAway = (x: number) => (x < 0 ? Math.trunc(x - 0.5) : Math.trunc(x + 0.5))
