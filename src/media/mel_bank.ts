// What a log-mel spectrogram is made with, as numbers: the window, the roots of one, and the filters. Made in f64, kept in f32.
import { GlmError } from '../errors.ts'

/** Whisper's frames: 25 ms of sound every 10 ms, at 16 kHz. */
export const SAMPLE_RATE = 16_000
export const WINDOW = 400
export const HOP = 160
/** Frequencies of a frame: 0, 40, … 8000 Hz. */
export const BINS = WINDOW / 2 + 1

/** A filter of the bank: a triangle over some of the bins. */
export interface Filter {
  first: number
  weights: number[]
}

/** hann[n] = (1 - cos(2πn / 400)) / 2: periodic, so the last value is not 0. */
export const hann = (): Float64Array => Float64Array.from({ length: WINDOW }, (_, n) => (1 - Math.cos((2 * Math.PI * n) / WINDOW)) / 2)

/** exp(-2πik / n) for k below n, as pairs. */
export function roots(n: number): Float64Array {
  const out = new Float64Array(2 * n)
  for (let k = 0; k < n; k++) {
    out[2 * k] = Math.cos((2 * Math.PI * k) / n)
    out[2 * k + 1] = -Math.sin((2 * Math.PI * k) / n)
  }
  return out
}

/** Slaney's filters from 0 to 8000 Hz: linear below 1 kHz, logarithmic above, each of one area. */
export function melFilters(mels: number): Filter[] {
  const edges = Array.from({ length: mels + 2 }, (_, m) => hertz((m * MEL_TOP) / (mels + 1)))
  return Array.from({ length: mels }, (_, m) => triangle(edges[m]!, edges[m + 1]!, edges[m + 2]!))
}

/** Mel of 8000 Hz: 45.245640471924965. */
export const MEL_TOP = 15 + (27 * Math.log(8)) / Math.log(6.4)

const hertz = (mel: number) => (mel < 15 ? (200 * mel) / 3 : 1000 * Math.exp(((mel - 15) * Math.log(6.4)) / 27))

function triangle(low: number, peak: number, high: number): Filter {
  const step = SAMPLE_RATE / WINDOW
  const first = Math.floor(low / step) + 1
  const weights: number[] = []
  for (let bin = first; bin * step < high && bin < BINS; bin++) {
    const up = (bin * step - low) / (peak - low)
    const down = (high - bin * step) / (high - peak)
    weights.push((Math.min(up, down) * 2) / (high - low))
  }
  return { first, weights }
}

/** Where each table stands in the one buffer that the kernel reads, in words. */
export const layout = { window: 0, roots16: 2 * WINDOW, roots25: 2 * WINDOW + 64, filters: 2 * WINDOW + 164 } as const

/**
 * All tables in one: the window as (coarse, rest), roots of 16 and of 25 as (coarse cos, coarse -sin, rests), then per filter (first bin, bins, word of
 * its weights), then weights. Whole numbers are u32. Coarse is a multiple of 2^-12 for the window, of 2^-10 for roots; shaders/mel.wgsl says why.
 */
export function melTables(mels: number): Uint32Array<ArrayBuffer> {
  if (mels !== 80 && mels !== 128) throw new GlmError('request_invalid', `${mels} mels are not offered: ask for 80 or 128.`)
  const filters = melFilters(mels)
  const weights = layout.filters + 3 * mels
  const words = new Uint32Array(weights + filters.reduce((sum, one) => sum + one.weights.length, 0))
  const floats = new Float32Array(words.buffer)
  floats.set(split(hann(), 12, 1), layout.window)
  floats.set(split(roots(16), 10, 2), layout.roots16)
  floats.set(split(roots(25), 10, 2), layout.roots25)
  let at = weights
  filters.forEach((one, m) => {
    words.set([one.first, one.weights.length, at], layout.filters + 3 * m)
    floats.set(one.weights, at)
    at += one.weights.length
  })
  return words
}

/** Each group of `width` values as their multiples of 2^-bits, then what these leave. */
function split(values: Float64Array, bits: number, width: number): Float64Array {
  const out = new Float64Array(2 * values.length)
  values.forEach((value, i) => {
    const at = i + i - (i % width)
    out[at] = Math.round(value * 2 ** bits) / 2 ** bits
    out[at + width] = value - out[at]!
  })
  return out
}
