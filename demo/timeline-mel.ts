// Mel pictures of a sound, made on the GPU where there is one: loud is bright, low is below.
import { type MelInput, openPreparer, type Preparer } from 'glm-webgpu'
import { heat } from './timeline-colors.ts'
import type { MelPicture } from './timeline-wave.ts'

const MELS = 80
/** Frames of mel a second, and how many are kept of one sound: hours come as means of several. */
const FRAMES = 100
const MOST = 30_000
/** log10 of a power: what is drawn as silence, and as loudest. */
const QUIET = -6
const LOUD = 2

export class MelPainter {
  readonly #preparer: Preparer
  readonly #pool: number

  constructor(preparer: Preparer, seconds: number) {
    this.#preparer = preparer
    this.#pool = Math.max(1, Math.ceil((seconds * FRAMES) / MOST))
  }

  /** Undefined where the sound is too short, or the GPU is gone: a waveform stands without it. */
  async paint(sound: MelInput): Promise<MelPicture | undefined> {
    try {
      const { values, times, mask } = await this.#preparer.mel(sound, { mels: MELS, normalize: 'none' })
      const half = 0.5 / FRAMES
      return { start: times[0]! - half, end: times.at(-1)! + half, picture: await painted(values, mask, this.#pool) }
    } catch {
      return undefined
    }
  }

  close(): void {
    this.#preparer.close()
  }
}

/** Undefined where there is no GPU, which is no error here. */
export async function openMelPainter(seconds: number): Promise<MelPainter | undefined> {
  try {
    return new MelPainter(await openPreparer(), seconds)
  } catch {
    return undefined
  }
}

/** `values` [mels, frames]; frames that hear a gap stay clear. */
async function painted(values: Float32Array, mask: Uint8Array, pool: number): Promise<ImageBitmap> {
  const frames = mask.length
  const width = Math.ceil(frames / pool)
  const image = new ImageData(width, MELS)
  for (let mel = 0; mel < MELS; mel++) {
    for (let x = 0; x < width; x++) {
      let [sum, count] = [0, 0]
      for (let t = x * pool; t < Math.min(frames, (x + 1) * pool); t++) {
        if (!mask[t]) continue
        sum += values[mel * frames + t]!
        count++
      }
      if (count > 0) image.data.set([...heat((sum / count - QUIET) / (LOUD - QUIET)), 255], ((MELS - 1 - mel) * width + x) * 4)
    }
  }
  return createImageBitmap(image)
}
