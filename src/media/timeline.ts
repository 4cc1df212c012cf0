// The timeline: tracks with their own clocks, brought to one axis. `plan` says what goes where and how well; `render` makes arrays of it.
import { type AxisInput, makeAxis, type Range } from './axes.ts'
import { textTrack } from './captions.ts'
import { type Fault, fault, Ledger } from './faults.ts'
import { type Plan, type PlannedTrack, planTrack } from './plan.ts'
import { type Policy, type PolicyName, settle } from './policies.ts'
import { type Rendered, renderPlan } from './render.ts'
import { spanOf, type TrackReport, trackReport, varies } from './report.ts'
import { isTicks, type Seconds, type Ticks, toSeconds } from './ticks.ts'
import {
  type AudioInput,
  audioTrack,
  type EventInput,
  ends,
  eventTrack,
  type SeriesInput,
  seconds,
  seriesTrack,
  starts,
  type TextInput,
  type Track,
  type VideoInput,
  videoTrack,
} from './tracks.ts'

export interface TimelineOptions {
  /** Refuses bad input (default, for arrays); `false` repairs it and records what it did (for files). */
  strict?: boolean
  /**
   * What becomes 0, for all tracks together: `zero` (default) the earliest sample that is no priming, `firstSample` the earliest of all, `media` nothing is
   * moved, or a time in ticks.
   */
  origin?: 'zero' | 'firstSample' | 'media' | Ticks
}

export interface PlanRequest {
  axis: AxisInput
  /** Default `union`. */
  range?: Range
  /** By track; default: video nearest, audio mean, text hold, event window, series linear. */
  policies?: Record<string, Policy | PolicyName>
  /** `error` refuses gaps; default `report`. */
  gaps?: 'report' | 'error'
  /** How much, in seconds, tracks may differ in length before it is told. Default 0.1. */
  durationTolerance?: Seconds
}

export class Timeline {
  readonly #tracks = new Map<string, Track>()
  readonly #faults = new Map<string, Fault[]>()
  readonly #strict: boolean
  readonly #origin: 'zero' | 'firstSample' | 'media' | Ticks

  constructor(options: TimelineOptions = {}) {
    const { strict = true, origin = 'zero' } = options
    if (typeof origin === 'string' ? !['zero', 'firstSample', 'media'].includes(origin) : !isTicks(origin)) {
      throw fault('E_RANGE', '', 'The origin must be zero, firstSample, media or a time in ticks.')
    }
    this.#strict = strict
    this.#origin = origin
  }

  video(id: string, input: VideoInput): this {
    return this.#add(id, (ledger) => videoTrack(id, input, ledger))
  }

  audio(id: string, input: AudioInput): this {
    return this.#add(id, (ledger) => audioTrack(id, input, ledger))
  }

  text(id: string, input: TextInput): this {
    return this.#add(id, (ledger) => textTrack(id, input, ledger))
  }

  event(id: string, input: EventInput): this {
    return this.#add(id, (ledger) => eventTrack(id, input, ledger))
  }

  series(id: string, input: SeriesInput): this {
    return this.#add(id, (ledger) => seriesTrack(id, input, ledger))
  }

  /** Takes a track away. */
  remove(id: string): void {
    this.#tracks.delete(id)
    this.#faults.delete(id)
  }

  /** Moves a track by so many seconds from where its times say; what an editor's handle does. */
  offset(id: string, value: Seconds): void {
    this.#track(id).offset = seconds(id, 'offset', value)
  }

  /** Tracks as they stand, with what was wrong with them. Starts and ends in seconds of the timeline. */
  get tracks(): {
    id: string
    kind: Track['kind']
    count: number
    start: Seconds
    end: Seconds
    offset: Seconds
    warnings: readonly Fault[]
  }[] {
    const origin = this.#zero()
    return [...this.#tracks.values()].map((track) => {
      const { id, kind, count } = track
      const shift = track.offset - origin
      const [start, end] = track.times.length === 0 ? [0, 0] : [toSeconds(starts(track) + shift), toSeconds(ends(track) + shift)]
      return { id, kind, count, start, end, offset: toSeconds(track.offset), warnings: this.#faults.get(id)! }
    })
  }

  /** Brings every track to the axis, decoding nothing. Linear in samples, cells and captions shown. */
  plan(request: PlanRequest): Plan {
    const ledger = new Ledger(this.#strict)
    const origin = this.#zero()
    const work = { steps: 0 }
    this.#within(origin)
    this.#durations(ledger, request.durationTolerance ?? 0.1)
    const axis = makeAxis(request.axis, request.range ?? 'union', this.#tracks, origin, ledger)
    for (const id of Object.keys(request.policies ?? {})) this.#track(id)
    const planned: [string, PlannedTrack][] = [...this.#tracks.values()].map((track) => {
      const policies = request.policies ?? {}
      const how = settle(Object.hasOwn(policies, track.id) ? policies[track.id] : undefined, track)
      return [track.id, planTrack(track, how, axis, origin, work)]
    })
    const tracks = Object.fromEntries(planned)
    const reports = Object.fromEntries(planned.map(([id, one]) => [id, trackReport(this.#track(id), one, origin)]))
    for (const [id, one] of Object.entries(reports)) tellGaps(id, one, request.gaps === 'error', ledger)
    const warnings = [...[...this.#faults.values()].flat(), ...ledger.kept]
    const report = { cells: axis.times.length, tracks: reports, span: spanOf(Object.values(tracks), axis), warnings }
    return { version: 1, axis, origin, tracks, report, steps: work.steps }
  }

  /** Arrays of a plan of this timeline. Frames come from their getter, once for each index; they may be promises. */
  render(plan: Plan): Rendered {
    return renderPlan(plan, this.#tracks)
  }

  #add(id: string, make: (ledger: Ledger) => Track): this {
    if (typeof id !== 'string' || !/^\w[\w.-]{0,63}$/.test(id) || id in Object.prototype) {
      throw fault('E_RANGE', '', 'A track needs a name of up to 64 letters, digits, dots, dashes and underscores.')
    }
    if (this.#tracks.has(id)) throw fault('E_RANGE', id, 'There is a track of this name; remove it first.')
    const ledger = new Ledger(this.#strict)
    const track = make(ledger)
    if (varies(track)) ledger.note('VFR', id, 1, undefined, 'The frame rate varies; its own times are used.')
    this.#tracks.set(id, track)
    this.#faults.set(id, ledger.kept)
    return this
  }

  #track(id: string): Track {
    const track = this.#tracks.get(id)
    if (!track) throw fault('E_RANGE', id, `There is no track ${id}; there are ${[...this.#tracks.keys()].join(', ') || 'none'}.`)
    return track
  }

  /** The time that becomes 0. Offsets are applied after it, so that they are pure shifts. */
  #zero(): Ticks {
    if (typeof this.#origin === 'number') return this.#origin
    if (this.#origin === 'media') return 0
    const all = [...this.#tracks.values()].filter((track) => track.times.length > 0)
    const real = all.filter((track) => track.repairs.priming < track.times.length)
    if (this.#origin === 'zero' && real.length > 0) return Math.min(...real.map(starts))
    return all.length === 0 ? 0 : Math.min(...all.map((track) => track.times.at(0)))
  }

  /** After its shifts a track must still lie where ticks are exact. */
  #within(origin: Ticks): void {
    for (const track of this.#tracks.values()) {
      if (track.times.length === 0) continue
      const shift = track.offset - origin
      const [first, last] = [track.times.at(0), ends(track)]
      if ([last, first + shift, last + shift].some((t) => !isTicks(t)))
        throw fault('E_BAD_TIME', track.id, 'It reaches beyond 147 days of the origin.')
    }
  }

  #durations(ledger: Ledger, tolerance: Seconds): void {
    const all = [...this.#tracks.values()].filter(({ kind, times }) => kind !== 'text' && kind !== 'event' && times.length > 0)
    const lengths = all.map((track) => toSeconds(ends(track) - starts(track)))
    const delta = lengths.length < 2 ? 0 : Math.max(...lengths) - Math.min(...lengths)
    const text = `Tracks differ in length by ${(delta * 1000).toFixed(0)} ms; give durationTolerance to accept it.`
    ledger.note('DURATION', '', delta > tolerance ? 1 : 0, undefined, text)
  }
}

function tellGaps(id: string, { gapCount, gaps }: TrackReport, refused: boolean, ledger: Ledger): void {
  if (gapCount === 0) return
  const text = `${gapCount} gaps, the first from ${gaps[0]!.start.toFixed(3)} s to ${gaps[0]!.end.toFixed(3)} s.`
  if (refused) throw fault('E_GAP', id, text, undefined, gapCount)
  ledger.note('GAP', id, gapCount, undefined, text)
}
