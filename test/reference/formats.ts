// Half precision, bfloat16 and the two quantised weight formats.
import type { Values } from './kernels.ts'

/** The f16 value with these bits: sign 1, exponent 5, fraction 10. */
export function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 31
  const fraction = bits & 1023
  if (exponent === 31) return fraction ? Number.NaN : sign * Infinity
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25)
}

/** The bits of the nearest f16, ties to even, in one rounding from f64; from 65520 on Infinity. */
export function halfBits(x: number): number {
  if (Number.isNaN(x)) return 0x7e00
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0
  const size = Math.abs(x)
  if (size >= 65520) return sign | 0x7c00
  let exponent = -14 // subnormals share the exponent of the smallest normals
  while (size >= 2 ** (exponent + 1)) exponent++
  const steps = roundHalfToEven(size / 2 ** (exponent - 10)) // 1024..2048, below 1024 for subnormals; 2048 carries into the exponent
  return sign | (((exponent + 14) << 10) + steps)
}

/** x rounded to f16. */
export function roundHalf(x: number): number {
  return halfValue(halfBits(x))
}

/** The f32 value whose upper half these bits are. */
export function bf16Value(bits: number): number {
  return new Float32Array(new Uint32Array([bits << 16]).buffer)[0]!
}

function roundHalfToEven(x: number): number {
  const floor = Math.floor(x)
  const rest = x - floor
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor
}

function roundHalfAway(x: number): number {
  return Math.sign(x) * Math.floor(Math.abs(x) + 0.5)
}

/** One row in groups of 32, the last one padded with zeros: codes [groups * 32], scales [groups], each an f16. */
export interface Quantised<Codes> {
  codes: Codes
  scales: Float64Array
}

export const GROUP = 32

/** value = code * d, code -127..127: d = f16(max |x| / 127), code = round-half-away(x / d); d = 0 makes every code 0. */
export function quantise8(row: Values): Quantised<Int8Array> {
  const groups = Math.ceil(row.length / GROUP)
  const codes = new Int8Array(groups * GROUP)
  const scales = new Float64Array(groups)
  for (let g = 0; g < groups; g++) {
    const x = groupOf(row, g)
    const d = roundHalf(Math.max(...x.map(Math.abs)) / 127)
    scales[g] = d
    for (let i = 0; i < GROUP; i++) codes[g * GROUP + i] = d === 0 ? 0 : clamp(roundHalfAway(x[i]! / d), -127, 127)
  }
  return { codes, scales }
}

/** The codes tried for the value of largest magnitude. -8 is first, so that of equally good ones a group on the grid keeps its own. */
const CANDIDATES: number[] = [-8]
for (let c = 5.5; c <= 8.5; c += 0.125) if (c !== 8) CANDIDATES.push(-c)
for (let c = 5.5; c <= 7.5; c += 0.125) CANDIDATES.push(c)

/**
 * value = (code - 8) * d, code 0..15, d of either sign. Of d = xmax / c for every candidate c, with l = clamp(round-half-away(x / d), -8, 7),
 * the one with the largest (Σ x l)² / Σ l² has the smallest squared error after its least-squares refit d' = Σ x l / Σ l²
 * (a later candidate must win by more than a rounding error). Then d = f16(d') and the codes are rounded again; d = 0 makes every code 8.
 */
export function quantise4(row: Values): Quantised<Uint8Array> {
  const groups = Math.ceil(row.length / GROUP)
  const codes = new Uint8Array(groups * GROUP)
  const scales = new Float64Array(groups)
  for (let g = 0; g < groups; g++) {
    const x = groupOf(row, g)
    const d = roundHalf(scale4(x)) + 0 // never -0
    scales[g] = d
    for (let i = 0; i < GROUP; i++) codes[g * GROUP + i] = 8 + (d === 0 ? 0 : code4(x[i]!, d))
  }
  return { codes, scales }
}

function scale4(x: Float64Array): number {
  let max = 0 // with its sign
  for (const value of x) if (Math.abs(value) > Math.abs(max)) max = value
  if (max === 0) return 0
  let best = 0
  let scale = 0
  for (const c of CANDIDATES) {
    let xl = 0
    let ll = 0
    for (const value of x) {
      const l = code4(value, max / c)
      xl += value * l
      ll += l * l
    }
    if ((xl * xl) / ll > best * (1 + 1e-12)) {
      best = (xl * xl) / ll
      scale = xl / ll
    }
  }
  return scale
}

function code4(x: number, d: number): number {
  return clamp(roundHalfAway(x / d), -8, 7)
}

/** The first `length` values of the row: code * d. */
export function dequantise8({ codes, scales }: Quantised<Int8Array>, length: number): Float64Array {
  return Float64Array.from({ length }, (_, i) => codes[i]! * scales[Math.floor(i / GROUP)]!)
}

/** The first `length` values of the row: (code - 8) * d. */
export function dequantise4({ codes, scales }: Quantised<Uint8Array>, length: number): Float64Array {
  return Float64Array.from({ length }, (_, i) => (codes[i]! - 8) * scales[Math.floor(i / GROUP)]!)
}

function groupOf(row: Values, g: number): Float64Array {
  return Float64Array.from({ length: GROUP }, (_, i) => row[g * GROUP + i] ?? 0)
}

function clamp(x: number, low: number, high: number): number {
  return Math.min(Math.max(x, low), high)
}
