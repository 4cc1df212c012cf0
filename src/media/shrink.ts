// Pixels made smaller where they are, in whole numbers: bit for bit what the shader (kernels/patchify.ts) makes of them, which then finds nothing left to
// resize. Slower than the shader: for what is too large to be handed to it.
import { yuvFactors } from '../kernels/patchify.ts'
import type { Pixels, RgbaPixels, YuvPixels } from './pixels.ts'
import { type Axis, type Filter, resample, type Size } from './resize.ts'

/** Across first, then down, each rounded and clipped to bytes. */
export function shrink(pixels: Pixels, { width, height }: Size, filter: Filter): RgbaPixels {
  const across = resample(pixels.width, width, filter)
  const down = resample(pixels.height, height, filter)
  const line = new Uint8Array(3 * pixels.width)
  const read = pixels.format === 'RGBA' ? rgbaLine(pixels) : yuvLine(pixels)
  const strips = new Uint8Array(3 * width * pixels.height) // [source rows, width, 3]
  for (let row = 0; row < pixels.height; row++) {
    read(row, line)
    mixAcross(across, line, strips, 3 * width * row)
  }
  const data = new Uint8Array(4 * width * height)
  for (let row = 0; row < height; row++) mixDown(down, row, strips, width, data)
  return { format: 'RGBA', width, height, data }
}

/** Writes a row of the picture as red, green and blue. */
type ReadLine = (row: number, line: Uint8Array) => void

const rgbaLine =
  ({ data, width }: RgbaPixels): ReadLine =>
  (row, line) => {
    for (let from = 4 * width * row, to = 0; to < line.length; from += 4, to += 3) {
      line[to] = data[from]!
      line[to + 1] = data[from + 1]!
      line[to + 2] = data[from + 2]!
    }
  }

/** Chroma stands in the middle of its four pixels: the nearest sample counts 9/16, its neighbours 3/16, the farthest 1/16. */
function yuvLine({ format, data, planes, width, height, matrix, fullRange }: YuvPixels): ReadLine {
  const [start, luma, vRed, uGreen, vGreen, uBlue] = yuvFactors(matrix, fullRange) as [number, number, number, number, number, number]
  const [light, u, v = { ...u!, offset: u!.offset + 1 }] = planes as [
    YuvPixels['planes'][0],
    YuvPixels['planes'][0],
    YuvPixels['planes'][0]?,
  ]
  const step = format === 'NV12' ? 2 : 1
  const [columns, rows] = [Math.ceil(width / 2), Math.ceil(height / 2)]
  const beside = (at: number, count: number) => Math.min(at & 1 ? (at >> 1) + 1 : Math.max(0, (at >> 1) - 1), count - 1)
  return (row, line) => {
    const [near, far] = [row >> 1, beside(row, rows)]
    const [uNear, uFar, vNear, vFar] = [u, u, v, v].map(({ offset, stride }, i) => offset + stride * (i & 1 ? far : near)) as [
      number,
      number,
      number,
      number,
    ]
    for (let column = 0; column < width; column++) {
      const here = step * (column >> 1)
      const there = step * beside(column, columns)
      const cu = 9 * data[uNear + here]! + 3 * (data[uNear + there]! + data[uFar + here]!) + data[uFar + there]! - 2048
      const cv = 9 * data[vNear + here]! + 3 * (data[vNear + there]! + data[vFar + here]!) + data[vFar + there]! - 2048
      const own = 16 * (data[light.offset + light.stride * row + column]! - start) * luma + (1 << 19)
      line[3 * column] = byte((own + vRed * cv) >> 20)
      line[3 * column + 1] = byte((own + uGreen * cu + vGreen * cv) >> 20)
      line[3 * column + 2] = byte((own + uBlue * cu) >> 20)
    }
  }
}

function mixAcross({ to, first, counts, weights, taps, bits }: Axis, line: Uint8Array, strips: Uint8Array, at: number): void {
  const half = 1 << (bits - 1)
  for (let i = 0; i < to; i++) {
    let red = half
    let green = half
    let blue = half
    const end = i * taps + counts[i]!
    for (let tap = i * taps, from = 3 * first[i]!; tap < end; tap++, from += 3) {
      const weight = weights[tap]!
      red += weight * line[from]!
      green += weight * line[from + 1]!
      blue += weight * line[from + 2]!
    }
    strips[at + 3 * i] = byte(red >> bits)
    strips[at + 3 * i + 1] = byte(green >> bits)
    strips[at + 3 * i + 2] = byte(blue >> bits)
  }
}

/** One row of the result. */
function mixDown({ first, counts, weights, taps, bits }: Axis, row: number, strips: Uint8Array, width: number, data: Uint8Array): void {
  const sums = new Int32Array(3 * width).fill(1 << (bits - 1))
  for (let tap = 0; tap < counts[row]!; tap++) {
    const weight = weights[row * taps + tap]!
    const from = 3 * width * (first[row]! + tap)
    for (let i = 0; i < sums.length; i++) sums[i] = sums[i]! + weight * strips[from + i]!
  }
  for (let column = 0; column < width; column++) {
    const at = 4 * (row * width + column)
    for (let c = 0; c < 3; c++) data[at + c] = byte(sums[3 * column + c]! >> bits)
    data[at + 3] = 255
  }
}

const byte = (value: number): number => (value < 0 ? 0 : value > 255 ? 255 : value)
