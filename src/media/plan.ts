// The plan: for every cell of the axis and every track, which samples serve, how much, and how far off they are. Nothing is decoded for it.
import type { Axis } from './axes.ts'
import { Sweep } from './captions.ts'
import { fault } from './faults.ts'
import { choose, newChoice, overlap, type Samples, type Settled, shapes } from './policies.ts'
import type { Report } from './report.ts'
import type { Ticks } from './ticks.ts'
import type { Work } from './times.ts'
import { ends, indexOf, type Track, type TrackKind } from './tracks.ts'

/** The answer of one track, cell by cell. Indices are places in what the track was given (of sound: in all its segments, cut where they overlap), -1 for none. */
export interface PlannedTrack {
  kind: TrackKind
  /** Samples or cues that the track was given. */
  count: number
  how: Settled
  /** The sample, or the left one of two, or the first of several. [cells] */
  index: Int32Array
  /** Weight of that sample where two are mixed, else 1. [cells] */
  weight: Float64Array
  /** 1 where the cell has a value. [cells] */
  mask: Uint8Array
  /** Time used minus time of the cell, in ticks. Of two samples the nearer; over a cell the middle of what is covered minus its middle. [cells] */
  error: Float64Array
  /** `linear`, `blend`: the right one of two. [cells] */
  right?: Int32Array
  /** `mean`, `max`, `sum`, `window`: ranks in order of time, [from, to). [cells] */
  from?: Int32Array
  to?: Int32Array
  /** Captions and windows of events: cell k has ids[offsets[k]] up to ids[offsets[k + 1]]. [cells + 1] */
  offsets?: Int32Array
  ids?: Int32Array
}

export interface Plan {
  version: 1
  axis: Axis
  /** What the times of all tracks were lowered by, in ticks. */
  origin: Ticks
  tracks: Record<string, PlannedTrack>
  report: Report
  /** Looks at samples and cells that the plan took. */
  steps: number
}

/** Most captions in all cells together: many that overlap on many cells would fill any memory. */
const MAX_IDS = 2 ** 23

export function planTrack(track: Track, how: Settled, axis: Axis, origin: Ticks, work: Work): PlannedTrack {
  const planned = blank(track, how, axis.times.length)
  const shift = track.offset - origin
  if (track.kind === 'text' && (how.policy === 'hold' || how.policy === 'window')) captions(track, planned, axis, shift, work)
  else ways[shapes[how.policy].shape](track, planned, axis, shift, work)
  return planned
}

/** End of a cell. */
export function cellEnd(axis: Pick<Axis, 'times' | 'end'>, k: number): Ticks {
  return k + 1 < axis.times.length ? axis.times[k + 1]! : axis.end
}

export function samplesOf(track: Track): Samples {
  const { times } = track
  return { times, step: Math.max(1, times.steps.median), end: times.length === 0 ? 0 : ends(track) }
}

function blank(track: Track, how: Settled, cells: number): PlannedTrack {
  return {
    kind: track.kind,
    count: track.count,
    how,
    index: new Int32Array(cells).fill(-1),
    weight: new Float64Array(cells).fill(1),
    mask: new Uint8Array(cells),
    error: new Float64Array(cells),
  }
}

type Way = (track: Track, planned: PlannedTrack, axis: Axis, shift: Ticks, work: Work) => void

const ways: Record<'point' | 'pair' | 'overlap' | 'list' | 'nothing', Way> = { point, pair: point, overlap: over, list, nothing: () => {} }

function point(track: Track, planned: PlannedTrack, axis: Axis, shift: Ticks, work: Work): void {
  const samples = samplesOf(track)
  const choice = newChoice()
  const { index, weight, mask, error } = planned
  const right = shapes[planned.how.policy].shape === 'pair' ? new Int32Array(index.length).fill(-1) : undefined
  if (right) planned.right = right
  let i = -1
  for (let k = 0; k < index.length; k++) {
    const q = axis.times[k]! - shift
    i = samples.times.seek(q, i, work)
    choose(planned.how, samples, q, i, choice)
    index[k] = indexOf(track, choice.left)
    if (right) right[k] = indexOf(track, choice.right)
    weight[k] = choice.weight
    mask[k] = choice.valid ? 1 : 0
    error[k] = choice.error
  }
}

function over(track: Track, planned: PlannedTrack, axis: Axis, shift: Ticks, work: Work): void {
  const samples = samplesOf(track)
  const walkers = { from: -1, to: -1 }
  const choice = newChoice()
  const { how, index, mask, error } = planned
  const from = new Int32Array(index.length)
  const to = new Int32Array(index.length)
  for (let k = 0; k < index.length; k++) {
    const [start, end] = [axis.times[k]! - shift, cellEnd(axis, k) - shift]
    const found = overlap(how, samples, start, end, walkers, work)
    from[k] = found.first
    to[k] = found.end
    error[k] = found.error
    if (found.first < found.end) {
      index[k] = indexOf(track, found.first)
      mask[k] = Math.abs(found.error) <= how.tolerance ? 1 : 0
    } else if (samples.times.length > 0 && (end <= samples.times.at(0) || start >= samples.end)) {
      choose({ ...how, policy: 'hold', tolerance: -1 }, samples, start, walkers.from, choice)
      mask[k] = choice.valid ? 1 : 0
      error[k] = choice.error
      if (choice.left >= 0) [from[k], to[k], index[k]] = [choice.left, choice.left + 1, indexOf(track, choice.left)]
    }
  }
  Object.assign(planned, { from, to })
}

/** All samples that start in the cell. */
function list(track: Track, planned: PlannedTrack, axis: Axis, shift: Ticks, work: Work): void {
  const { times } = track
  const { index, mask, error } = planned
  const from = new Int32Array(index.length)
  const to = new Int32Array(index.length)
  let [a, b] = [-1, -1]
  for (let k = 0; k < index.length; k++) {
    const start = axis.times[k]! - shift
    a = times.seek(start - 1, a, work)
    b = times.seek(cellEnd(axis, k) - shift - 1, b, work)
    from[k] = a + 1
    to[k] = b + 1
    if (b <= a) continue
    index[k] = indexOf(track, a + 1)
    mask[k] = 1
    error[k] = times.at(a + 1) - start
  }
  if (track.kind === 'event') rows(planned, from, to, track)
  Object.assign(planned, { from, to })
}

function rows(planned: PlannedTrack, from: Int32Array, to: Int32Array, track: Track): void {
  const offsets = new Int32Array(from.length + 1)
  for (let k = 0; k < from.length; k++) offsets[k + 1] = offsets[k]! + to[k]! - from[k]!
  const ids = new Int32Array(offsets.at(-1)!)
  for (let k = 0; k < from.length; k++)
    for (let rank = from[k]!; rank < to[k]!; rank++) ids[offsets[k]! + rank - from[k]!] = indexOf(track, rank)
  Object.assign(planned, { offsets, ids })
}

/** `hold`: captions that are up at the cell's start; `window`: at any time in it. */
function captions(track: Track, planned: PlannedTrack, axis: Axis, shift: Ticks, work: Work): void {
  const sweep = new Sweep(track)
  const { index, mask } = planned
  const offsets = new Int32Array(index.length + 1)
  const ids: number[] = []
  for (let k = 0; k < index.length; k++) {
    const start = axis.times[k]! - shift
    const end = planned.how.policy === 'hold' ? start + 1 : cellEnd(axis, k) - shift
    const open = sweep.overlapping(start, end, work)
    if (ids.length + open.length > MAX_IDS)
      throw fault('E_RANGE', track.id, `More than ${MAX_IDS} captions in all cells; take fewer cells.`)
    for (const rank of open) ids.push(indexOf(track, rank))
    offsets[k + 1] = ids.length
    if (open.length === 0) continue
    index[k] = indexOf(track, open[0]!)
    mask[k] = 1
  }
  Object.assign(planned, { offsets, ids: Int32Array.from(ids) })
}
