// Tracks: what came from a file, a sensor or an array, checked once at the door. Inside, samples stand in order of time, each until the next begins.
import { fault, type Ledger } from './faults.ts'
import { readSegments, type Segment } from './segments.ts'
import { place, type TimesInput } from './stamps.ts'
import { fromSeconds, isTicks, type RateLike, type Seconds, type Ticks } from './ticks.ts'
import { before, type Times } from './times.ts'

export type TrackKind = 'video' | 'audio' | 'text' | 'event' | 'series'

/** Which of several samples at one time stays; `error` refuses them, `mean` is for series. */
export type Duplicates = 'last' | 'first' | 'error' | 'mean'

/** What every track may say. */
export interface Placing {
  /** Added to all its times, in seconds; negative is allowed: a pure shift. */
  offset?: Seconds
  /** Of several samples at one time. Default `last`. */
  duplicates?: Duplicates
}

/** Frames. `fps` beside times is what metadata claims, and is only compared. */
export type VideoInput = Placing &
  TimesInput & {
    /** Frames themselves, or what gives one when a plan is rendered; asked once for each index. */
    frames?: ArrayLike<unknown> | ((index: number) => unknown)
    /** How long the last frame stands, in seconds. Default: the median step. */
    duration?: Seconds
    fps?: RateLike
  }

/** Sound: channels of f32 samples from one start, or segments. */
export interface AudioInput extends Placing {
  sampleRate: RateLike
  /** One channel, or several of one length. */
  samples?: Float32Array | Float32Array[]
  /** Without samples: how many there would be. */
  count?: number
  /** Time of the first sample, in seconds. */
  start?: Seconds
  /** Stretches with clocks of their own, instead of samples and start. */
  segments?: Segment[]
}

/** A caption: text that holds in [start, end) seconds. */
export interface Cue {
  start: Seconds
  end: Seconds
  text: string
  id?: string
  lang?: string
}

export interface TextInput extends Placing {
  cues: readonly Cue[]
}

export type EventInput = Placing & TimesInput & { payloads?: ArrayLike<unknown> }

/** Vectors over time: `values` is [count, width], row by row. */
export type SeriesInput = Placing & TimesInput & { values: Float32Array; width?: number; duration?: Seconds }

/** A track as it stands after its repairs. Ranks are places in order of time, indices are places in what was given. */
export interface Track {
  readonly id: string
  readonly kind: TrackKind
  readonly times: Times
  /** Index of each rank, where the two differ. */
  readonly order?: Int32Array
  /** How many samples or cues were given. */
  readonly count: number
  /** How long the last sample stands, in ticks. */
  readonly last: Ticks
  /** Added to all times of the track, in ticks. */
  offset: Ticks
  readonly repairs: { reordered: number; duplicates: number; dropped: number; priming: number }
  /** What metadata said. */
  readonly fps?: RateLike
  /** Cues only: end of each rank, in ticks. */
  readonly ends?: Float64Array
  readonly cues?: readonly Cue[]
  readonly frames?: ArrayLike<unknown> | ((index: number) => unknown)
  readonly payloads?: ArrayLike<unknown>
  /** Audio and series: [count, width] by index; audio keeps its channels apart. */
  readonly channels?: Float32Array[]
  readonly values?: Float32Array
  readonly width?: number
}

export function videoTrack(id: string, input: VideoInput, ledger: Ledger): Track {
  const count = typeof input.frames === 'function' ? undefined : input.frames?.length
  const placed = place(id, input, count, input.duplicates, ledger)
  return {
    id,
    kind: 'video',
    ...placed,
    ...given(input, 'frames', 'fps'),
    last: lasting(id, input.duration, placed.times),
    offset: shift(id, input),
  }
}

export function audioTrack(id: string, input: AudioInput, ledger: Ledger): Track {
  const { times, channels, count, cut } = readSegments(id, input, ledger)
  badValues(id, channels, ledger)
  const repairs = { reordered: 0, duplicates: cut, dropped: 0, priming: before(times) }
  return {
    id,
    kind: 'audio',
    times,
    count,
    repairs,
    channels,
    width: channels.length || 1,
    last: times.steps.median,
    offset: shift(id, input),
  }
}

export function seriesTrack(id: string, input: SeriesInput, ledger: Ledger): Track {
  const width = input.width ?? 1
  if (!(input.values instanceof Float32Array) || !Number.isInteger(width) || width < 1 || input.values.length % width !== 0) {
    throw fault('E_RANGE', id, `values must be a Float32Array of whole rows of ${width}.`)
  }
  const placed = place(id, input, input.values.length / width, input.duplicates, ledger)
  badValues(id, [input.values], ledger)
  const values = placed.same ? averaged(input.values, width, placed.same) : input.values
  return { id, kind: 'series', ...placed, values, width, last: lasting(id, input.duration, placed.times), offset: shift(id, input) }
}

export function eventTrack(id: string, input: EventInput, ledger: Ledger): Track {
  const placed = place(id, input, input.payloads?.length, input.duplicates ?? 'keep', ledger)
  return { id, kind: 'event', ...placed, ...given(input, 'payloads'), last: 1, offset: shift(id, input) }
}

/** Earliest time that is no priming, in the track's own time: what comes before 0 is kept, but starts no axis. */
export function starts(track: Track): Ticks {
  const { length } = track.times
  const first = track.repairs.priming
  return track.times.at(first < length ? first : 0)
}

/** Where the last sample ends, in the track's own time. */
export function ends(track: Track): Ticks {
  if (track.ends) return track.ends.reduce((a, b) => Math.max(a, b), -Infinity)
  return track.times.at(track.times.length - 1) + track.last
}

export function indexOf(track: Track, rank: number): number {
  return rank < 0 || !track.order ? rank : track.order[rank]!
}

export function shift(id: string, input: Placing): Ticks {
  return seconds(id, 'offset', input.offset ?? 0)
}

/** A number of seconds from outside, as ticks. */
export function seconds(id: string, name: string, value: number): Ticks {
  const ticks = typeof value === 'number' && Number.isFinite(value) && Math.abs(value) < 2 ** 24 ? fromSeconds(value) : Number.NaN
  if (!isTicks(ticks)) throw fault('E_RANGE', id, `${name} must be a number of seconds.`)
  return ticks
}

function lasting(id: string, duration: Seconds | undefined, times: Times): Ticks {
  if (duration === undefined) return Math.max(1, times.steps.median)
  if (!(duration > 0)) throw fault('E_RANGE', id, 'duration must be above 0 seconds.')
  return Math.max(1, seconds(id, 'duration', duration))
}

function badValues(id: string, channels: Float32Array[], ledger: Ledger): void {
  let [count, first] = [0, -1]
  for (const values of channels) {
    for (let i = 0; i < values.length; i++) {
      if (Number.isFinite(values[i]!)) continue
      count++
      if (first < 0) first = i
    }
  }
  ledger.note('BAD_VALUE', id, count, first < 0 ? undefined : first, `${count} values are NaN or infinite.`)
}

/** Rows of one time become their mean, written where the last of them stands. */
function averaged(values: Float32Array, width: number, same: Int32Array[]): Float32Array {
  const out = values.slice()
  for (const rows of same) {
    for (let d = 0; d < width; d++) {
      let sum = 0
      for (const row of rows) sum += values[row * width + d]!
      out[rows.at(-1)! * width + d] = sum / rows.length
    }
  }
  return out
}

/** The named fields that are there. */
function given<T extends object, K extends keyof T>(input: T, ...names: K[]): Partial<Pick<T, K>> {
  return Object.fromEntries(names.filter((name) => input[name] !== undefined).map((name) => [name, input[name]])) as Partial<Pick<T, K>>
}
