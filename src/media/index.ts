// The public surface of media: what a page imports for time.
export { type Aligned, type AlignInput, type AlignOptions, align } from './align.ts'
export type { Axis, AxisInput, Range } from './axes.ts'
export { type CaptionOptions, readCaptions } from './caption_file.ts'
export {
  type Capture,
  type CaptureOptions,
  type Feed,
  type FeedOptions,
  openCamera,
  openMicrophone,
  openScreen,
  type Sound,
} from './capture.ts'
export type { ClockModel } from './clock.ts'
export { type Captions, parseCues, writeCues } from './cues.ts'
export { exportPlan, importPlan, planToCSV, planToWebVTT } from './exchange.ts'
export { type Fault, type FaultCode, type FaultName, faultOf, faults } from './faults.ts'
export { framePixels } from './frame.ts'
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
export type { Mel, MelBuffer, MelFrames, MelOptions, Sound as MelInput } from './mel.ts'
export {
  type Media,
  type MediaAudio,
  type MediaInput,
  type MediaOptions,
  type MediaTimelineOptions,
  type MediaTrack,
  type MediaVideo,
  openMedia,
} from './open.ts'
export { type PictureInput, type PictureOptions, readPicture } from './picture.ts'
export { type PictureOptions as PrepareOptions, type PicturePlan, planPictures } from './picture_plan.ts'
export { type PictureProfile, type PictureProfileName, pictureProfiles } from './picture_profiles.ts'
export type { Pixels, RgbaPixels, YuvPixels } from './pixels.ts'
export type { Plan, PlannedTrack } from './plan.ts'
export type { Edge, Policy, PolicyName, Settled } from './policies.ts'
export type { Prepared, PreparedBuffer, Preparer, PreparerOptions } from './prepare.ts'
export { openPreparer } from './preparer.ts'
export type { Rendered, RenderedTrack } from './render.ts'
export type { Report, TrackReport } from './report.ts'
export { resample } from './resample.ts'
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
