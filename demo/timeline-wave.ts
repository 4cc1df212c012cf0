// The shape of a sound: the lowest and highest sample of every 2.5 ms and of every quarter second, kept in stretches of 10 s, so that hours are drawn
// without their samples.

/** Buckets a second, and in a stretch. */
export const BUCKETS = 400
const STRETCH = 10 * BUCKETS
/** Fine buckets in a coarse one. */
const COARSE = 100

/** Fine buckets first, coarse ones behind them. */
interface Stretch {
  low: Float32Array
  high: Float32Array
}

/** A picture of a stretch's mel, from `start` to `end` in seconds. */
export interface MelPicture {
  start: number
  end: number
  picture: ImageBitmap
}

export class Wave {
  readonly #stretches = new Map<number, Stretch>()
  readonly mel: MelPicture[] = []
  /** Up to here it is known, in seconds of the track. */
  until = -Infinity

  /** Samples of all channels from `start` seconds on. */
  add(channels: readonly Float32Array[], sampleRate: number, start: number): void {
    const count = channels[0]?.length ?? 0
    for (let from = 0; from < count; ) {
      const bucket = Math.floor((start + from / sampleRate) * BUCKETS + 1e-6)
      const to = Math.min(count, Math.max(from + 1, Math.ceil(((bucket + 1) / BUCKETS - start) * sampleRate - 1e-6)))
      let [low, high] = [Infinity, -Infinity]
      for (const samples of channels) {
        for (let i = from; i < to; i++) {
          low = Math.min(low, samples[i]!)
          high = Math.max(high, samples[i]!)
        }
      }
      this.#put(bucket, low, high)
      from = to
    }
    this.until = Math.max(this.until, start + count / sampleRate)
  }

  /** Lowest and highest in [from, to) seconds; undefined where there is no sound. */
  peaks(from: number, to: number): [number, number] | undefined {
    let [low, high] = [Infinity, -Infinity]
    // Wide pixels look at coarse buckets: a whole hour is 14,400 of them.
    const [size, base] = to - from > (2 * COARSE) / BUCKETS ? [COARSE, STRETCH] : [1, 0]
    const first = Math.floor((from * BUCKETS) / size)
    const last = Math.max(first + 1, Math.ceil((to * BUCKETS) / size))
    for (let bucket = first; bucket < last; bucket++) {
      const key = Math.floor((bucket * size) / STRETCH)
      const stretch = this.#stretches.get(key)
      if (!stretch) continue
      const at = base + bucket - (key * STRETCH) / size
      low = Math.min(low, stretch.low[at]!)
      high = Math.max(high, stretch.high[at]!)
    }
    return low <= high ? [low, high] : undefined
  }

  /** Forgets what lies before: live sound has no end. */
  trim(before: number): void {
    for (const key of this.#stretches.keys()) if ((key + 1) * STRETCH < before * BUCKETS) this.#stretches.delete(key)
  }

  close(): void {
    this.#stretches.clear()
    for (const { picture } of this.mel.splice(0)) picture.close()
  }

  #put(bucket: number, low: number, high: number): void {
    const key = Math.floor(bucket / STRETCH)
    let stretch = this.#stretches.get(key)
    if (!stretch) {
      const length = STRETCH + STRETCH / COARSE
      stretch = { low: new Float32Array(length).fill(Infinity), high: new Float32Array(length).fill(-Infinity) }
      this.#stretches.set(key, stretch)
    }
    const fine = bucket - key * STRETCH
    for (const at of [fine, STRETCH + Math.floor(fine / COARSE)]) {
      stretch.low[at] = Math.min(stretch.low[at]!, low)
      stretch.high[at] = Math.max(stretch.high[at]!, high)
    }
  }
}
