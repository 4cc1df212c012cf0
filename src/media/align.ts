// The front door: frames at i / fps and samples at i / rate, brought to one axis in five lines. What it returns is a plan, rendered.
import type { AxisInput, Range } from './axes.ts'
import { parseCues } from './cues.ts'
import type { Fault } from './faults.ts'
import type { Plan } from './plan.ts'
import type { Policy, PolicyName } from './policies.ts'
import type { Rendered } from './render.ts'
import type { Report } from './report.ts'
import type { RateLike, Seconds } from './ticks.ts'
import { toSeconds } from './ticks.ts'
import { Timeline, type TimelineOptions } from './timeline.ts'
import type { AudioInput, Cue, EventInput, SeriesInput, VideoInput } from './tracks.ts'

export interface AlignInput {
  /** Frames (frame i is at i / fps), how many there are, or frames with times of their own. */
  video?: readonly unknown[] | number | VideoInput
  /** Samples (sample i is at i / sampleRate), channels of them, or sound with times of its own. */
  audio?: Float32Array | Float32Array[] | AudioInput
  /** WebVTT, SRT, or cues. */
  text?: string | readonly Cue[]
  events?: EventInput
  series?: SeriesInput
}

export interface AlignOptions extends TimelineOptions {
  /** Frames per second of the video. */
  fps?: RateLike
  /** Samples per second of the audio. */
  sampleRate?: RateLike
  /** The common axis, or how many cells a second it has. Default: one cell for each frame of the video, else 100 a second. */
  axis?: AxisInput | RateLike
  range?: Range
  /** By track: video, audio, text, events, series. Audio and series: `linear` by default. */
  policies?: Record<string, Policy | PolicyName>
  durationTolerance?: Seconds
}

export interface Aligned {
  /** Start of each cell, in seconds. */
  times: Float64Array
  /** What each track has for each cell. */
  tracks: Rendered
  report: Report
  plan: Plan
  timeline: Timeline
}

export function align(input: AlignInput, options: AlignOptions = {}): Aligned {
  const timeline = new Timeline(options)
  const warnings: Fault[] = []
  if (input.video !== undefined) timeline.video('video', video(input.video, options.fps))
  if (input.audio !== undefined) timeline.audio('audio', audio(input.audio, options.sampleRate))
  if (input.text !== undefined) timeline.text('text', { cues: cues(input.text, options.strict ?? true, warnings) })
  if (input.events !== undefined) timeline.event('events', input.events)
  if (input.series !== undefined) timeline.series('series', input.series)
  const { range, durationTolerance } = options
  const plan = timeline.plan({
    axis: axisOf(options.axis, input),
    policies: { ...(input.audio === undefined ? {} : { audio: 'linear' }), ...options.policies },
    ...(range === undefined ? {} : { range }),
    ...(durationTolerance === undefined ? {} : { durationTolerance }),
  })
  plan.report.warnings.unshift(...warnings)
  return { times: plan.axis.times.map(toSeconds), tracks: timeline.render(plan), report: plan.report, plan, timeline }
}

function video(given: readonly unknown[] | number | VideoInput, fps: RateLike | undefined): VideoInput {
  const rate = fps === undefined ? {} : { fps }
  if (typeof given === 'number') return { ...rate, count: given }
  return Array.isArray(given) ? { ...rate, frames: given } : { ...rate, ...(given as VideoInput) }
}

function audio(given: Float32Array | Float32Array[] | AudioInput, sampleRate: RateLike = 0): AudioInput {
  return given instanceof Float32Array || Array.isArray(given) ? { sampleRate, samples: given } : given
}

function cues(given: string | readonly Cue[], strict: boolean, warnings: Fault[]): readonly Cue[] {
  if (typeof given !== 'string') return given
  const parsed = parseCues(given, { strict })
  warnings.push(...parsed.warnings.map((one) => ({ ...one, track: 'text' })))
  return parsed.cues
}

function axisOf(axis: AxisInput | RateLike | undefined, input: AlignInput): AxisInput {
  if (axis === undefined) return input.video === undefined ? { kind: 'uniform', rate: 100 } : { kind: 'track', id: 'video' }
  return typeof axis === 'object' && 'kind' in axis ? axis : { kind: 'uniform', rate: axis }
}
