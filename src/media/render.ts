// A plan made into arrays: values of series and sound, frames from their getter, captions and events as lists. What is missing is 0 and masked, never NaN.
import { fault } from './faults.ts'
import { cellEnd, type Plan, type PlannedTrack, samplesOf } from './plan.ts'
import { type Samples, shapes, standsUntil } from './policies.ts'
import type { Ticks } from './ticks.ts'
import { indexOf, type Track } from './tracks.ts'

/** One track of a rendered plan. */
export interface RenderedTrack {
  /** 1 where the cell has a value; a cell that a NaN would enter has none. [cells] */
  mask: Uint8Array
  /** Series: [cells, width]; sound: [cells, channels]. */
  values?: Float32Array
  width?: number
  /** Video: what its getter gave for each cell; undefined where nothing is. [cells] */
  frames?: unknown[]
  /** `blend`: the right one of two, mixed with the weight of the plan. [cells] */
  right?: unknown[]
  /** Video of a `window`, captions and events: everything of each cell. [cells][] */
  lists?: unknown[][]
}

export type Rendered = Record<string, RenderedTrack>

export function renderPlan(plan: Plan, tracks: ReadonlyMap<string, Track>): Rendered {
  const rendered = Object.entries(plan.tracks).map(([id, planned]) => {
    const track = tracks.get(id)
    const here = track?.kind === planned.kind && track.count === planned.count && !planned.to?.some((rank) => rank > track.times.length)
    if (!here) {
      throw fault('E_RANGE', id, 'The plan is for another timeline: its track is not here, or has another length.')
    }
    return [id, renderTrack(track, planned, plan)] as const
  })
  return Object.fromEntries(rendered)
}

function renderTrack(track: Track, planned: PlannedTrack, plan: Plan): RenderedTrack {
  if (track.kind === 'text') return asked(planned, (index) => track.cues![index]!.text)
  if (track.kind === 'event') return asked(planned, (index) => track.payloads?.[index])
  if (track.kind === 'video') return frames(track, planned)
  return numbers(track, planned, plan)
}

/** Captions and events: a list for each cell. */
function asked(planned: PlannedTrack, give: (index: number) => unknown): RenderedTrack {
  const { offsets, ids, index, mask } = planned
  const lists = Array.from(mask, (valid, k) => {
    if (!valid) return []
    if (offsets && ids) return Array.from(ids.subarray(offsets[k], offsets[k + 1]), give)
    return index[k]! < 0 ? [] : [give(index[k]!)]
  })
  return { mask, lists }
}

function frames(track: Track, planned: PlannedTrack): RenderedTrack {
  const { mask, index, right, from, to } = planned
  const once = new Map<number, unknown>()
  const source = track.frames
  const fetch = (i: number) => (typeof source === 'function' ? source(i) : source ? source[i] : i)
  const give = (i: number) => {
    if (!once.has(i)) once.set(i, fetch(i))
    return once.get(i)
  }
  const all = (indices: Int32Array) => Array.from(indices, (i, k) => (mask[k] && i >= 0 ? give(i) : undefined))
  if (from && to) return { mask, lists: Array.from(mask, (_, k) => ranks(from[k]!, to[k]!).map((rank) => give(indexOf(track, rank)))) }
  return { mask, frames: all(index), ...(right ? { right: all(right) } : {}) }
}

function ranks(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i)
}

/** One number of a track: sample, then channel or dimension. */
type Read = (index: number, d: number) => number

function numbers(track: Track, planned: PlannedTrack, plan: Plan): RenderedTrack {
  const width = track.width ?? 1
  const { channels, values } = track
  const read: Read = values ? (i, d) => values[i * width + d]! : (i, d) => channels?.[d]?.[i] ?? 0
  if (planned.how.policy === 'window') return { mask: planned.mask, lists: windows(track, planned, read, width), width }
  const out = new Float32Array(planned.mask.length * width)
  const mask = planned.mask.slice()
  const cell = shapes[planned.how.policy].shape === 'overlap' ? folded(track, planned, plan, read) : mixed(planned, read)
  for (let k = 0; k < mask.length; k++) {
    if (!mask[k] || planned.index[k]! < 0) continue
    for (let d = 0; d < width; d++) {
      const value = cell(k, d)
      if (Number.isFinite(value)) out[k * width + d] = value
      else mask[k] = 0
    }
    if (!mask[k]) out.fill(0, k * width, (k + 1) * width)
  }
  return { mask, values: out, width }
}

function windows(track: Track, { from, to }: PlannedTrack, read: Read, width: number): Float32Array[][] {
  return Array.from(from!, (first, k) =>
    ranks(first, to![k]!).map((rank) => Float32Array.from({ length: width }, (_, d) => read(indexOf(track, rank), d))),
  )
}

/** An exact hit is the sample's own bits; otherwise the two are weighed in f64. */
function mixed({ index, right, weight }: PlannedTrack, read: Read) {
  return (k: number, d: number) => {
    const left = read(index[k]!, d)
    return right && right[k]! >= 0 ? left * weight[k]! + read(right[k]!, d) * (1 - weight[k]!) : left
  }
}

/** Over a cell: each sample counts by how much of the cell, or for a sum how much of itself, lies in both. */
function folded(track: Track, planned: PlannedTrack, plan: Plan, read: Read) {
  const samples = samplesOf(track)
  const shift = track.offset - plan.origin
  const { how, from, to, index } = planned
  return (k: number, d: number) => {
    const cell: [Ticks, Ticks] = [plan.axis.times[k]! - shift, cellEnd(plan.axis, k) - shift]
    const found = fold(how.policy as 'mean' | 'max' | 'sum', { how, samples, cell, first: from![k]!, end: to![k]! }, (rank) =>
      read(indexOf(track, rank), d),
    )
    return found ?? read(index[k]!, d)
  }
}

interface Cell {
  how: PlannedTrack['how']
  samples: Samples
  cell: [Ticks, Ticks]
  first: number
  end: number
}

/** Undefined where nothing overlaps: an edge that clamps. */
function fold(
  policy: 'mean' | 'max' | 'sum',
  { how, samples, cell, first, end }: Cell,
  read: (rank: number) => number,
): number | undefined {
  let [sum, covered, most] = [0, 0, -Infinity]
  for (let rank = first; rank < end; rank++) {
    const start = samples.times.at(rank)
    const until = standsUntil(how, samples, rank)
    const shared = Math.min(until, cell[1]) - Math.max(start, cell[0])
    if (shared <= 0) continue
    const value = read(rank)
    if (!Number.isFinite(value)) return Number.NaN
    sum += value * (policy === 'sum' ? shared / (until - start) : shared)
    covered += shared
    most = Math.max(most, value)
  }
  if (covered === 0) return undefined
  if (policy === 'max') return most
  return policy === 'sum' ? sum : sum / covered
}
