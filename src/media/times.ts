// Where the samples of a track start: strictly rising ticks, either written out or as runs at a fixed rate. Found again by walking forward, counted.
import { select } from './select.ts'
import { at, type Grid, grid, indexAt, type Rate, type Ticks } from './ticks.ts'

/** Looks at samples and cells, counted: what a plan costs. */
export interface Work {
  steps: number
}

export interface Times {
  readonly length: number
  /** Start of the sample of this rank. */
  at(rank: number): Ticks
  /** The last rank at or before t, -1 for none; `from` is an answer for an earlier t. */
  seek(t: Ticks, from: number, work: Work): number
  readonly steps: Steps
  /** Set where every sample is at `start` + i / rate. */
  readonly rate?: Rate
}

/** What lies between one sample and the next, in ticks. */
export interface Steps {
  min: Ticks
  median: Ticks
  max: Ticks
  /** Standard deviation over mean. */
  variation: number
}

/** Times written out. */
export class Listed implements Times {
  readonly ticks: Float64Array
  readonly steps: Steps

  constructor(ticks: Float64Array) {
    this.ticks = ticks
    this.steps = stepsOf(ticks)
  }

  get length(): number {
    return this.ticks.length
  }

  at(rank: number): Ticks {
    return this.ticks[rank]!
  }

  /** Doubling strides, then halves: never more looks than twice the distance walked and three, so a whole plan is linear. */
  seek(t: Ticks, from: number, work: Work): number {
    const { ticks } = this
    let low = from
    let stride = 1
    work.steps++
    while (low + stride < ticks.length && ticks[low + stride]! <= t) {
      low += stride
      stride *= 2
      work.steps++
    }
    while (stride > 1) {
      stride /= 2
      work.steps++
      if (low + stride < ticks.length && ticks[low + stride]! <= t) low += stride
    }
    return low
  }
}

/** `count` samples at a fixed rate from `start`. */
export interface Run {
  start: Ticks
  rate: Rate
  count: number
}

interface Placed extends Run {
  grid: Grid
  /** Rank of its first sample. */
  first: number
}

/** Times by arithmetic: a run costs the same however many samples are in it. */
export class Runs implements Times {
  readonly length: number
  readonly steps: Steps
  readonly rate?: Rate
  readonly runs: readonly Placed[]
  #last = 0

  /** Runs in order, none reaching into the next. */
  constructor(runs: Run[]) {
    let length = 0
    this.runs = runs.map((run) => {
      const placed = { ...run, grid: grid(run.rate), first: length }
      length += run.count
      return placed
    })
    this.length = length
    this.steps = this.#steps()
    if (runs.length === 1) this.rate = runs[0]!.rate
  }

  at(rank: number): Ticks {
    const run = this.runs[this.#run(rank)]!
    return run.start + at(run.grid, rank - run.first)
  }

  seek(t: Ticks, from: number, work: Work): number {
    if (this.length === 0) return -1
    let k = from < 0 ? 0 : this.#run(from)
    work.steps++
    while (k + 1 < this.runs.length && this.runs[k + 1]!.start <= t) {
      k++
      work.steps++
    }
    this.#last = k
    const run = this.runs[k]!
    if (t < run.start) return run.first - 1
    return run.first + Math.min(run.count - 1, indexAt(run.grid, t - run.start))
  }

  /** The run that a rank is in: the last one asked for, or searched in halves. */
  #run(rank: number): number {
    const { runs } = this
    const inside = (k: number) => rank >= runs[k]!.first && rank < runs[k]!.first + runs[k]!.count
    if (inside(this.#last)) return this.#last
    let low = 0
    let high = runs.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (runs[middle]!.first <= rank) low = middle
      else high = middle - 1
    }
    this.#last = low
    return low
  }

  #steps(): Steps {
    if (this.length === 0) return { min: 0, median: 0, max: 0, variation: 0 }
    const longest = this.runs.reduce((a, b) => (b.count > a.count ? b : a))
    const median = at(longest.grid, 1)
    let [min, max] = [median, median]
    for (let k = 1; k < this.runs.length; k++) {
      const { first, start } = this.runs[k]!
      const step = start - this.at(first - 1)
      min = Math.min(min, step)
      max = Math.max(max, step)
    }
    return { min, median, max, variation: 0 }
  }
}

/** How many samples start before 0. */
export function before(times: Times): number {
  return times.length === 0 ? 0 : times.seek(-1, -1, { steps: 0 }) + 1
}

function stepsOf(ticks: Float64Array): Steps {
  const count = ticks.length - 1
  if (count < 1) return { min: 0, median: 0, max: 0, variation: 0 }
  const steps = new Float64Array(count)
  let [min, max, squares] = [Infinity, 0, 0]
  const mean = (ticks[count]! - ticks[0]!) / count
  for (let i = 0; i < count; i++) {
    const step = ticks[i + 1]! - ticks[i]!
    steps[i] = step
    min = Math.min(min, step)
    max = Math.max(max, step)
    squares += (step - mean) ** 2
  }
  return { min, median: select(steps, Math.floor((count - 1) / 2)), max, variation: Math.sqrt(squares / count) / mean }
}
