// Pixels of what the browser can draw. A canvas multiplies colors by alpha, which loses nothing here: over white only color * alpha, rounded, counts.
import { GlmError } from '../errors.ts'
import { overWhite, type Rgba } from './picture_turn.ts'
import type { RgbaPixels } from './pixels.ts'

/** Width and height drawn at once: some browsers have no canvas beyond 2^24 pixels or 2^14 in a row, and draw nothing then. */
const TILE = { width: 4096, height: 1024 }

/** Over white; by tiles, through a canvas that stays in the CPU's memory. */
export function drawn(source: CanvasImageSource, width: number, height: number): RgbaPixels {
  const [across, down] = [Math.min(width, TILE.width), Math.min(height, TILE.height)]
  const context = new OffscreenCanvas(across, down).getContext('2d', { willReadFrequently: true })
  if (!context) throw new GlmError('out_of_memory', 'The browser gives no canvas to read the picture from; close other pages.')
  const data: Rgba = new Uint8Array(width * height * 4)
  for (let y = 0; y < height; y += down)
    for (let x = 0; x < width; x += across) {
      context.clearRect(0, 0, across, down)
      context.drawImage(source, -x, -y)
      const columns = Math.min(across, width - x)
      const tile = context.getImageData(0, 0, columns, Math.min(down, height - y)).data
      for (let row = 0; row < tile.length / columns / 4; row++)
        data.set(tile.subarray(row * columns * 4, (row + 1) * columns * 4), ((y + row) * width + x) * 4)
    }
  return { format: 'RGBA', width, height, data: overWhite(data) }
}
