// A timeline while it happens: each track's clock is learnt, its times are brought to the receiver's, and cells go out once, in order, when all have passed.
import { Clock, type ClockModel } from './clock.ts'
import { fault } from './faults.ts'
import { choose, newChoice, type Policy, type PolicyName, type Settled, settle } from './policies.ts'
import { Queue, type Sample } from './queue.ts'
import { quantile } from './select.ts'
import { at, type Grid, grid, halfEven, type RateLike, type Seconds, TICKS_PER_SECOND, type Ticks, toSeconds } from './ticks.ts'
import type { TrackKind } from './tracks.ts'

export interface LiveOptions {
  /** Cells per second. */
  rate: RateLike
  /** How long after the slowest track a cell waits for what is late, in ms. Default 200. */
  allowedLateness?: number
  /** A track that has been silent for so long holds no cell back, in ms. Default 1,000. */
  idle?: number
  /** How far back the clock models look, in ms. Default 60,000. */
  window?: number
  /** Given each cell. What is in it may be released right after: clone what is to stay. */
  onCell?: (cell: LiveCell) => void
  /** Told where a stream's clock has leapt by more than 100 ms: a new segment. */
  onDiscontinuity?: (one: Discontinuity) => void
  /** Given every value that leaves the timeline, used or not: the place to close a VideoFrame. */
  onRelease?: (id: string, value: unknown) => void
}

export interface LiveTrackOptions {
  kind: TrackKind
  /** Units of media time a second. Default microseconds, as VideoFrame and AudioData have them. */
  timebase?: RateLike
  /** nearest, hold, next, linear, window or none. Default: video nearest, audio and series linear, text hold, event window. */
  policy?: Policy | PolicyName
  /** Samples held at most. Default 1,024. */
  limit?: number
  /** When that is full. Default `dropOldest`. */
  overflow?: 'dropOldest' | 'dropNewest' | 'error'
  /** Holds no cell back. Default for text and events. */
  sparse?: boolean
}

export interface LiveCell {
  index: number
  /** Start of the cell in ticks, and in seconds, from the first push. */
  ticks: Ticks
  time: Seconds
  tracks: Record<string, LiveValue>
}

export interface LiveValue {
  valid: boolean
  /** The sample; numbers are already mixed for `linear`; a list for `window`. */
  value: unknown
  /** Time used minus time of the cell, in ticks. */
  error: Ticks
}

export interface Discontinuity {
  track: string
  /** As pushed. */
  media: number
  received: number
}

export interface LiveTrackReport {
  pushed: number
  /** Held now. */
  queued: number
  /** Came after their cell was out. */
  late: number
  reordered: number
  /** By overflow. */
  dropped: number
  badTimes: number
  discontinuities: number
  cells: number
  missing: number
  /** Of |error|, in ms; p95 over the last 1,024 cells. */
  error: { mean: number; p95: number; max: number }
  clock: ClockModel
  /** What of the clock's correction is still to be slewed, in ms. */
  pending: number
}

interface LiveTrack {
  id: string
  how: Settled
  base: Grid
  limit: number
  overflow: 'dropOldest' | 'dropNewest' | 'error'
  sparse: boolean
  queue: Queue
  clock: Clock
  /** What the clock counts from: media units and ms. */
  zero?: { media: number; received: number }
  last?: { time: Ticks; received: number }
  told: Pick<LiveTrackReport, 'pushed' | 'late' | 'reordered' | 'dropped' | 'badTimes' | 'discontinuities' | 'cells' | 'missing'>
  errors: { sum: number; max: number; used: number; recent: Float64Array }
}

const TICKS_PER_MS = TICKS_PER_SECOND / 1000
const RECENT = 1024
/** Cells that one push may bring; after a leap by hours the rest is left out, and counted. */
const MOST_CELLS = 10_000
/** Ticks hold 147 days. */
const MOST_MS = 1.2e10
const live: readonly PolicyName[] = ['nearest', 'hold', 'next', 'linear', 'window', 'none']

export class LiveTimeline {
  readonly #tracks = new Map<string, LiveTrack>()
  readonly #options: LiveOptions
  readonly #grid: Grid
  readonly #choice = newChoice()
  readonly #work = { steps: 0 }
  /** Receive time, in ms, that is tick 0. */
  #start: number | undefined
  #now = -Infinity
  #next = 0
  #skipped = 0

  constructor(options: LiveOptions) {
    this.#options = options
    this.#grid = grid(options.rate)
    for (const name of ['allowedLateness', 'idle', 'window'] as const) {
      const value = options[name]
      if (value !== undefined && !(value >= 0)) throw fault('E_RANGE', '', `${name} must be 0 or more milliseconds.`)
    }
  }

  track(id: string, options: LiveTrackOptions): this {
    if (this.#tracks.has(id) || id in Object.prototype)
      throw fault('E_RANGE', id, 'There is a track of this name, or the name is not free.')
    const { kind, policy = kind === 'audio' ? 'linear' : undefined, limit = 1024, overflow = 'dropOldest' } = options
    const queue = new Queue()
    const how = settle(policy, { id, kind, times: queue })
    if (!live.includes(how.policy)) throw fault('E_RANGE', id, `Live tracks take ${live.join(', ')}.`)
    if (!Number.isInteger(limit) || limit < 1) throw fault('E_RANGE', id, 'limit must be a whole number above 0.')
    const told = { pushed: 0, late: 0, reordered: 0, dropped: 0, badTimes: 0, discontinuities: 0, cells: 0, missing: 0 }
    const errors = { sum: 0, max: 0, used: 0, recent: new Float64Array(RECENT) }
    const sparse = options.sparse ?? (kind === 'text' || kind === 'event')
    const base = grid(options.timebase ?? 1_000_000)
    this.#tracks.set(id, { id, how, base, limit, overflow, sparse, queue, clock: this.#clock(), told, errors })
    return this
  }

  /**
   * Takes a sample at `media`, whole units of its track's clock, that came at `received`, ms of the clock that all tracks share (a capture time in that
   * clock is better, where the platform gives one). Gives its time on the timeline, in ticks; undefined where it was dropped.
   */
  push(id: string, media: number, value?: unknown, received: number = performance.now()): Ticks | undefined {
    const track = this.#tracks.get(id)
    if (!track) throw fault('E_RANGE', id, `There is no live track ${id}.`)
    track.told.pushed++
    const since = received - (this.#start ?? received)
    if (!Number.isSafeInteger(media) || !Number.isFinite(received) || !(Math.abs(since) < MOST_MS)) {
      track.told.badTimes++
      this.#options.onRelease?.(id, value)
      return undefined
    }
    this.#start ??= received
    this.#now = Math.max(this.#now, received)
    const time = this.#place(track, media, received)
    const kept = this.#keep(track, { time, media, received, value })
    this.advance(received)
    return kept ? time : undefined
  }

  /** Tells what time it is, so that cells go out when nothing comes; `push` does it, too. */
  advance(now: number = performance.now()): void {
    this.#now = Math.max(this.#now, now)
    this.#emit(this.#watermark())
  }

  /** The end: all cells that have begun, and everything is released. */
  close(): void {
    const ends = [...this.#tracks.values()].map((track) => track.last?.time ?? -Infinity)
    this.#emit(Math.max(...ends, -Infinity) + at(this.#grid, 1))
    for (const track of this.#tracks.values()) while (track.queue.length > 0) this.#release(track)
  }

  get report(): { cells: number; skipped: number; tracks: Record<string, LiveTrackReport> } {
    const tracks = [...this.#tracks.values()].map((track) => [track.id, reportOf(track)])
    return { cells: this.#next - this.#skipped, skipped: this.#skipped, tracks: Object.fromEntries(tracks) }
  }

  #clock(): Clock {
    return new Clock(this.#options.window === undefined ? {} : { window: this.#options.window })
  }

  /** Media time on the timeline; a leap begins a new clock. */
  #place(track: LiveTrack, media: number, received: number): Ticks {
    track.zero ??= { media, received }
    const { zero } = track
    const span = media - zero.media
    const mapped = Number.isSafeInteger(span)
      ? track.clock.push((span / track.base.num) * track.base.den * 1000, received - zero.received)
      : undefined
    if (mapped !== undefined) return halfEven((mapped + zero.received - this.#start!) * TICKS_PER_MS)
    track.told.discontinuities++
    this.#options.onDiscontinuity?.({ track: track.id, media, received })
    track.zero = { media, received }
    track.clock = this.#clock()
    track.clock.push(0, 0)
    return halfEven((received - this.#start!) * TICKS_PER_MS)
  }

  #keep(track: LiveTrack, sample: Sample): boolean {
    const { queue, told } = track
    if (sample.time < at(this.#grid, this.#next)) told.late++
    if (queue.length >= track.limit) {
      if (track.overflow === 'error')
        throw fault('E_OVERFLOW', track.id, `More than ${track.limit} samples wait; push less, or wait for fewer tracks.`)
      told.dropped++
      if (track.overflow === 'dropNewest') {
        this.#options.onRelease?.(track.id, sample.value)
        return false
      }
      this.#release(track)
    }
    if (queue.insert(sample)) told.reordered++
    track.last = { time: Math.max(sample.time, track.last?.time ?? -Infinity), received: sample.received }
    return true
  }

  /** Everything before it has come from every track that is not silent. */
  #watermark(): Ticks {
    const { idle = 1000, allowedLateness = 200 } = this.#options
    if (this.#start === undefined) return -Infinity
    const now = halfEven((this.#now - this.#start) * TICKS_PER_MS)
    const heard = [...this.#tracks.values()].filter((one) => !one.sparse && this.#now - (one.last?.received ?? this.#start!) <= idle)
    return Math.min(now, ...heard.map((one) => one.last?.time ?? -Infinity)) - allowedLateness * TICKS_PER_MS
  }

  #emit(until: Ticks): void {
    if (!(until > -Infinity)) return
    for (let count = 0; at(this.#grid, this.#next + 1) <= until; count++) {
      if (count < MOST_CELLS) this.#cell()
      else this.#skip(until)
    }
  }

  #skip(until: Ticks): void {
    while (at(this.#grid, this.#next + 1) <= until) {
      const left = Math.max(1, Math.floor((until - at(this.#grid, this.#next)) / (this.#grid.period / this.#grid.parts + 1)))
      this.#next += left
      this.#skipped += left
    }
  }

  #cell(): void {
    const index = this.#next++
    const [ticks, end] = [at(this.#grid, index), at(this.#grid, index + 1)]
    const values = [...this.#tracks.values()].map((track) => [track.id, this.#value(track, ticks, end)] as const)
    this.#options.onCell?.({ index, ticks, time: toSeconds(ticks), tracks: Object.fromEntries(values) })
    for (const track of this.#tracks.values()) while (track.queue.length > 1 && track.queue.at(1) <= end) this.#release(track)
  }

  #value(track: LiveTrack, q: Ticks, end: Ticks): LiveValue {
    const { queue, how } = track
    const i = queue.seek(q, -1, this.#work)
    const value = how.policy === 'window' ? windowed(queue, q, end, this.#work) : this.#single(track, q, i)
    track.told.cells++
    if (!value.valid) track.told.missing++
    else count(track, value.error)
    return value
  }

  #single({ queue, how }: LiveTrack, q: Ticks, i: number): LiveValue {
    const { left, right, weight, valid, error } = choose(how, { times: queue, step: Infinity, end: Infinity }, q, i, this.#choice)
    if (!valid || left < 0) return { valid, value: undefined, error: 0 }
    const value = queue.sample(left).value
    return { valid, value: right < 0 ? value : mixed(value, queue.sample(right).value, weight), error }
  }

  #release(track: LiveTrack): void {
    const { value } = track.queue.shift()
    this.#options.onRelease?.(track.id, value)
  }
}

function windowed(queue: Queue, q: Ticks, end: Ticks, work: { steps: number }): LiveValue {
  const first = queue.seek(q - 1, -1, work) + 1
  const last = queue.seek(end - 1, -1, work)
  const value = Array.from({ length: Math.max(0, last + 1 - first) }, (_, i) => queue.sample(first + i).value)
  return { valid: value.length > 0, value, error: value.length > 0 ? queue.at(first) - q : 0 }
}

/** Numbers, or rows of numbers, weighed in f64; anything else stays the left one. */
function mixed(left: unknown, right: unknown, weight: number): unknown {
  if (typeof left === 'number' && typeof right === 'number') return left * weight + right * (1 - weight)
  if (!(left instanceof Float32Array && right instanceof Float32Array) || left.length !== right.length) return left
  return left.map((value, d) => value * weight + right[d]! * (1 - weight))
}

function count({ errors }: LiveTrack, error: Ticks): void {
  const size = Math.abs(error)
  errors.recent[errors.used++ % RECENT] = size
  errors.sum += size
  errors.max = Math.max(errors.max, size)
}

function reportOf({ told, queue, errors, clock }: LiveTrack): LiveTrackReport {
  const { sum, max, used, recent } = errors
  const p95 = quantile(recent.slice(0, Math.min(used, RECENT)), 0.95)
  const error = { mean: used === 0 ? 0 : sum / used / TICKS_PER_MS, p95: p95 / TICKS_PER_MS, max: max / TICKS_PER_MS }
  return { ...told, queued: queue.length, error, clock: clock.model, pending: clock.pending }
}
