// The one field of EXIF that counts here: which way up a picture is. EXIF that makes no sense is as good as none.
import { type Asking, type Chunk, take, text } from './picture_bytes.ts'
import type { Hidden } from './picture_header.ts'

const ORIENTATION = 0x0112

export interface Exif {
  /** 1 to 8. */
  orientation: number
  /** The field's tag; with zeros there, no decoder finds it. */
  hide: Hidden[]
}

/** `chunk` begins with "Exif\0\0" or with the TIFF header that follows it. */
export function* exifOrientation(chunk: Chunk): Asking<Exif> {
  const none: Exif = { orientation: 1, hide: [] }
  if (chunk.end - chunk.at < 14) return none
  const marked = text(yield* take(chunk, 0, 6)) === 'Exif\0\0'
  const tiff = { at: chunk.at + (marked ? 6 : 0), end: chunk.end }
  const head = yield* take(tiff, 0, 8)
  const order = text(head, 0, 2)
  const little = order === 'II'
  if ((!little && order !== 'MM') || head.getUint16(2, little) !== 42) return none
  const start = head.getUint32(4, little)
  if (tiff.at + start + 2 > tiff.end) return none
  const asked = (yield* take(tiff, start, 2)).getUint16(0, little)
  const count = Math.min(asked, Math.floor((tiff.end - tiff.at - start - 2) / 12))
  const fields = yield* take(tiff, start + 2, 12 * count)
  for (let i = 0; i < count; i++) {
    if (fields.getUint16(12 * i, little) !== ORIENTATION) continue
    const orientation = value(fields, 12 * i, little)
    return {
      orientation: orientation >= 1 && orientation <= 8 ? orientation : 1,
      hide: [{ at: tiff.at + start + 2 + 12 * i, length: 2, zeros: true }],
    }
  }
  return none
}

/** SHORT or LONG, one of them. */
function value(fields: DataView, at: number, little: boolean): number {
  if (fields.getUint32(at + 4, little) !== 1) return 1
  const type = fields.getUint16(at + 2, little)
  return type === 3 ? fields.getUint16(at + 8, little) : type === 4 ? fields.getUint32(at + 8, little) : 1
}
