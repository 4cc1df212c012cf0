// Lanes of what is live: pictures and sound as they came, with their own times, small enough to keep two minutes of them.
import type { Sound, Timeline } from 'glm-webgpu'
import { showPicture } from './timeline-cell.ts'
import { type Lane, newLane } from './timeline-lane.ts'
import { type Shown, small, type Thumbs } from './timeline-thumbs.ts'
import { Wave } from './timeline-wave.ts'

/** Pictures as they came: one small bitmap each, and their own times. */
export class Pictures implements Thumbs {
  readonly lane: Lane
  readonly #times: number[] = []
  readonly #pictures: ImageBitmap[] = []
  aspect = 16 / 9

  /** `step` is how long the last of them stands, in seconds. */
  constructor(id: string, from: string, step: number) {
    const [times, thumbs] = [this.#times, this]
    const content = {
      kind: 'video',
      times,
      thumbs,
      get end() {
        return (times.at(-1) ?? 0) + step
      },
    } as const
    const add = (timeline: Timeline, name: string) => void timeline.video(name, { times: Float64Array.from(times), duration: step })
    this.lane = newLane(id, from, content, 0, add)
  }

  take(value: unknown, time: number): void {
    const frame = value as VideoFrame
    if (time <= (this.#times.at(-1) ?? -Infinity) || frame.codedWidth === 0) return
    this.aspect = frame.displayWidth / frame.displayHeight
    showPicture(frame, frame.displayWidth, frame.displayHeight)
    this.#times.push(time)
    this.#pictures.push(small(frame, this.aspect))
    this.lane.count = this.#times.length
  }

  trim(before: number): void {
    while (this.#times.length > 0 && this.#times[0]! < before) {
      this.#times.shift()
      this.#pictures.shift()!.close()
    }
    this.lane.count = this.#times.length
  }

  get(index: number): ImageBitmap | undefined {
    return this.#pictures[index]
  }

  want(): void {}

  rest(): void {}

  readonly frames = async function* (this: Pictures, indices: number[]): AsyncGenerator<Shown> {
    for (const index of indices) yield await createImageBitmap(this.#pictures[index]!)
  }.bind(this)

  close(): void {
    for (const picture of this.#pictures.splice(0)) picture.close()
  }
}

/** Sound as it came: its shape, and where each block stood. */
export class Noise {
  readonly lane: Lane
  readonly #wave = new Wave()
  #blocks: { start: number; count: number }[] = []
  #rate = 48_000

  constructor(id: string, from: string) {
    const wave = this.#wave
    const blocks = () => this.#blocks
    const rate = () => this.#rate
    const content = {
      kind: 'audio',
      wave,
      get start() {
        return blocks()[0]?.start ?? 0
      },
      get end() {
        return wave.until
      },
    } as const
    const add = (timeline: Timeline, name: string) => void timeline.audio(name, { sampleRate: rate(), segments: joined(blocks(), rate()) })
    this.lane = newLane(id, from, content, 0, add)
  }

  /** All blocks of a cell; `time` is the first one's, the others follow by the device's own clock. */
  take(value: unknown, time: number): void {
    const sounds = value as Sound[]
    for (const { timestamp, sampleRate, channels } of sounds) {
      const start = time + (timestamp - sounds[0]!.timestamp) / 1e6
      this.#rate = sampleRate
      this.#wave.add(channels, sampleRate, start)
      this.#blocks.push({ start, count: channels[0]!.length })
      this.lane.count += channels[0]!.length
    }
  }

  trim(before: number): void {
    this.#wave.trim(before)
    while (this.#blocks[0] && this.#blocks[0].start < before) this.lane.count -= this.#blocks.shift()!.count
  }

  close(): void {
    this.#wave.close()
  }
}

/** Blocks that follow each other within 5 ms count as one stretch, as those of a file do. */
function joined(blocks: readonly { start: number; count: number }[], rate: number): { start: number; count: number }[] {
  const out: { start: number; count: number }[] = []
  for (const { start, count } of blocks) {
    const last = out.at(-1)
    if (last && Math.abs(last.start + last.count / rate - start) < 0.005) last.count += count
    else out.push({ start, count })
  }
  return out
}
