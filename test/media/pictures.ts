// The pictures of test/fixtures/pictures with what PIL makes of them, and how far from it pixels are.
import type { RgbaPixels } from '../../src/media/pixels.ts'

export interface Golden {
  name: string
  /** Width and height in the file, before it is turned. */
  stored: [number, number]
  lossy: boolean
  animated: boolean
  orientation: number
  width: number
  height: number
  /** Byte in expected.rgb. */
  offset: number
}

/** The largest difference to the expected pixels; also fails for sizes, alpha and length. */
export function difference(pixels: RgbaPixels, golden: Golden, expected: Uint8Array): number {
  const { width, height, data } = pixels
  if (width !== golden.width || height !== golden.height || data.length !== width * height * 4) return Number.POSITIVE_INFINITY
  let most = 0
  for (let i = 0; i < width * height; i++) {
    if (data[4 * i + 3] !== 255) return Number.POSITIVE_INFINITY
    for (let k = 0; k < 3; k++) most = Math.max(most, Math.abs(data[4 * i + k]! - expected[golden.offset + 3 * i + k]!))
  }
  return most
}

/** alphas.png over white, by rational numbers: each color with each alpha. */
export function alphaTable(): Uint8Array {
  const over = (color: number, alpha: number) => Math.round((color * alpha + 255 * (255 - alpha)) / 255)
  const pixel = (x: number, y: number) => [over(x, y), over(255 - x, y), over((7 * x + y) % 256, y), 255]
  return Uint8Array.from(Array.from({ length: 65536 }, (_, i) => pixel(i & 255, i >> 8)).flat())
}
