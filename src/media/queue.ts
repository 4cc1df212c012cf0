// What a live track holds until its cells are out: samples by time, never more than a limit.
import type { Ticks } from './ticks.ts'
import type { Steps, Times, Work } from './times.ts'

export interface Sample {
  /** In ticks of the timeline. */
  time: Ticks
  /** As the stream gave it, in its own clock. */
  media: number
  /** In ms. */
  received: number
  value: unknown
}

const OPEN: Steps = { min: Infinity, median: Infinity, max: Infinity, variation: 0 }

/** Rising times for the policies; the front is taken off as cells go out. */
export class Queue implements Times {
  /** A live track has no step of its own: tolerance and gaps are what the caller says. */
  readonly steps = OPEN
  #samples: Sample[] = []
  #head = 0

  get length(): number {
    return this.#samples.length - this.#head
  }

  at(rank: number): Ticks {
    return this.sample(rank).time
  }

  sample(rank: number): Sample {
    return this.#samples[this.#head + rank]!
  }

  /** The last rank at or before t, by halves. */
  seek(t: Ticks, _from: number, work: Work): number {
    let low = -1
    let high = this.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      work.steps++
      if (this.at(middle) <= t) low = middle
      else high = middle - 1
    }
    return low
  }

  /** Puts a sample where its time belongs; true where that was not the end. */
  insert(sample: Sample): boolean {
    const rank = this.length === 0 || this.at(this.length - 1) <= sample.time ? this.length : this.seek(sample.time, -1, { steps: 0 }) + 1
    const early = rank < this.length
    if (early) this.#samples.splice(this.#head + rank, 0, sample)
    else this.#samples.push(sample)
    return early
  }

  /** Takes the first sample off. */
  shift(): Sample {
    const sample = this.#samples[this.#head++]!
    if (this.#head >= 64 && this.#head * 2 >= this.#samples.length) {
      this.#samples = this.#samples.slice(this.#head)
      this.#head = 0
    }
    return sample
  }
}
