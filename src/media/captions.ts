// A track of captions: cues by start, the longer first, each over [start, end). They may overlap, so a cell has a list of them.
import type { Ledger } from './faults.ts'
import { fromSeconds, type Ticks } from './ticks.ts'
import { before, Listed, type Work } from './times.ts'
import { shift, type TextInput, type Track } from './tracks.ts'

export function textTrack(id: string, input: TextInput, ledger: Ledger): Track {
  const { cues } = input
  const ends = new Float64Array(cues.length)
  const starts = new Float64Array(cues.length)
  const good: number[] = []
  let first: number | undefined
  for (let i = 0; i < cues.length; i++) {
    starts[i] = tick(cues[i]!.start)
    ends[i] = tick(cues[i]!.end)
    if (ends[i]! > starts[i]!) good.push(i)
    else first ??= i
  }
  const bad = cues.length - good.length
  ledger.note('BAD_CUE', id, bad, first, `${bad} cues have no length, or times that are none.`)
  if (good.length === 0) ledger.note('EMPTY', id, 1, undefined, 'It has no cues.')
  const reordered = inOrder(id, good, starts, ends, ledger)
  const order = Int32Array.from(good)
  const times = new Listed(Float64Array.from(order, (i) => starts[i]!))
  const moved = order.some((index, rank) => index !== rank)
  const repairs = { reordered, duplicates: 0, dropped: bad, priming: before(times) }
  return {
    id,
    kind: 'text',
    times,
    ends: Float64Array.from(order, (i) => ends[i]!),
    ...(moved ? { order } : {}),
    cues,
    count: cues.length,
    last: 1,
    offset: shift(id, input),
    repairs,
  }
}

/** Sorts by start, then the longer first; only a start before the last one is a fault. */
function inOrder(id: string, good: number[], starts: Float64Array, ends: Float64Array, ledger: Ledger): number {
  let [count, first] = [0, -1]
  for (let k = 1; k < good.length; k++) {
    if (starts[good[k]!]! >= starts[good[k - 1]!]!) continue
    count++
    if (first < 0) first = good[k]!
  }
  ledger.note('REORDERED', id, count, first, `${count} cues start before the one before them; sort them.`)
  good.sort((a, b) => starts[a]! - starts[b]! || ends[b]! - ends[a]! || a - b)
  return count
}

/** Walks cells and cues together: which cues overlap [from, to) of each cell, in order of start. Work is cells + cues + what comes out. */
export class Sweep {
  #next = 0
  #open: number[] = []
  readonly #track: Track

  constructor(track: Track) {
    this.#track = track
  }

  /** Ranks of the cues that overlap; `from` must not fall. */
  overlapping(from: Ticks, to: Ticks, work: Work): readonly number[] {
    const { times, ends } = this.#track
    while (this.#next < times.length && times.at(this.#next) < to) {
      this.#open.push(this.#next++)
      work.steps++
    }
    work.steps += 1 + this.#open.length
    if (this.#open.some((rank) => ends![rank]! <= from)) this.#open = this.#open.filter((rank) => ends![rank]! > from)
    return this.#open
  }
}

function tick(seconds: unknown): Ticks {
  return typeof seconds === 'number' && Math.abs(seconds) < 12_700_000 ? fromSeconds(seconds) : Number.NaN
}
