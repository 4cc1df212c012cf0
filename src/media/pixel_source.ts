// A frame's pixels as the shader reads them: checked once, before their bytes are sent.
import { GlmError } from '../errors.ts'
import type { PixelSource } from '../kernels/patchify.ts'
import type { Pixels } from './pixels.ts'

/** Bytes from a plane's first sample to behind its last one. */
interface Extent {
  offset: number
  stride: number
  row: number
  rows: number
}

export function pixelSource(pixels: Pixels): PixelSource {
  const { format, width, height } = pixels
  if (!(Number.isSafeInteger(width) && Number.isSafeInteger(height) && width > 0 && height > 0))
    throw new GlmError('request_invalid', `A picture of ${width} × ${height} pixels has none: give whole numbers above 0.`)
  const planes = planesOf(pixels)
  const end = Math.max(...planes.map(({ offset, stride, row, rows }) => offset + stride * (rows - 1) + row))
  const sound = planes.every(({ offset, stride, row }) => Number.isSafeInteger(offset + stride) && offset >= 0 && stride >= row)
  if (!(sound && end <= pixels.data.length))
    throw new GlmError(
      'request_invalid',
      `${pixels.data.length} bytes are not a picture of ${width} × ${height} in ${format}: give all rows of all planes.`,
    )
  const { matrix, fullRange } = pixels.format === 'RGBA' ? { matrix: 'bt601' as const, fullRange: true } : pixels
  return { format, width, height, planes: planes.map(({ offset, stride }) => ({ offset, stride })), matrix, fullRange }
}

function planesOf(pixels: Pixels): Extent[] {
  const { width, height } = pixels
  if (pixels.format === 'RGBA') return [{ offset: 0, stride: 4 * width, row: 4 * width, rows: height }]
  const half = Math.ceil(width / 2)
  const rows = Math.ceil(height / 2)
  const extents = pixels.format === 'I420' ? [half, half] : pixels.format === 'NV12' ? [2 * half] : undefined
  if (!extents || pixels.planes.length !== extents.length + 1)
    throw new GlmError(
      'request_invalid',
      `Pixels of ${String(pixels.format)} with ${pixels.planes?.length} planes cannot be read: give RGBA, I420 or NV12.`,
    )
  const [luma, ...chroma] = pixels.planes
  return [{ ...luma!, row: width, rows: height }, ...chroma.map((plane, i) => ({ ...plane, row: extents[i]!, rows }))]
}

/** The bytes to send, a multiple of 4 of them: copied only where they end in the middle of a word. */
export function wordsOf({ data }: Pixels): Uint8Array<ArrayBuffer> {
  if (data.length % 4 === 0) return data
  const padded = new Uint8Array(Math.ceil(data.length / 4) * 4)
  padded.set(data)
  return padded
}
