// Which sample answers for a cell. One decision for every policy, tolerance, gap and edge: files and live streams ask the same function.
import { fault } from './faults.ts'
import { fromSeconds, halfEven, type Seconds, type Ticks } from './ticks.ts'
import type { Times, Work } from './times.ts'
import type { Track, TrackKind } from './tracks.ts'

/**
 * At a cell's start q: `nearest` (of two equally near the earlier), `hold` (last at or before), `next` (first at or after), `linear` (numbers between the
 * two around), `blend` (the same for frames). Over the cell: `mean`, `max`, `sum` weighted by overlap, `window` (all that start in it; captions: all that
 * overlap it). `none`: nothing.
 */
export type PolicyName = 'nearest' | 'hold' | 'next' | 'linear' | 'blend' | 'mean' | 'max' | 'sum' | 'window' | 'none'

/** Outside a track: masked, its first or last sample, zeros, or an error. */
export type Edge = 'missing' | 'clamp' | 'zero' | 'error'

export interface Policy {
  policy: PolicyName
  /** The farthest in time that a sample may lie from the cell, in seconds. Default: half the median step for `nearest` on video, else none. */
  tolerance?: Seconds
  /** The longest step, in seconds, that is no gap. Default: twice the median step for `linear`, `blend`, `mean`, `max`, `sum`; none for others. */
  maxGap?: Seconds
  /** Default `missing`. */
  edge?: Edge
}

/** A policy with its numbers in ticks. */
export interface Settled {
  policy: PolicyName
  tolerance: Ticks
  maxGap: Ticks
  edge: Edge
}

type Shape = 'point' | 'pair' | 'overlap' | 'list' | 'nothing'

export const shapes: Record<PolicyName, { shape: Shape; kinds: readonly TrackKind[] }> = {
  nearest: { shape: 'point', kinds: ['video', 'audio', 'text', 'event', 'series'] },
  hold: { shape: 'point', kinds: ['video', 'audio', 'text', 'event', 'series'] },
  next: { shape: 'point', kinds: ['video', 'audio', 'text', 'event', 'series'] },
  linear: { shape: 'pair', kinds: ['audio', 'series'] },
  blend: { shape: 'pair', kinds: ['video'] },
  mean: { shape: 'overlap', kinds: ['audio', 'series'] },
  max: { shape: 'overlap', kinds: ['audio', 'series'] },
  sum: { shape: 'overlap', kinds: ['audio', 'series'] },
  window: { shape: 'list', kinds: ['video', 'audio', 'text', 'event', 'series'] },
  none: { shape: 'nothing', kinds: ['video', 'audio', 'text', 'event', 'series'] },
}

const usual: Record<TrackKind, PolicyName> = { video: 'nearest', audio: 'mean', text: 'hold', event: 'window', series: 'linear' }

/** Fills in what a policy leaves open, for this track. */
export function settle(given: Policy | PolicyName | undefined, track: Pick<Track, 'id' | 'kind' | 'times'>): Settled {
  const asked = typeof given === 'string' ? { policy: given } : (given ?? { policy: usual[track.kind] })
  const known = Object.hasOwn(shapes, asked.policy) ? shapes[asked.policy] : undefined
  if (!known?.kinds.includes(track.kind)) throw fault('E_RANGE', track.id, `${asked.policy} is no policy for a track of ${track.kind}.`)
  const { median } = track.times.steps
  const near = track.kind === 'video' && asked.policy === 'nearest' ? median / 2 : Infinity
  const far = known.shape === 'pair' || known.shape === 'overlap' ? 2 * median : Infinity
  const edge = asked.edge ?? 'missing'
  if (!['missing', 'clamp', 'zero', 'error'].includes(edge))
    throw fault('E_RANGE', track.id, `${edge} is no edge: missing, clamp, zero or error.`)
  return {
    policy: asked.policy,
    tolerance: length(track.id, 'tolerance', asked.tolerance, near),
    maxGap: length(track.id, 'maxGap', asked.maxGap, far),
    edge,
  }
}

function length(id: string, name: string, given: Seconds | undefined, usual: Ticks): Ticks {
  if (given === undefined) return usual
  if (given === Infinity) return given
  if (typeof given === 'number' && given >= 0 && given < 12_700_000) return fromSeconds(given)
  throw fault('E_RANGE', id, `${name} must be 0 or more seconds.`)
}

/** Samples to choose from: their starts, how long one stands where the next is far, and where the last ends. */
export interface Samples {
  times: Times
  step: Ticks
  end: Ticks
}

/** What was chosen, as ranks; -1 is nobody. */
export interface Choice {
  left: number
  right: number
  /** Weight of left; right has the rest. */
  weight: number
  valid: boolean
  /** Time used minus time asked for; of two the nearer. */
  error: Ticks
}

export function newChoice(): Choice {
  return { left: -1, right: -1, weight: 1, valid: false, error: 0 }
}

/** Answers for one moment, in `out`; `i` is the last rank at or before it. */
export function choose(how: Settled, samples: Samples, q: Ticks, i: number, out: Choice): Choice {
  const { times } = samples
  const n = times.length
  reset(out)
  if (n === 0 || how.policy === 'none') return out
  if (how.policy === 'linear' || how.policy === 'blend') return between(how, samples, q, i, out)
  const candidate = pick(how.policy, times, q, i)
  const inside = q >= times.at(0) && q < samples.end
  if (inside && inGap(how, samples, q, i)) return out
  if (candidate >= 0) {
    const error = times.at(candidate) - q
    if (Math.abs(error) <= how.tolerance && (inside || how.tolerance < Infinity)) return take(out, candidate, error)
    if (inside) return out
  }
  return outside(how, times, q, out)
}

function reset(out: Choice): void {
  out.left = -1
  out.right = -1
  out.weight = 1
  out.valid = false
  out.error = 0
}

function take(out: Choice, rank: number, error: Ticks): Choice {
  out.left = rank
  out.valid = true
  out.error = error
  return out
}

function pick(policy: PolicyName, times: Times, q: Ticks, i: number): number {
  const after = i + 1 < times.length ? i + 1 : -1
  if (policy === 'hold') return i
  if (policy === 'next') return i >= 0 && times.at(i) === q ? i : after
  if (i < 0 || after < 0) return i < 0 ? after : i
  return times.at(after) - q < q - times.at(i) ? after : i
}

/** Beyond the standing of a sample whose successor is too far. */
function inGap(how: Settled, { times, step }: Samples, q: Ticks, i: number): boolean {
  if (how.maxGap === Infinity || i < 0 || i + 1 >= times.length) return false
  return times.at(i + 1) - times.at(i) > how.maxGap && q >= times.at(i) + step
}

function between(how: Settled, { times }: Samples, q: Ticks, i: number, out: Choice): Choice {
  if (i >= 0 && times.at(i) === q) return take(out, i, 0)
  if (i < 0 || i + 1 >= times.length) return outside(how, times, q, out)
  const [before, after] = [times.at(i), times.at(i + 1)]
  if (after - before > how.maxGap) return out
  const error = after - q < q - before ? after - q : before - q
  if (Math.abs(error) > how.tolerance) return out
  take(out, i, error)
  out.right = i + 1
  out.weight = (after - q) / (after - before)
  return out
}

function outside(how: Settled, times: Times, q: Ticks, out: Choice): Choice {
  if (how.edge === 'error') throw fault('E_EDGE', '', 'A cell lies outside the track, and its edge is `error`.')
  if (how.edge === 'zero') out.valid = true
  if (how.edge !== 'clamp') return out
  const rank = q < times.at(0) ? 0 : times.length - 1
  return take(out, rank, times.at(rank) - q)
}

/** The samples that reach into [from, to): ranks [first, end), and by how much the middle of what they cover is off the cell's. */
export interface Overlap {
  first: number
  end: number
  error: Ticks
}

/** Until when a sample stands: until the next, or for a median step where that is too far. */
export function standsUntil(how: Pick<Settled, 'maxGap'>, { times, step, end }: Samples, rank: number): Ticks {
  if (rank + 1 >= times.length) return end
  const [start, next] = [times.at(rank), times.at(rank + 1)]
  return next - start > how.maxGap ? Math.min(next, start + step) : next
}

/** Two walkers, one for the start of cells and one for their ends. */
export interface Walkers {
  from: number
  to: number
}

export function overlap(how: Settled, samples: Samples, from: Ticks, to: Ticks, walkers: Walkers, work: Work): Overlap {
  const { times } = samples
  if (times.length === 0) return { first: 0, end: 0, error: 0 }
  walkers.from = times.seek(from, walkers.from, work)
  walkers.to = times.seek(to - 1, walkers.to, work)
  const first = walkers.from >= 0 && standsUntil(how, samples, walkers.from) > from ? walkers.from : walkers.from + 1
  const end = walkers.to + 1
  if (first >= end) return { first, end: first, error: 0 }
  const low = Math.max(from, times.at(first))
  const high = Math.min(to, standsUntil(how, samples, end - 1))
  return { first, end, error: halfEven((low + high - from - to) / 2) }
}
