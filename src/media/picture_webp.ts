// The first frame of an animated WebP, for a decoder that knows no animations. It takes the frame's chunks as they stand, without RIFF around them.
import { invalid, text } from './picture_bytes.ts'

/** Its place on the canvas comes along. */
export function firstFrame(bytes: Uint8Array<ArrayBuffer>): { frame: Uint8Array<ArrayBuffer>; x: number; y: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 12; at + 24 <= bytes.length; ) {
    const length = view.getUint32(at + 4, true)
    if (text(view, at, 4) === 'ANMF') {
      if (length < 16 || at + 8 + length > bytes.length) break
      return { frame: bytes.subarray(at + 24, at + 8 + length), x: 2 * low24(view, at + 8), y: 2 * low24(view, at + 11) }
    }
    at += 8 + length + (length & 1)
  }
  throw invalid('The animated WebP has no whole frame; save it again.')
}

const low24 = (view: DataView, at: number) => view.getUint16(at, true) + 65536 * view.getUint8(at + 2)
