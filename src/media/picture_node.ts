// Decoding where there is no browser: JPEG by libjpeg-turbo, WebP by libwebp, PNG by ourselves. No page ever imports this.
import { GlmError } from '../errors.ts'
import type { PictureHeader } from './picture_header.ts'
import { decodePng } from './picture_png.ts'
import type { Rgba } from './picture_turn.ts'
import { decodeJpeg, decodeWebp } from './picture_wasm.ts'

export interface Decoded {
  width: number
  height: number
  /** [height, width, 4], colors not multiplied by alpha, as stored: not turned. */
  data: Rgba
}

/** Throws `file_invalid`, `file_truncated`, `out_of_memory` and nothing else. */
export async function decodePicture(bytes: Uint8Array<ArrayBuffer>, header: PictureHeader): Promise<Decoded> {
  if (header.format === 'png') return decodePng(bytes)
  if (header.format === 'jpeg') return decodeJpeg(bytes)
  if (header.format === 'webp') return decodeWebp(bytes, header)
  throw new GlmError('file_invalid', `Node decodes PNG, JPEG and WebP, not ${header.format}; convert the picture to one of them.`)
}
