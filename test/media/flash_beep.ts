// Where a clip flashes and beeps, measured: the first frame that is white, and the onset of 1 kHz to a few microseconds.
import type { Media } from '../../src/media/open.ts'
import type { Segment } from '../../src/media/segments.ts'

const [TONE, LENGTH] = [1000, 0.1]

/** Start of the first frame whose middle luma is bright, in seconds of the file. */
export async function flashTime(media: Media): Promise<number> {
  let k = 0
  const { times, frames } = media.video!
  for await (const frame of frames(times.keys())) {
    const luma = await meanLuma(frame)
    frame.close()
    if (luma > 180) return times[k]!
    k++
  }
  throw new Error('no frame is white')
}

/** Mean of the Y plane, or of green. */
export async function meanLuma(frame: VideoFrame): Promise<number> {
  const data = await planeOf(frame)
  return data.reduce((a, b) => a + b, 0) / data.length
}

/** The Y plane without its padding, or green. */
export async function planeOf(frame: VideoFrame): Promise<Uint8Array> {
  const { width, height } = frame.visibleRect!
  const bytes = new Uint8Array(frame.allocationSize())
  const [{ offset, stride }] = (await frame.copyTo(bytes)) as [PlaneLayout]
  const step = frame.format?.startsWith('I4') || frame.format === 'NV12' ? 1 : 4
  return Uint8Array.from({ length: width * height }, (_, i) => bytes[offset + Math.floor(i / width) * stride + (i % width) * step]!)
}

/**
 * Onset of a beep of a tenth of a second: the centre of its energy is half of that later, whatever smears it evenly; the phase of the tone there then says
 * it within the millisecond.
 */
export function onset(segments: Segment[], sampleRate: number): number {
  const samples = segments.flatMap(({ start, samples }) => {
    const values = Array.isArray(samples) ? samples[0]! : samples!
    return Array.from(values, (value, i) => ({ t: start! + i / sampleRate, value }))
  })
  const energy = samples.reduce((sum, { value }) => sum + value * value, 0)
  if (!(energy > 1)) throw new Error(`no beep: energy ${energy}`)
  let centre = samples.reduce((sum, { t, value }) => sum + t * value * value, 0) / energy
  const near = () => samples.filter(({ t }) => Math.abs(t - centre) < LENGTH * 0.8)
  for (let pass = 0; pass < 3; pass++) {
    const around = near()
    const weight = around.reduce((sum, { value }) => sum + value * value, 0)
    centre = around.reduce((sum, { t, value }) => sum + t * value * value, 0) / weight
  }
  return inPhase(samples, centre - LENGTH / 2)
}

function inPhase(samples: { t: number; value: number }[], guess: number): number {
  let [re, im] = [0, 0]
  for (const { t, value } of samples) {
    if (t < guess || t > guess + LENGTH) continue
    re += value * Math.sin(2 * Math.PI * TONE * (t - guess))
    im += value * Math.cos(2 * Math.PI * TONE * (t - guess))
  }
  return guess - Math.atan2(im, re) / (2 * Math.PI * TONE)
}
