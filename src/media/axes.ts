// The common axis: the cells that everything is brought to. Each is [times[k], times[k + 1]), the last ends at `end`.
import { fault, type Ledger } from './faults.ts'
import { audioTokens, labelOf, type ProfileName, profile, sampleFrames } from './labels.ts'
import { at, fromSeconds, grid, indexAt, type Rate, type RateLike, type Seconds, type Ticks, toSeconds } from './ticks.ts'
import { ends, indexOf, seconds, starts, type Track } from './tracks.ts'

export type AxisInput =
  /** Cells of 1 / rate seconds, from `start` (default: the start of the range) to its end, or `count` of them. */
  | { kind: 'uniform'; rate: RateLike; start?: Seconds; count?: number }
  /** A cell for each sample of a track. */
  | { kind: 'track'; id: string }
  /** Times in seconds, or exactly in ticks, rising. */
  | { kind: 'explicit'; times?: ArrayLike<Seconds>; ticks?: ArrayLike<Ticks> }
  /** The steps of a model, taken from a track: the only one of its kind, if there is one. */
  | { kind: 'model'; profile: ProfileName; id?: string }

/** `union` of all tracks, what they have in common, one track, or [from, to) in seconds. */
export type Range = 'union' | 'intersection' | (string & {}) | readonly [Seconds, Seconds]

export interface Axis {
  kind: AxisInput['kind']
  /** Start of each cell, in ticks of the timeline. */
  times: Float64Array
  /** End of the last cell. */
  end: Ticks
  /** Cells per second, where they are even. */
  rate?: Rate
  profile?: ProfileName
  /** Model axes: the label of each cell, and indices of the frames taken, so many for each cell. */
  labels?: string[]
  frames?: Int32Array
}

/** Cells of an axis at most: their times take a gigabyte. */
export const MAX_CELLS = 2 ** 27

/** `origin` is what all times of tracks are lowered by. */
export function makeAxis(input: AxisInput, range: Range, tracks: ReadonlyMap<string, Track>, origin: Ticks, ledger: Ledger): Axis {
  switch (input.kind) {
    case 'uniform':
      return uniform(input, span(range, tracks, origin))
    case 'track':
      return ofTrack(named(input.id, tracks), typeof range === 'string' ? undefined : span(range, tracks, origin), origin)
    case 'explicit':
      return explicit(input, ledger)
    case 'model':
      return ofModel(input, tracks, range, origin, ledger)
    default:
      throw fault('E_RANGE', '', 'The axis must be of kind uniform, track, explicit or model.')
  }
}

function uniform(input: { rate: RateLike; start?: Seconds; count?: number }, [from, to]: [Ticks, Ticks]): Axis {
  const rate = grid(input.rate)
  const start = input.start === undefined ? from : seconds('', 'start', input.start)
  const count = input.count ?? Math.max(0, to > start ? indexAt(rate, to - start - 1) + 1 : 0)
  const times = filled(count, (k) => start + at(rate, k))
  return { kind: 'uniform', times, end: count === 0 ? start : start + at(rate, count), rate: { num: rate.num, den: rate.den } }
}

function ofTrack(track: Track, range: [Ticks, Ticks] | undefined, origin: Ticks): Axis {
  const { times } = track
  const shift = track.offset - origin
  const none = { steps: 0 }
  const first = range ? times.seek(range[0] - shift - 1, -1, none) + 1 : track.repairs.priming
  const last = range ? times.seek(range[1] - shift - 1, -1, none) + 1 : times.length
  const end = last < times.length ? times.at(last) : last > 0 ? ends(track) : 0
  const starts = filled(Math.max(0, last - first), (k) => times.at(first + k) + shift)
  return {
    kind: 'track',
    times: track.kind === 'event' || track.kind === 'text' ? risen(starts) : starts,
    end: end + shift,
    ...(times.rate ? { rate: times.rate } : {}),
  }
}

function explicit(input: { times?: ArrayLike<Seconds>; ticks?: ArrayLike<Ticks> }, ledger: Ledger): Axis {
  const given = input.ticks ?? input.times
  if (!given) throw fault('E_RANGE', '', 'An explicit axis needs times or ticks.')
  const tick = input.ticks ? (value: number) => value : (value: number) => (Math.abs(value) < 12_700_000 ? fromSeconds(value) : Number.NaN)
  const times = filled(given.length, (k) => tick(given[k]!))
  const bad = times.findIndex((t) => !Number.isSafeInteger(t))
  if (bad >= 0) throw fault('E_BAD_TIME', '', `Time ${bad} of the axis is no number within 147 days.`, bad)
  const back = times.findIndex((t, k) => k > 0 && t <= times[k - 1]!)
  if (back >= 0) ledger.note('REORDERED', 'axis', 1, back, `Time ${back} of the axis is not after the one before; sort them.`)
  const rising = back < 0 ? times : risen(times.sort())
  const step = rising.length > 1 ? rising.at(-1)! - rising.at(-2)! : 1
  return { kind: 'explicit', times: rising, end: (rising.at(-1) ?? 0) + step }
}

function ofModel(
  input: { profile: ProfileName; id?: string },
  tracks: ReadonlyMap<string, Track>,
  range: Range,
  origin: Ticks,
  ledger: Ledger,
): Axis {
  const one = profile(input.profile)
  if (one.kind === 'rate') return { ...uniform({ rate: one.tokens }, span(range, tracks, origin)), kind: 'model', profile: input.profile }
  const track = input.id === undefined ? only(one.kind, tracks) : named(input.id, tracks)
  if (track.kind !== one.kind) throw fault('E_RANGE', track.id, `Profile ${input.profile} needs a track of ${one.kind}.`)
  if (one.kind === 'video') return ofFrames(input.profile, one.pair, track, origin)
  const shift = track.offset - origin
  const start = starts(track)
  const length = track.times.length === 0 ? 0 : toSeconds(ends(track) - start)
  ledger.note(
    'TOO_LONG',
    track.id,
    length > one.longest ? 1 : 0,
    undefined,
    `It lasts ${length.toFixed(1)} s; ${input.profile} hears ${one.longest} s.`,
  )
  const tokens = grid(one.tokens)
  const times = audioTokens(input.profile, length).flatMap((count, chunk) =>
    Array.from({ length: count }, (_, k) => start + shift + fromSeconds(chunk * one.chunk) + at(tokens, k)),
  )
  const from = times.at(-1) ?? start + shift
  return {
    kind: 'model',
    profile: input.profile,
    times: Float64Array.from(times),
    end: times.length === 0 ? from : from + at(tokens, 1),
    rate: one.tokens,
  }
}

function ofFrames(name: ProfileName, pair: number, track: Track, origin: Ticks): Axis {
  const { times } = track
  if (times.length === 0) return { kind: 'model', profile: name, times: new Float64Array(), end: 0, labels: [], frames: new Int32Array() }
  const first = track.repairs.priming < times.length ? track.repairs.priming : 0
  const count = times.length - first
  const start = times.at(first)
  const shift = track.offset - origin
  const clip = { frames: count, duration: toSeconds(ends(track) - start) }
  const taken = times.rate
    ? sampleFrames(name, { ...clip, fps: times.rate })
    : sampleFrames(name, {
        ...clip,
        fps: Math.max(1e-3, count / clip.duration),
        times: Array.from({ length: count }, (_, i) => toSeconds(times.at(first + i) - start)),
      })
  const heads = taken.filter((_, i) => i % pair === 0)
  const rate = times.rate && grid(times.rate)
  // The processors' own division, so that a label that is a tie of doubles falls as it does there.
  const clean = rate && start + shift === 0
  const label = (i: number) => labelOf(name, clean ? i / (rate.num / rate.den) : toSeconds(times.at(first + i) + shift))
  const steps = Float64Array.from(heads, (i) => times.at(first + i) + shift)
  return {
    kind: 'model',
    profile: name,
    times: steps,
    end: ends(track) + shift,
    labels: heads.map(label),
    frames: Int32Array.from(taken, (i) => indexOf(track, first + i)),
  }
}

/** The range in ticks of the timeline. Empty tracks have no say. */
export function span(range: Range, tracks: ReadonlyMap<string, Track>, origin: Ticks): [Ticks, Ticks] {
  if (typeof range !== 'string') {
    const [from, to] = [seconds('', 'range', range[0]), seconds('', 'range', range[1])]
    if (to < from) throw fault('E_RANGE', '', 'The range ends before it starts.')
    return [from, to]
  }
  const all = range === 'union' || range === 'intersection' ? [...tracks.values()] : [named(range, tracks)]
  const spans = all
    .filter((track) => track.times.length > 0)
    .map((track) => [starts(track) + track.offset - origin, ends(track) + track.offset - origin] as const)
  if (spans.length === 0) return [0, 0]
  const [low, high] = range === 'intersection' ? [Math.max, Math.min] : [Math.min, Math.max]
  return [low(...spans.map(([from]) => from)), high(...spans.map(([, to]) => to))]
}

function named(id: string, tracks: ReadonlyMap<string, Track>): Track {
  const track = tracks.get(id)
  if (!track) throw fault('E_RANGE', id, `There is no track ${id}; there are ${[...tracks.keys()].join(', ') || 'none'}.`)
  return track
}

function only(kind: Track['kind'], tracks: ReadonlyMap<string, Track>): Track {
  const found = [...tracks.values()].filter((track) => track.kind === kind)
  if (found.length !== 1) throw fault('E_RANGE', '', `There are ${found.length} tracks of ${kind}; name one.`)
  return found[0]!
}

function filled(count: number, time: (k: number) => Ticks): Float64Array {
  if (!Number.isInteger(count) || count < 0 || count > MAX_CELLS)
    throw fault('E_RANGE', '', `An axis of ${count} cells is none, or too long.`)
  const out = new Float64Array(count)
  for (let k = 0; k < count; k++) out[k] = time(k)
  return out
}

/** Equal times once. */
function risen(times: Float64Array): Float64Array {
  return times.filter((t, k) => k === 0 || t !== times[k - 1])
}
