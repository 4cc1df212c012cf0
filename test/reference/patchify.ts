// The specification of `patchify`: whole pictures, one step after the other, in whole numbers until the last.
import { yuvFactors } from '../../src/kernels/patchify.ts'
import type { Pixels, YuvPixels } from '../../src/media/pixels.ts'
import { type Filter, resample } from '../../src/media/resize.ts'

export interface Rgb {
  width: number
  height: number
  data: Uint8Array // [height, width, 3]
}

const byte = (value: number) => Math.min(255, Math.max(0, value))

export function decoded(pixels: Pixels): Rgb {
  const { width, height } = pixels
  const colour = pixels.format === 'RGBA' ? (x: number, y: number) => pixels.data.subarray((y * width + x) * 4) : converted(pixels)
  const data = new Uint8Array(width * height * 3)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const own = colour(x, y)
      for (let c = 0; c < 3; c++) data[(y * width + x) * 3 + c] = own[c]!
    }
  }
  return { width, height, data }
}

function converted(pixels: YuvPixels): (x: number, y: number) => number[] {
  const { data, planes, width, height, matrix, fullRange } = pixels
  const [start, luma, vRed, uGreen, vGreen, uBlue] = yuvFactors(matrix, fullRange) as [number, number, number, number, number, number]
  const at = (plane: number, x: number, y: number) => data[planes[plane]!.offset + y * planes[plane]!.stride + x]!
  const u = (x: number, y: number) => (pixels.format === 'NV12' ? at(1, 2 * x, y) : at(1, x, y))
  const v = (x: number, y: number) => (pixels.format === 'NV12' ? at(1, 2 * x + 1, y) : at(2, x, y))
  const across = Math.ceil(width / 2) - 1
  const down = Math.ceil(height / 2) - 1
  return (x, y) => {
    const [cu, cv] = [u, v].map((plane) => bilinear(plane, (x + 0.5) / 2 - 0.5, (y + 0.5) / 2 - 0.5, across, down) - 128) as [
      number,
      number,
    ]
    const light = (at(0, x, y) - start) * luma
    return [light + cv * vRed, light + cu * uGreen + cv * vGreen, light + cu * uBlue].map((value) =>
      byte(Math.floor(value / 2 ** 16 + 0.5)),
    )
  }
}

/** Exact: the fractions are quarters. */
function bilinear(plane: (x: number, y: number) => number, x: number, y: number, across: number, down: number): number {
  const [left, top] = [Math.floor(x), Math.floor(y)]
  const within = (value: number, most: number) => Math.min(most, Math.max(0, value))
  let sum = 0
  for (const [dx, wx] of [1 - (x - left), x - left].entries()) {
    for (const [dy, wy] of [1 - (y - top), y - top].entries()) {
      sum += wx * wy * plane(within(left + dx, across), within(top + dy, down))
    }
  }
  return sum
}

/** Across first, then down; bytes in between. */
export function resized(picture: Rgb, width: number, height: number, filter: Filter): Rgb {
  const across = resample(picture.width, width, filter)
  const down = resample(picture.height, height, filter)
  const middle = new Uint8Array(picture.height * width * 3)
  for (let y = 0; y < picture.height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++) {
        middle[(y * width + x) * 3 + c] = mixed(across, x, (column) => picture.data[(y * picture.width + column) * 3 + c]!)
      }
    }
  }
  const data = new Uint8Array(height * width * 3)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++) data[(y * width + x) * 3 + c] = mixed(down, y, (row) => middle[(row * width + x) * 3 + c]!)
    }
  }
  return { width, height, data }
}

function mixed({ first, counts, weights, taps, bits }: ReturnType<typeof resample>, i: number, at: (index: number) => number): number {
  let sum = 2 ** (bits - 1)
  for (let j = 0; j < counts[i]!; j++) sum += weights[i * taps + j]! * at(first[i]! + j)
  return byte(Math.floor(sum / 2 ** bits))
}

/** Steps of frames as patches, in the order of the patches: [steps, blocks, patches of a block, 3, frames of a step, patch, patch]. */
export function patched(steps: readonly (readonly Rgb[])[], patch: number, merge: number): Uint8Array {
  const { width, height } = steps[0]![0]!
  const out: number[] = []
  for (const frames of steps)
    for (let blockRow = 0; blockRow < height / patch / merge; blockRow++)
      for (let blockColumn = 0; blockColumn < width / patch / merge; blockColumn++)
        for (let row = blockRow * merge; row < (blockRow + 1) * merge; row++)
          for (let column = blockColumn * merge; column < (blockColumn + 1) * merge; column++)
            for (let c = 0; c < 3; c++)
              for (const { data } of frames)
                for (let y = row * patch; y < (row + 1) * patch; y++)
                  for (let x = column * patch; x < (column + 1) * patch; x++) out.push(data[(y * width + x) * 3 + c]!)
  return Uint8Array.from(out)
}

/** [3, height, width] */
export function planes({ width, height, data }: Rgb): Uint8Array {
  return Uint8Array.from({ length: 3 * width * height }, (_, i) => data[(i % (width * height)) * 3 + Math.floor(i / (width * height))]!)
}

/** Bytes of 3 colours, `each` of one colour in a row, as values of mean 0 and deviation 1. */
export function normalised(bytes: Uint8Array, each: number, mean: readonly number[], std: readonly number[]): Float64Array {
  return Float64Array.from(bytes, (value, i) => {
    const c = Math.floor(i / each) % 3
    return (value / 255 - mean[c]!) / std[c]!
  })
}
