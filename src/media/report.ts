// What an alignment is worth: how much of the axis each track covers, how far off it is, and everything that was found wrong on the way.
import type { Axis } from './axes.ts'
import type { Fault } from './faults.ts'
import { type PlannedTrack, samplesOf } from './plan.ts'
import { quantile } from './select.ts'
import { type Seconds, type Ticks, toSeconds } from './ticks.ts'
import { Runs } from './times.ts'
import type { Track } from './tracks.ts'

/** Times in milliseconds, but for gaps. */
export interface TrackReport {
  /** Cells with a value, in percent. */
  coverage: number
  /** Cells without. */
  missing: number
  /** Of |error| over the cells that have a sample. */
  error: { mean: number; p95: number; max: number }
  /** Where no sample stands, in seconds of the timeline: the first 1,000, and how many there are. */
  gaps: { start: Seconds; end: Seconds }[]
  gapCount: number
  duplicates: number
  reordered: number
  dropped: number
  /** Samples before 0: priming, pre-roll. */
  priming: number
  /** From one sample to the next; `variation` is the standard deviation over the mean. */
  step: { min: number; median: number; max: number; variation: number }
  /** The frame rate varies: a step is off the median by more than 2 ms and a tenth of it. */
  variable: boolean
}

export interface Report {
  cells: number
  tracks: Record<string, TrackReport>
  /** How far apart in time the samples of one cell are, across tracks. */
  span: { mean: number; max: number }
  warnings: Fault[]
}

const MAX_GAPS = 1000

export function trackReport(track: Track, planned: PlannedTrack, origin: Ticks): TrackReport {
  const { min, median, max, variation } = track.times.steps
  const { gaps, gapCount } = gapsOf(track, planned.how.maxGap, origin)
  return {
    ...cellReport(planned),
    gaps,
    gapCount,
    ...track.repairs,
    step: { min: ms(min), median: ms(median), max: ms(max), variation },
    variable: varies(track),
  }
}

/** The part that the cells alone tell. */
export function cellReport(planned: PlannedTrack): Pick<TrackReport, 'coverage' | 'missing' | 'error'> {
  const { index, mask, error } = planned
  const off = new Float64Array(mask.length)
  let [valid, used, sum, max] = [0, 0, 0, 0]
  for (let k = 0; k < mask.length; k++) {
    if (!mask[k]) continue
    valid++
    if (index[k]! < 0) continue
    const size = Math.abs(error[k]!)
    off[used++] = size
    sum += size
    max = Math.max(max, size)
  }
  return {
    coverage: mask.length === 0 ? 0 : (100 * valid) / mask.length,
    missing: mask.length - valid,
    error: { mean: used === 0 ? 0 : ms(sum / used), p95: ms(quantile(off.subarray(0, used), 0.95)), max: ms(max) },
  }
}

export function varies(track: Track): boolean {
  const { min, median, max } = track.times.steps
  return track.kind === 'video' && Math.max(max - median, median - min) > Math.max(0.002 * 705_600_000, median / 10)
}

/** How far apart the samples used for one cell are: the largest error minus the smallest. */
export function spanOf(tracks: readonly PlannedTrack[], axis: Axis): { mean: number; max: number } {
  let [sum, max, sets] = [0, 0, 0]
  for (let k = 0; k < axis.times.length; k++) {
    let [low, high, some] = [Infinity, -Infinity, 0]
    for (const { index, mask, error } of tracks) {
      if (!mask[k] || index[k]! < 0) continue
      some++
      low = Math.min(low, error[k]!)
      high = Math.max(high, error[k]!)
    }
    if (some < 2) continue
    sets++
    sum += high - low
    max = Math.max(max, high - low)
  }
  return { mean: sets === 0 ? 0 : ms(sum / sets), max: ms(max) }
}

/** Steps longer than the policy's maximal gap, else twice the median: from where the sample ends to the next. */
function gapsOf(track: Track, maxGap: Ticks, origin: Ticks): { gaps: { start: Seconds; end: Seconds }[]; gapCount: number } {
  const gaps: { start: Seconds; end: Seconds }[] = []
  if (track.kind === 'text' || track.kind === 'event') return { gaps, gapCount: 0 }
  const { times, step } = samplesOf(track)
  const limit = maxGap < Infinity ? maxGap : 2 * step
  let gapCount = 0
  const shift = track.offset - origin
  const look = (rank: number) => {
    const [start, end] = [times.at(rank - 1), times.at(rank)]
    if (end - start <= limit || end - start <= step) return
    if (gapCount++ < MAX_GAPS) gaps.push({ start: toSeconds(start + step + shift), end: toSeconds(end + shift) })
  }
  if (times instanceof Runs) for (const { first } of times.runs.slice(1)) look(first)
  else for (let rank = 1; rank < times.length; rank++) look(rank)
  return { gaps, gapCount }
}

function ms(ticks: Ticks): number {
  return toSeconds(ticks) * 1000
}
