// A still picture of a screen, a window or a tab that the person chooses: shared for as long as one frame takes, then given back.
import { GlmError, openScreen } from 'glm-webgpu'

/** From a click. Throws as `openScreen` does. */
export async function captureScreen(signal?: AbortSignal): Promise<HTMLCanvasElement> {
  const capture = await openScreen(signal ? { signal } : {})
  const video = document.createElement('video')
  try {
    video.muted = true
    video.srcObject = capture.stream
    await Promise.race([playing(video), capture.ended])
    const canvas = document.createElement('canvas')
    canvas.width = video.videoWidth
    canvas.height = video.videoHeight
    if (canvas.width === 0) throw new GlmError('closed', 'The screen was given back before a picture of it came; try again.')
    canvas.getContext('2d')!.drawImage(video, 0, 0)
    return canvas
  } finally {
    video.srcObject = null
    capture.close()
  }
}

async function playing(video: HTMLVideoElement): Promise<void> {
  const frame = new Promise<void>((resolve) => video.requestVideoFrameCallback(() => resolve()))
  await video.play()
  await frame
}
