// Times as given become times in order: seconds, ticks or a container's own clock; bad ones dropped, unsorted ones sorted, equal ones made one.
import { fault, type Ledger } from './faults.ts'
import { at, fromSeconds, grid, isTicks, type RateLike, type Seconds, type Ticks } from './ticks.ts'
import { before, Listed, Runs, type Times } from './times.ts'
import type { Duplicates, Track } from './tracks.ts'

/** One of four ways to say when samples are. */
export interface TimesInput {
  /** Seconds. */
  times?: ArrayLike<Seconds>
  /** Ticks of 1/705 600 000 s. */
  ticks?: ArrayLike<Ticks>
  /** Whole numbers of the container's clock, `timebase` of them a second: { num: 90000, den: 1 }, { num: 1000000, den: 1 } for microseconds. */
  native?: ArrayLike<number>
  timebase?: RateLike
  /** Sample i at start + i / rate; the number of samples from `count`, or from the frames or values. */
  rate?: RateLike
  count?: number
  start?: Seconds
}

export type Placed = Pick<Track, 'times' | 'order' | 'count' | 'repairs'> & { same?: Int32Array[] }

/** `keep` lets events share a time. */
export function place(
  id: string,
  input: TimesInput & { fps?: RateLike },
  known: number | undefined,
  duplicates: Duplicates | 'keep' = 'last',
  ledger: Ledger,
): Placed {
  const listed = input.ticks ?? input.native ?? input.times
  if (!listed) return uniform(id, input, known, ledger)
  if (known !== undefined && known !== listed.length) {
    throw fault('E_RANGE', id, `${listed.length} times for ${known} samples: give one for each.`)
  }
  const placed = repaired(id, stamps(id, input, listed), duplicates, ledger)
  if (input.fps !== undefined) claimed(id, input.fps, placed.times, ledger)
  return placed
}

function uniform(id: string, input: TimesInput & { fps?: RateLike }, known: number | undefined, ledger: Ledger): Placed {
  const rate = input.rate ?? input.fps
  const count = input.count ?? known
  if (rate === undefined || count === undefined)
    throw fault('E_RANGE', id, 'Give times, ticks, native with timebase, or a rate and a count.')
  if (!Number.isInteger(count) || count < 0 || count > 2 ** 31) throw fault('E_RANGE', id, `${count} is no count.`)
  const run = { start: start(id, input.start), rate: grid(rate), count }
  if (count > 0) at(run.rate, count)
  const times = new Runs(count === 0 ? [] : [run])
  if (count === 0) ledger.note('EMPTY', id, 1, undefined, 'It has no samples.')
  return { times, count, repairs: { reordered: 0, duplicates: 0, dropped: 0, priming: before(times) } }
}

export function start(id: string, seconds: Seconds | undefined): Ticks {
  const ticks = seconds === undefined ? 0 : tick(seconds)
  if (Number.isNaN(ticks)) throw fault('E_RANGE', id, `${seconds} is no start in seconds.`)
  return ticks
}

/** Ticks of every time as given; NaN where one is none. */
function stamps(id: string, input: TimesInput, listed: ArrayLike<number>): Float64Array<ArrayBuffer> {
  const out = new Float64Array(listed.length)
  if (input.ticks) return fill(out, listed, (value) => (isTicks(value) ? value : Number.NaN))
  if (!input.native) return fill(out, listed, tick)
  if (input.timebase === undefined) throw fault('E_RANGE', id, 'native times need a timebase.')
  const base = grid(input.timebase)
  const limit = Math.floor(Number.MAX_SAFE_INTEGER / base.period) * base.parts
  return fill(out, listed, (value) => (Number.isSafeInteger(value) && Math.abs(value) < limit ? at(base, value) : Number.NaN))
}

function fill(out: Float64Array<ArrayBuffer>, listed: ArrayLike<number>, tick: (value: number) => number): Float64Array<ArrayBuffer> {
  for (let i = 0; i < out.length; i++) out[i] = tick(listed[i]!)
  return out
}

/** Within 147 days, or NaN. */
function tick(seconds: unknown): number {
  return typeof seconds === 'number' && Math.abs(seconds) < 12_700_000 ? fromSeconds(seconds) : Number.NaN
}

function repaired(id: string, given: Float64Array<ArrayBuffer>, duplicates: Duplicates | 'keep', ledger: Ledger): Placed {
  const count = given.length
  const bad = firstOf(given, (i) => Number.isNaN(given[i]!))
  if (bad.count === count && count > 0) throw fault('E_BAD_TIME', id, 'None of its times is a number within 147 days.', 0, count)
  ledger.note('BAD_TIME', id, bad.count, bad.first, `${bad.count} times are no numbers, or beyond 147 days.`)
  let order = bad.count > 0 ? Int32Array.from(kept(count, (i) => !Number.isNaN(given[i]!))) : undefined
  let ticks = order ? given.filter((value) => !Number.isNaN(value)) : given
  const back = firstOf(ticks, (i) => i > 0 && ticks[i]! < ticks[i - 1]!)
  ledger.note(
    'REORDERED',
    id,
    back.count,
    back.first && (order?.[back.first] ?? back.first),
    `${back.count} times are earlier than the one before; sort them.`,
  )
  if (back.count > 0) [ticks, order] = sorted(ticks, order)
  const single = duplicates === 'keep' ? { ticks, order, count: 0 } : distinct(id, ticks, order, duplicates, ledger)
  if (count === 0) ledger.note('EMPTY', id, 1, undefined, 'It has no samples.')
  const times = new Listed(single.ticks)
  const repairs = { reordered: back.count, duplicates: single.count, dropped: bad.count, priming: before(times) }
  return {
    times,
    count,
    repairs,
    ...(single.order ? { order: single.order } : {}),
    ...('same' in single && single.same ? { same: single.same } : {}),
  }
}

function sorted(ticks: Float64Array, order: Int32Array<ArrayBuffer> | undefined): [Float64Array<ArrayBuffer>, Int32Array<ArrayBuffer>] {
  const ranks = Int32Array.from(ticks.keys()).sort((a, b) => ticks[a]! - ticks[b]! || a - b)
  return [Float64Array.from(ranks, (rank) => ticks[rank]!), order ? ranks.map((rank) => order[rank]!) : ranks]
}

/** Equal times become one sample. */
function distinct(id: string, ticks: Float64Array, order: Int32Array | undefined, duplicates: Duplicates, ledger: Ledger) {
  const again = firstOf(ticks, (i) => i > 0 && ticks[i] === ticks[i - 1])
  if (again.count === 0) return { ticks, order, count: 0 }
  const index = (rank: number) => order?.[rank] ?? rank
  const text = `${again.count} samples have the time of another.`
  if (duplicates === 'error') throw fault('E_DUPLICATE', id, text, index(again.first!), again.count)
  ledger.note('DUPLICATE', id, again.count, index(again.first!), text)
  const stays = (i: number) => (duplicates === 'first' ? ticks[i] !== ticks[i - 1] : ticks[i] !== ticks[i + 1])
  const ranks = kept(ticks.length, stays)
  const same = duplicates === 'mean' ? equals(ticks, ranks, index) : undefined
  return { ticks: Float64Array.from(ranks, (rank) => ticks[rank]!), order: Int32Array.from(ranks, index), count: again.count, same }
}

/** Indices of the samples of each time that has several. */
function equals(ticks: Float64Array, lasts: number[], index: (rank: number) => number): Int32Array[] {
  const groups: Int32Array[] = []
  for (const last of lasts) {
    let first = last
    while (first > 0 && ticks[first - 1] === ticks[last]) first--
    if (first < last) groups.push(Int32Array.from({ length: last - first + 1 }, (_, i) => index(first + i)))
  }
  return groups
}

/** A rate in metadata against the times themselves. Both median and mean must be off: in whole milliseconds the median alone is. */
function claimed(id: string, fps: RateLike, times: Times, ledger: Ledger): void {
  const said = grid(fps)
  if (times.length < 2) return
  const mean = (times.at(times.length - 1) - times.at(0)) / (times.length - 1)
  const off = Math.min(...[times.steps.median, mean].map((step) => Math.abs((step * said.parts) / said.period - 1)))
  const text = `Metadata says ${said.num}/${said.den} a second, the times are ${(off * 100).toFixed(1)} % off; leave fps out.`
  ledger.note('FPS_MISMATCH', id, off > 0.01 ? 1 : 0, undefined, text)
}

function firstOf(values: ArrayLike<unknown>, is: (i: number) => boolean): { count: number; first?: number } {
  let count = 0
  let first: number | undefined
  for (let i = 0; i < values.length; i++) {
    if (!is(i)) continue
    count++
    first ??= i
  }
  return { count, ...(first === undefined ? {} : { first }) }
}

function kept(length: number, stays: (i: number) => boolean): number[] {
  const out: number[] = []
  for (let i = 0; i < length; i++) if (stays(i)) out.push(i)
  return out
}
