// The twins of shaders/mel*.wgsl: log-mel as its definition has it, by the plain sum over 400 samples. Nothing here is fast or clever.
import type { Values } from './kernels.ts'

const hann = Float64Array.from({ length: 400 }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / 400))
const cosines = Float64Array.from({ length: 400 }, (_, n) => Math.cos((2 * Math.PI * n) / 400))
const sines = Float64Array.from({ length: 400 }, (_, n) => Math.sin((2 * Math.PI * n) / 400))

const toMel = (hz: number) => (hz < 1000 ? (3 * hz) / 200 : 15 + (27 * Math.log(hz / 1000)) / Math.log(6.4))
const toHertz = (mel: number) => (mel < 15 ? (mel * 200) / 3 : 1000 * Math.exp((Math.log(6.4) / 27) * (mel - 15)))

/** Slaney's bank [mels, 201]: triangles between 0 and 8000 Hz, each of area 1 over Hz. */
export function melBank(mels: number): Float64Array {
  const hz = Array.from({ length: mels + 2 }, (_, m) => toHertz((toMel(8000) * m) / (mels + 1)))
  const bank = new Float64Array(mels * 201) // [mels, 201]
  for (let m = 0; m < mels; m++) {
    for (let k = 0; k <= 200; k++) {
      const rise = (40 * k - hz[m]!) / (hz[m + 1]! - hz[m]!)
      const fall = (hz[m + 2]! - 40 * k) / (hz[m + 2]! - hz[m + 1]!)
      bank[m * 201 + k] = (2 / (hz[m + 2]! - hz[m]!)) * Math.max(0, Math.min(rise, fall))
    }
  }
  return bank
}

/** The 400 samples about 160 t, mirrored at the ends of a clip of `length`, windowed; what was not given is 0. */
export function windowed(samples: Values, length: number, t: number): Float64Array {
  return hann.map((weight, n) => {
    let at = Math.abs(160 * t + n - 200)
    if (at >= length) at = 2 * (length - 1) - at
    return weight * (samples[at] ?? 0)
  })
}

/** X[k] of 400 points, k to 200, as [re, im]. */
export function spectrum(points: Values): [number, number][] {
  return Array.from({ length: 201 }, (_, k) => {
    let [re, im] = [0, 0]
    for (let n = 0; n < 400; n++) {
      re += points[n]! * cosines[(n * k) % 400]!
      im -= points[n]! * sines[(n * k) % 400]!
    }
    return [re, im]
  })
}

export interface LogMel {
  /** [mels, frames] log10 of what the filters let through, at least -10 */
  values: Float64Array
  /** [mels, frames] how far f32 may be off for sound within 1: 4 roundings of every bin, 2^-27 for sums of rests, 4e-6 for the logarithm. */
  bounds: Float64Array
}

export function logMel(samples: Values, length: number, mels: number, only?: readonly number[]): LogMel {
  const frames = Math.floor(length / 160)
  const bank = melBank(mels)
  const values = new Float64Array(mels * frames).fill(Number.NaN)
  const bounds = new Float64Array(mels * frames)
  for (const t of only ?? Array.from({ length: frames }, (_, t) => t)) {
    const points = windowed(samples, length, t)
    const bins = spectrum(points).map(([re, im]) => Math.hypot(re, im))
    for (let m = 0; m < mels; m++) {
      let [energy, off] = [0, 0]
      for (let k = 0; k <= 200; k++) {
        const weight = bank[m * 201 + k]!
        const error = 2 ** -22 * bins[k]! + 2 ** -27
        energy += weight * bins[k]! ** 2
        off += weight * (2 * bins[k]! * error + error * error)
      }
      const shown = Math.max(energy, 1e-10)
      values[m * frames + t] = Math.log10(shown)
      bounds[m * frames + t] = Math.log10((shown + off) / shown) + 4e-6
    }
  }
  return { values, bounds }
}

export interface Total {
  largest: number
  mean: number
  /** 1 / sqrt(variance + 1e-7) */
  factor: number
}

export function total(values: Values): Total {
  const all = Array.from(values)
  const mean = all.reduce((sum, value) => sum + value, 0) / all.length
  const variance = all.reduce((sum, value) => sum + (value - mean) ** 2, 0) / all.length
  return { largest: all.reduce((a, b) => Math.max(a, b)), mean, factor: 1 / Math.sqrt(variance + 1e-7) }
}

/** Whisper's clamp and scale; `heard` is the largest value before this clip. */
export const whisper = (values: Values, heard = -10): Float64Array => {
  const lowest = Math.max(heard, total(values).largest) - 8
  return Float64Array.from(values, (value) => (Math.max(value, lowest) + 4) / 4)
}

/** Mean 0, variance 1. */
export const standard = (values: Values): Float64Array => {
  const { mean, factor } = total(values)
  return Float64Array.from(values, (value) => (value - mean) * factor)
}
