// What the timeline page holds: lanes, what was chosen, the plan of it, and which part is on show. Everything else draws from here.
import { type AxisInput, type Plan, type PlanRequest, type ProfileName, profiles, Timeline, toSeconds } from 'glm-webgpu'
import { say } from './language.ts'
import type { Lane, Source } from './timeline-lane.ts'

/** Cells and what each lane has for them: of a plan, or of what is live. */
export interface Cells {
  /** Seconds of the timeline. */
  times: ArrayLike<number>
  end: number
  labels?: string[]
  /** `error` in ticks. */
  tracks: Record<string, { mask: ArrayLike<number>; error: ArrayLike<number>; index: ArrayLike<number> }>
}

export interface Choices {
  /** `uniform`, `model:glm-4.6v`, or `track:` and a lane. */
  axis: string
  /** Cells a second, of `uniform`. */
  rate: number
  /** `union`, `intersection`, `part`, or `track:` and a lane. */
  range: string
  /** Seconds, of `part`. */
  from: number
  to: number
}

/** More cells than this would be slow to look at, and no model takes as many. */
export const MOST_CELLS = 1_000_000

export const choices: Choices = { axis: 'uniform', rate: 10, range: 'union', from: 0, to: 10 }
export const view = { from: 0, span: 10 }

export const now = {
  sources: [] as Source[],
  lanes: [] as Lane[],
  plan: undefined as Plan | undefined,
  cells: undefined as Cells | undefined,
  /** Why there is no newer plan. */
  problem: undefined as unknown,
  /** Seconds of the timeline. */
  playhead: 0,
  /** From the first start to the last end, in seconds. */
  extent: [0, 0] as [number, number],
  live: false,
  playing: false,
}

let timeline: Timeline | undefined
const listeners = { plan: [] as (() => void)[], view: [] as (() => void)[] }

/** After each plan, and after each change of lanes. */
export function onPlan(listener: () => void): void {
  listeners.plan.push(listener)
}

/** When another part is on show, or the playhead has moved. */
export function onView(listener: () => void): void {
  listeners.view.push(listener)
}

export function addSource(source: Source): void {
  for (const lane of source.lanes) lane.add(new Timeline({ strict: false }), lane.id) // what is no track is told before it is one
  const first = now.lanes.length === 0
  now.sources.push(source)
  now.lanes.push(...source.lanes)
  timeline = undefined
  replan()
  if (first) {
    fitAll()
    goTo(now.extent[0])
  }
}

export function removeLane(lane: Lane): void {
  now.lanes = now.lanes.filter((one) => one !== lane)
  const gone = now.sources.filter(({ lanes }) => !lanes.some((one) => now.lanes.includes(one)))
  now.sources = now.sources.filter((one) => !gone.includes(one))
  for (const source of gone) source.close()
  if (choices.axis === `track:${lane.id}`) choices.axis = 'uniform'
  if (choices.range === `track:${lane.id}`) choices.range = 'union'
  timeline = undefined
  replan()
}

export function clear(): void {
  for (const source of now.sources.splice(0)) source.close()
  now.lanes = []
  Object.assign(choices, { axis: 'uniform', range: 'union' })
  timeline = undefined
  replan()
}

/** What is in a lane has changed. */
export function lanesChanged(): void {
  timeline = undefined
  replan()
}

/** The plan anew; what cannot be planned leaves the last one as it is. */
export function replan(): void {
  now.problem = undefined
  if (now.lanes.length === 0) Object.assign(now, { plan: undefined, cells: undefined, extent: [0, 0] })
  else {
    try {
      timeline ??= build()
      for (const { id, offset } of now.lanes) timeline.offset(id, offset)
      const spans = timeline.tracks.filter(({ count }) => count > 0)
      if (spans.length > 0) now.extent = [Math.min(...spans.map(({ start }) => start)), Math.max(...spans.map(({ end }) => end))]
      now.plan = timeline.plan(request())
      now.cells = cellsOf(now.plan)
    } catch (error) {
      now.problem = error
    }
  }
  planChanged()
}

export function planChanged(): void {
  for (const listener of listeners.plan) listener()
}

/** The same lanes on the steps of a model; undefined where they are none. */
export function modelPlan(profile: ProfileName, id: string): Plan | undefined {
  if (!timeline) return undefined
  const { policies } = request()
  return timeline.plan({ axis: { kind: 'model', profile, id }, ...(policies ? { policies } : {}) })
}

function build(): Timeline {
  const made = new Timeline({ strict: false })
  for (const lane of now.lanes) lane.add(made, lane.id)
  return made
}

function request(): PlanRequest {
  const { range, from, to } = choices
  const policies = now.lanes.map(({ id, policy, tolerance }) => {
    return [id, { policy, ...(tolerance === undefined ? {} : { tolerance: tolerance / 1000 }) }] as const
  })
  const [kind, name] = split(range)
  return {
    axis: axisOf(choices),
    range: kind === 'part' ? [from, to] : kind === 'track' ? name : range,
    policies: Object.fromEntries(policies),
  }
}

function axisOf({ axis, rate }: Choices): AxisInput {
  const [kind, name] = split(axis)
  if (kind === 'uniform') return { kind, rate: sensible(rate) }
  if (kind === 'track') return { kind, id: name }
  const profile = name as ProfileName
  const lane = now.lanes.find(({ content }) => content.kind === profiles[profile].kind)
  return { kind: 'model', profile, ...(lane ? { id: lane.id } : {}) }
}

/** A rate that makes more cells than can be looked at is refused before they are made. */
function sensible(rate: number): number {
  if (rate * (now.extent[1] - now.extent[0]) > MOST_CELLS) throw new Error(say('timelineTooMany'))
  return rate
}

function split(choice: string): [string, string] {
  const at = choice.indexOf(':')
  return at < 0 ? [choice, ''] : [choice.slice(0, at), choice.slice(at + 1)]
}

function cellsOf({ axis, tracks }: Plan): Cells {
  return { times: axis.times.map(toSeconds), end: toSeconds(axis.end), ...(axis.labels ? { labels: axis.labels } : {}), tracks }
}

/** Where a lane's own time 0 stands on the timeline, in seconds. */
export function shiftOf(lane: Lane): number {
  return lane.offset - (now.plan && !now.live ? toSeconds(now.plan.origin) : 0)
}

/** The cell that a time is in, -1 for none. */
export function cellAt(time: number): number {
  const { cells } = now
  if (!cells || time >= cells.end) return -1
  return lastAt(cells.times, time)
}

/** The last place at or before a value in rising numbers, -1 for none. */
export function lastAt(values: ArrayLike<number>, value: number): number {
  let [low, high] = [0, values.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (values[middle]! <= value) low = middle + 1
    else high = middle
  }
  return low - 1
}

export function goTo(time: number): void {
  const [from, to] = now.extent
  now.playhead = Math.min(Math.max(time, Math.min(from, now.cells?.times[0] ?? from)), to)
  if (now.playhead < view.from || now.playhead > view.from + view.span) view.from = now.playhead - view.span * 0.1
  viewChanged()
}

export function fitAll(): void {
  const [from, to] = now.extent
  const span = Math.max(0.1, to - from)
  Object.assign(view, { from: from - span * 0.01, span: span * 1.02 })
  viewChanged()
}

/** `about` stays where it is. */
export function zoom(factor: number, about = now.playhead): void {
  const total = Math.max(0.1, now.extent[1] - now.extent[0]) * 1.02
  const span = Math.min(total, Math.max(0.02, view.span * factor))
  const inside = about >= view.from && about <= view.from + view.span ? about : view.from + view.span / 2
  view.from = inside - ((inside - view.from) * span) / view.span
  view.span = span
  pan(0)
}

export function pan(by: number): void {
  const [from, to] = now.extent
  const margin = Math.max(0.1, to - from) * 0.01
  view.from = Math.max(from - margin, Math.min(to + margin - view.span, view.from + by))
  viewChanged()
}

export function viewChanged(): void {
  for (const listener of listeners.view) listener()
}
