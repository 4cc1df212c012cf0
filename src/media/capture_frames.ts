// Pictures of a stream with their own times: from a track processor where there is one, else from a video element that is not shown.
// A camera has few buffers (Chromium's stops when two frames are held), so a frame is copied and given back at once.
import { asGlmError, GlmError } from '../errors.ts'
import { deferred, type Platform, reading, type Source, type Take } from './capture_source.ts'

/** Says of a frame, before it is copied, whether it is taken: µs of its clock, ms of the page's. */
export type Wants = (media: number, received: number) => boolean

/** Frames that are not wanted are closed unseen. */
export function frames(stream: MediaStream, wants: Wants, take: Take<VideoFrame>, platform: Platform): Source {
  if (!platform.Processor) return watching(stream, wants, take, platform)
  const { readable } = new platform.Processor({ track: stream.getVideoTracks()[0]! })
  const each = async (frame: VideoFrame, received: number) => {
    if (wants(frame.timestamp, received)) take(frame.timestamp, received, await copied(frame))
  }
  return reading(readable as ReadableStream<VideoFrame>, each, platform.now)
}

/** Safari and Firefox. A page in the background gets no calls, so nothing comes meanwhile. */
function watching(stream: MediaStream, wants: Wants, take: Take<VideoFrame>, { now }: Platform): Source {
  if (!('VideoFrame' in globalThis && 'requestVideoFrameCallback' in HTMLVideoElement.prototype))
    throw new GlmError(
      'request_invalid',
      'This browser gives no frames of a stream (VideoFrame, requestVideoFrameCallback); use a newer one.',
    )
  const video = silent(stream)
  const { promise, resolve, reject } = deferred()
  let [busy, call] = [false, 0]
  const look = async (_: number, { mediaTime, captureTime }: VideoFrameCallbackMetadata) => {
    call = video.requestVideoFrameCallback(look)
    const media = Math.round(mediaTime * 1e6)
    const received = captureTime ?? now()
    if (busy || !wants(media, received)) return
    busy = true
    await grab(video, media, (frame) => take(media, received, frame)).catch(reject)
    busy = false
  }
  const close = () => {
    video.cancelVideoFrameCallback(call)
    video.srcObject = null
    resolve()
  }
  call = video.requestVideoFrameCallback(look)
  video.play().catch((error) => reject(asGlmError(error, 'request_invalid', 'The browser does not play the stream: ')))
  return { done: promise.finally(close), close }
}

function silent(stream: MediaStream): HTMLVideoElement {
  const video = document.createElement('video')
  video.muted = true
  video.playsInline = true
  video.srcObject = stream
  return video
}

async function grab(video: HTMLVideoElement, timestamp: number, take: (frame: VideoFrame) => void): Promise<void> {
  const frame = new VideoFrame(video, { timestamp })
  try {
    take(await copied(frame))
  } finally {
    frame.close()
  }
}

/** The same bits in memory of its own; where the browser hides the format, what it would draw. */
async function copied(frame: VideoFrame): Promise<VideoFrame> {
  const { format, timestamp, colorSpace, visibleRect } = frame
  if (!format || !visibleRect) return drawn(frame)
  const { rotation, flip } = frame as { rotation?: number; flip?: boolean } // how a phone was held; newer than the types
  const data = new Uint8Array(frame.allocationSize())
  const layout = await frame.copyTo(data)
  const size = { codedWidth: visibleRect.width, codedHeight: visibleRect.height }
  const init = { format, timestamp, colorSpace, layout, ...size, rotation, flip, transfer: [data.buffer] }
  return new VideoFrame(data, init)
}

async function drawn(frame: VideoFrame): Promise<VideoFrame> {
  const bitmap = await createImageBitmap(frame)
  const copy = new VideoFrame(bitmap, { timestamp: frame.timestamp })
  bitmap.close()
  return copy
}
