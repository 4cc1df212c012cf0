// A video frame as pixels: I420 and NV12 stay planes, which the shaders read; all else becomes RGBA. The frame stays its owner's, who closes it.
import { asGlmError, GlmError } from '../errors.ts'
import { overWhite, turned } from './picture_turn.ts'
import type { Pixels, RgbaPixels, YuvPixels } from './pixels.ts'

/** In Chromium; elsewhere frames are never turned. */
type TurnedFrame = VideoFrame & { rotation?: number; flip?: boolean }

/** The visible rectangle, as it is to be seen: a frame that is turned or mirrored comes as RGBA. */
export async function framePixels(frame: VideoFrame): Promise<Pixels> {
  if ((frame.format === 'I420' || frame.format === 'NV12') && orientationOf(frame) === 1) return planes(frame, frame.format)
  return frameRgba(frame)
}

/** The visible rectangle in RGBA, over white, the right way up; the browser converts YUV by the frame's own color space. */
export async function frameRgba(frame: VideoFrame): Promise<RgbaPixels> {
  const { width, height } = visible(frame)
  const order = /^(RGB|BGR)(A|X)$/.exec(frame.format ?? '')
  const data = new Uint8Array(width * height * 4)
  // What has four bytes a pixel is copied as it is: asked for RGBA, Chromium divides RGBX by its idle fourth byte.
  await copied(frame, data, { ...(order ? {} : { format: 'RGBA' }), layout: [{ offset: 0, stride: width * 4 }] })
  if (order?.[1] === 'BGR') swap(data)
  if (order?.[2] === 'X') for (let at = 3; at < data.length; at += 4) data[at] = 255
  return turned({ format: 'RGBA', width, height, data: overWhite(data) }, orientationOf(frame))
}

/** Red with blue, in place. */
function swap(data: Uint8Array): void {
  for (let at = 0; at < data.length; at += 4) {
    const blue = data[at]!
    data[at] = data[at + 2]!
    data[at + 2] = blue
  }
}

async function planes(frame: VideoFrame, format: 'I420' | 'NV12'): Promise<YuvPixels> {
  const { width, height } = visible(frame)
  const [across, down] = [Math.ceil(width / 2), Math.ceil(height / 2)]
  const luma = { offset: 0, stride: width }
  const chroma = { offset: width * height, stride: format === 'NV12' ? 2 * across : across }
  const layout = format === 'NV12' ? [luma, chroma] : [luma, chroma, { offset: chroma.offset + across * down, stride: across }]
  const data = new Uint8Array(width * height + 2 * across * down)
  await copied(frame, data, { layout })
  return { format, width, height, data, planes: layout, matrix: matrixOf(frame), fullRange: frame.colorSpace.fullRange ?? false }
}

function visible(frame: VideoFrame): DOMRectReadOnly {
  if (!frame.visibleRect) throw new GlmError('closed', 'The frame is closed; read it before its owner closes it.')
  return frame.visibleRect
}

async function copied(frame: VideoFrame, data: Uint8Array<ArrayBuffer>, options: VideoFrameCopyToOptions): Promise<void> {
  await frame.copyTo(data, options).catch((error) => {
    throw asGlmError(
      error,
      'request_invalid',
      'The frame cannot be read; it may be closed or of a format that the browser does not convert: ',
    )
  })
}

const named: Record<string, YuvPixels['matrix']> = { bt709: 'bt709', bt470bg: 'bt601', smpte170m: 'bt601', 'bt2020-ncl': 'bt2020' }

/** Where the frame does not say: small pictures are BT.601, as players have it. */
function matrixOf(frame: VideoFrame): YuvPixels['matrix'] {
  const { width, height } = visible(frame)
  return named[frame.colorSpace.matrix ?? ''] ?? (width < 1280 && height <= 576 ? 'bt601' : 'bt709')
}

/** As EXIF counts it; a frame is mirrored after it is turned clockwise. */
function orientationOf({ rotation = 0, flip = false }: TurnedFrame): number {
  const quarters = (rotation / 90) & 3
  return (flip ? [2, 5, 4, 7] : [1, 6, 3, 8])[quarters]!
}
