// The public surface of media: what a page imports for time.
export { type Aligned, type AlignInput, type AlignOptions, align } from './align.ts'
export type { Axis, AxisInput, Range } from './axes.ts'
export type { ClockModel } from './clock.ts'
export { type Captions, parseCues, writeCues } from './cues.ts'
export { exportPlan, importPlan, planToCSV, planToWebVTT } from './exchange.ts'
export { type Fault, type FaultCode, type FaultName, faultOf, faults } from './faults.ts'
export {
  type AudioProfile,
  audioTokens,
  type Clip,
  labelOf,
  type ProfileName,
  profiles,
  type RateProfile,
  sampleFrames,
  type VideoProfile,
} from './labels.ts'
export {
  type Discontinuity,
  type LiveCell,
  type LiveOptions,
  LiveTimeline,
  type LiveTrackOptions,
  type LiveTrackReport,
  type LiveValue,
} from './live.ts'
export type { Plan, PlannedTrack } from './plan.ts'
export type { Edge, Policy, PolicyName, Settled } from './policies.ts'
export type { Rendered, RenderedTrack } from './render.ts'
export type { Report, TrackReport } from './report.ts'
export { type Segment, splitAtGaps } from './segments.ts'
export type { TimesInput } from './stamps.ts'
export {
  fromIndex,
  fromMicros,
  fromSeconds,
  type Rate,
  type RateLike,
  type Seconds,
  TICKS_PER_SECOND,
  type Ticks,
  toMicros,
  toSeconds,
} from './ticks.ts'
export { type PlanRequest, Timeline, type TimelineOptions } from './timeline.ts'
export type { AudioInput, Cue, Duplicates, EventInput, Placing, SeriesInput, TextInput, TrackKind, VideoInput } from './tracks.ts'
