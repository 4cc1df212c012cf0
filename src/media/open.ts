// A video or sound file: opened by its packets, with the times its container gives them; decoded only where asked. The demuxer is fetched with the first file.
import { GlmError } from '../errors.ts'
import type { BytesOptions, MediaInput } from './container_bytes.ts'
import type { Pixels } from './pixels.ts'
import type { Segment } from './segments.ts'
import type { Rate, Seconds } from './ticks.ts'
import type { Timeline, TimelineOptions } from './timeline.ts'
import type { Cue } from './tracks.ts'

export type { MediaInput } from './container_bytes.ts'

export interface MediaOptions extends BytesOptions {
  /** Ends the opening; `close` ends all. */
  signal?: AbortSignal
  /** Refuses what would be repaired (times out of order, bad cues). Default `false`. */
  strict?: boolean
  /** A WebVTT or SRT file, its address or its text; its times count from where the file starts. */
  captions?: Blob | URL | string
}

/** Stops waiting; what was begun is given up. */
export interface Stoppable {
  signal?: AbortSignal
}

/** Packets of a track in order of time. */
export interface MediaTrack {
  codec: string
  /** When each frame or packet starts, in seconds of the file. */
  times: Float64Array
  /** The same in whole numbers of the container's clock, `timebase` of them a second; sound as the file has it, before its priming is taken off. */
  native: Float64Array
  timebase: Rate
  /** From the first start to the last end, in seconds. */
  duration: Seconds
}

export interface MediaVideo extends MediaTrack {
  /** As it is to be seen: turned, with square pixels. */
  width: number
  height: number
  /** A frame by its place in `times`, which are exact; its own timestamp is cut to microseconds. Close it when done: many open ones stall a decoder. */
  frame(index: number, options?: Stoppable): Promise<VideoFrame>
  /** The same as bytes, which need no closing. */
  pixels(index: number, options?: Stoppable): Promise<Pixels>
  /** Frames in the order asked, decoded as they are taken; ascending ones once. Close each. */
  frames(indices: Iterable<number>, options?: Stoppable): AsyncIterable<VideoFrame>
}

export interface MediaAudio extends MediaTrack {
  sampleRate: number
  channels: number
  /** Gaps between packets, in seconds of the file. */
  gaps: { start: Seconds; end: Seconds }[]
  /** Sound whose samples start in [from, to) seconds of the file, default all; a segment ends where packets leap by more than 5 ms (20 ms on the clock of a recorder that jitters). */
  decode(options?: Stoppable & { from?: Seconds; to?: Seconds }): Promise<Segment[]>
}

export interface MediaTimelineOptions extends TimelineOptions, Stoppable {
  /** Decodes the sound first, or a part of it, so that a plan can be rendered; else the track has its clock and no samples. */
  sound?: boolean | { from?: Seconds; to?: Seconds }
}

/** An open file. Its tracks are the first of each kind that this browser decodes. */
export interface Media {
  /** MP4, MOV, WebM, Matroska, MPEG-TS, WAV, MP3, FLAC, OGG or ADTS. */
  format: string
  /** The application that wrote it, if the file tells. */
  muxer?: string
  /** Of the first frame or sample that is no priming, in seconds of the file. */
  start: Seconds
  /** From there to the end of the longest track. */
  duration: Seconds
  video?: MediaVideo
  audio?: MediaAudio
  /** In seconds of the file. */
  captions?: Cue[]
  /** What was left out or put right, a sentence each. */
  warnings: string[]
  /** A timeline of `video`, `audio` and `captions` with their own clocks. Frames come as `Pixels`, decoded when a plan is rendered. */
  timeline(options?: MediaTimelineOptions): Promise<Timeline>
  close(): void
}

/** Opens MP4, MOV, WebM, Matroska, MPEG-TS, WAV, MP3, FLAC, OGG or AAC by its packets; nothing is decoded. Errors: `file_invalid`, `file_truncated`. */
export async function openMedia(input: MediaInput, options: MediaOptions = {}): Promise<Media> {
  if (typeof VideoDecoder === 'undefined' && typeof AudioDecoder === 'undefined') throw new GlmError('request_invalid', elsewhere())
  const { readMedia } = await import('./container.ts')
  return readMedia(input, options)
}

function elsewhere(): string {
  if (globalThis.isSecureContext === false) return 'Video and sound files are decoded by WebCodecs, which a page has over https only.'
  return 'Video and sound files are for the browser; elsewhere give frames with their times: { frames, times }.'
}
