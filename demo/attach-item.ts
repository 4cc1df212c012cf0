// A picture or a video that goes with a message: opened as the model will read it, with a small picture of it, and made a part of the message.
import { type ContentPart, GlmError, openMedia, type RgbaPixels, readPicture } from 'glm-webgpu'
import { make } from './view.ts'

/** Frames that are taken as they are, with their times in seconds. */
export interface Clip {
  frames: HTMLCanvasElement[]
  times: number[]
}

export interface Attachment {
  kind: 'picture' | 'video'
  name: string
  /** A file; of a video drawn in the page its frames. */
  source: Blob | Clip
  width: number
  height: number
  /** One element: it moves from the message field to the conversation, and back. */
  thumb: HTMLCanvasElement
  /** Of a video, in seconds. */
  duration: number
  start?: number | undefined
  end?: number | undefined
}

/** Longest side of a small picture, in pixels: enough for screens of two device pixels each. */
const SMALL = 320

const pictures = /\.(png|jpe?g|webp|gif|bmp|avif)$/i
const videos = /\.(mp4|m4v|mov|webm|mkv|ts|m2ts)$/i

const isPicture = ({ type, name }: File): boolean => type.startsWith('image/') || (type === '' && pictures.test(name))

/** Whether it can be shown to a model, as far as its name and type tell. */
export const canAttach = (file: File): boolean => isPicture(file) || file.type.startsWith('video/') || videos.test(file.name)

/** Errors name the file. Nothing stays open. */
export async function openAttachment(file: File, signal: AbortSignal): Promise<Attachment> {
  try {
    return await (isPicture(file) ? picture : video)(file, signal)
  } catch (error) {
    throw error instanceof GlmError && error.code !== 'aborted'
      ? new GlmError(error.code, `${file.name}: ${error.message}`, { cause: error })
      : error
  }
}

async function picture(file: File, signal: AbortSignal): Promise<Attachment> {
  const pixels = await readPicture(file, { signal })
  const { width, height } = pixels
  const thumb = await drawn(pixels)
  return { kind: 'picture', name: file.name, source: file, width, height, thumb, duration: 0 }
}

async function drawn({ width, height, data }: RgbaPixels): Promise<HTMLCanvasElement> {
  const thumb = smallCanvas(width, height)
  const image = new ImageData(new Uint8ClampedArray(data.buffer as ArrayBuffer, data.byteOffset, data.length), width, height)
  const size = { resizeWidth: thumb.width, resizeHeight: thumb.height, resizeQuality: 'medium' } as const
  const bitmap = await createImageBitmap(image, size)
  thumb.getContext('2d')!.drawImage(bitmap, 0, 0)
  bitmap.close()
  return thumb
}

async function video(file: File, signal: AbortSignal): Promise<Attachment> {
  const media = await openMedia(file, { signal })
  try {
    const { video, duration } = media
    if (!video || video.times.length === 0)
      throw new GlmError('file_invalid', 'the file has no video that can be decoded here; convert it to MP4 (H.264).')
    const { width, height } = video
    const thumb = smallCanvas(width, height)
    const frame = await video.frame(0, { signal })
    thumb.getContext('2d')!.drawImage(frame, 0, 0, thumb.width, thumb.height)
    frame.close()
    return { kind: 'video', name: file.name, source: file, width, height, thumb, duration }
  } finally {
    media.close()
  }
}

function smallCanvas(width: number, height: number): HTMLCanvasElement {
  const scale = Math.min(1, SMALL / Math.max(width, height))
  const canvas = make('canvas', { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) })
  canvas.role = 'img'
  return canvas
}

/** What the model is given: of a video all of it, or a stretch. */
export function partOf({ kind, source, start, end }: Attachment): ContentPart {
  if (kind === 'picture') return { type: 'image', image: source as Blob }
  return { type: 'video', video: source, ...(start !== undefined && { start }), ...(end !== undefined && { end }) }
}
