// The last two steps to pixels: over white, and the right way up. Whole numbers throughout.
import type { RgbaPixels } from './pixels.ts'

export type Rgba = Uint8Array<ArrayBuffer>

/** Over white, in place: (color * alpha + 255 * (255 - alpha)) / 255 to the nearest. No half occurs, since 255 is odd. */
export function overWhite(data: Rgba): Rgba {
  for (let at = 0; at < data.length; at += 4) {
    const alpha = data[at + 3]!
    if (alpha === 255) continue
    const white = 255 * (255 - alpha) + 127
    data[at] = (data[at]! * alpha + white) / 255
    data[at + 1] = (data[at + 1]! * alpha + white) / 255
    data[at + 2] = (data[at + 2]! * alpha + white) / 255
    data[at + 3] = 255
  }
  return data
}

/** [columns come from the stored rows, columns count backwards, rows count backwards], by orientation - 1. */
const ways = [
  [false, false, false],
  [false, true, false],
  [false, true, true],
  [false, false, true],
  [true, false, false],
  [true, true, false],
  [true, true, true],
  [true, false, true],
] as const

/** The picture the right way up; `orientation` counts 1 to 8 as EXIF does. */
export function turned(pixels: RgbaPixels, orientation: number): RgbaPixels {
  const [swap, backX, backY] = ways[orientation - 1]!
  if (!swap && !backX && !backY) return pixels
  const [width, height] = swap ? [pixels.height, pixels.width] : [pixels.width, pixels.height]
  const source = new Uint32Array(pixels.data.buffer, pixels.data.byteOffset, pixels.width * pixels.height)
  const target = new Uint32Array(width * height)
  const [stepX, stepY] = swap ? [pixels.width, 1] : [1, pixels.width]
  const first = (backX ? (width - 1) * stepX : 0) + (backY ? (height - 1) * stepY : 0)
  for (let y = 0; y < height; y++) {
    let from = first + (backY ? -y : y) * stepY
    for (let x = 0; x < width; x++, from += backX ? -stepX : stepX) target[y * width + x] = source[from]!
  }
  return { format: 'RGBA', width, height, data: new Uint8Array(target.buffer) }
}
