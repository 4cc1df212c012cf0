// An open file as callers see it: packets of a container with their clocks put right, frames and sound on demand, and a timeline of it all.
import { throwIfAborted } from '../errors.ts'
import { readCaptions } from './caption_file.ts'
import type { AudioSource, Container, VideoSource } from './container.ts'
import { ofFile } from './container_error.ts'
import { Frames } from './container_frames.ts'
import { pushesAll } from './container_matroska.ts'
import type { Probe } from './container_probe.ts'
import type { Media, MediaAudio, MediaOptions, MediaTimelineOptions, MediaVideo } from './open.ts'
import { type SoundClock, soundClock } from './sound_clock.ts'
import { decodeSound, type Sound } from './sound_decode.ts'
import { OPUS_RATE } from './sound_opus.ts'
import { at, fromSeconds, grid, type Rate, type Ticks, toSeconds } from './ticks.ts'
import { Timeline } from './timeline.ts'
import type { Cue } from './tracks.ts'

interface Heard {
  source: AudioSource
  clock: SoundClock
  track: MediaAudio
}

interface Seen {
  frames: Frames
  track: MediaVideo
  /** Of the last frame, in seconds; undefined where the file does not tell. */
  last: number | undefined
  /** Added to its times, in whole units of its clock. */
  shift: number
}

/** Samples that libopus looks ahead. Chromium's MediaRecorder writes that there are none to drop, so its sound comes that much late. */
const LOOKAHEAD = 312

export async function assemble(container: Container, told: Probe, options: MediaOptions): Promise<Media> {
  const muxer = told.muxer ?? container.muxer
  const heard = container.audio && hear(container.audio, earlier(container, container.audio, told, muxer))
  const pushed = container.audio && pushesAll(muxer) ? (told.delays?.get(container.audio.number) ?? 0) : 0
  const seen = container.video && see(container.video, pushed)
  const warnings = [...container.warnings]
  if (seen && seen.shift !== 0)
    warnings.push(`${muxer} wrote all tracks ${toMillis(pushed)} ms late to make room for the sound's delay; put right.`)
  if (heard && heard.track.gaps.length > 0) warnings.push(`The sound has ${heard.track.gaps.length} gaps; they are kept.`)
  const [start, end] = extent(seen, heard)
  const captions = options.captions === undefined ? undefined : await shifted(options.captions, start, options, warnings)
  throwIfAborted(options.signal)
  return {
    format: container.format,
    ...(muxer ? { muxer } : {}),
    start,
    duration: end - start,
    ...(seen ? { video: seen.track } : {}),
    ...(heard ? { audio: heard.track } : {}),
    ...(captions ? { captions } : {}),
    warnings,
    timeline: (wanted = {}) => timelineOf(seen, heard, captions, { strict: options.strict ?? false, ...wanted }),
    close: () => {
      seen?.frames.close()
      container.close()
    },
  }
}

function see(source: VideoSource, pushed: number): Seen {
  const { codec, width, height, timebase } = source
  const shift = Math.round((pushed * timebase.num) / timebase.den)
  const native = shift === 0 ? source.native : source.native.map((value) => value - shift)
  const frames = new Frames(source)
  const ticks = toTicks(native, timebase)
  const last = (source.durations.at(-1)! * timebase.den) / timebase.num || undefined
  const track: MediaVideo = {
    codec,
    width,
    height,
    times: ticks.map(toSeconds),
    native,
    timebase,
    duration: toSeconds(ticks.at(-1)! - ticks[0]!) + (last ?? 0),
    frame: (index, { signal } = {}) => frames.frame(index, signal),
    pixels: (index, { signal } = {}) => frames.pixels(index, signal),
    frames: (indices, { signal } = {}) => frames.frames(indices, signal),
  }
  return { frames, track, last, shift }
}

function hear(source: AudioSource, delay: Ticks): Heard {
  const { codec, sampleRate, channels, native, timebase } = source
  const times = toTicks(native, timebase).map((ticks) => ticks - delay)
  const sizes = source.sizes?.map((samples) => Math.round((samples * sampleRate) / OPUS_RATE))
  const durations = toTicks(source.durations, timebase)
  const clock = soundClock({ codec, rate: sampleRate, times, durations, ...(sizes ? { sizes } : {}) })
  const runs = clock.runs.map(({ startTicks, count }) => [startTicks, startTicks + at(grid(sampleRate), count)] as const)
  const gaps = runs.slice(1).map(([start], k) => ({ start: toSeconds(runs[k]![1]), end: toSeconds(start) }))
  const track: MediaAudio = {
    codec,
    sampleRate,
    channels,
    times: clock.starts.map(toSeconds),
    native,
    timebase,
    duration: toSeconds(runs.at(-1)![1] - runs[0]![0]),
    gaps: gaps.filter(({ start, end }) => end > start),
    decode: async (options = {}) => (await part(source, clock, options)).segments,
  }
  return { source, clock, track }
}

/**
 * How much earlier than its packets sound is heard, in ticks: what a codec needs to start. MP4 has it in its edit list, so that packets lie before 0; Opus
 * without one is heard from its first packet's time on, as browsers play it. libavformat moves the other tracks instead.
 */
function earlier({ format }: Container, audio: AudioSource & { number: number }, told: Probe, muxer: string | undefined): Ticks {
  const { codec, sampleRate, native, config } = audio
  const unedited = codec === 'opus' && ['MP4', 'MOV'].includes(format) && native[0]! >= 0 && !muxer?.startsWith('Lavf')
  if (unedited) return fromSeconds(opusSkip(config) / OPUS_RATE)
  const delay = told.delays?.get(audio.number) ?? (told.priming ?? 0) / sampleRate
  return fromSeconds(delay === 0 && codec === 'opus' && muxer === 'Chrome' ? LOOKAHEAD / OPUS_RATE : delay)
}

/** Samples at 48 kHz that a decoder drops at the start, as an Opus header says. */
function opusSkip({ description }: AudioDecoderConfig): number {
  if (!description || description.byteLength < 12) return 0
  const header = ArrayBuffer.isView(description)
    ? new DataView(description.buffer, description.byteOffset, description.byteLength)
    : new DataView(description as ArrayBuffer)
  return header.getUint16(10, true)
}

function toTicks(native: Float64Array, timebase: Rate): Float64Array {
  const clock = grid(timebase)
  return native.map((value) => at(clock, value))
}

/** Start of the first frame or sample at or after 0, and end of the last, in seconds. */
function extent(seen: Seen | undefined, heard: Heard | undefined): [number, number] {
  const starts = [seen?.track.times, heard?.track.times].map((times) => times?.find((time) => time >= 0) ?? times?.[0] ?? Infinity)
  const ends = [seen?.track, heard?.track].map((track) => (track ? track.times[0]! + track.duration : -Infinity))
  return [Math.min(...starts), Math.max(...ends)]
}

function part(source: AudioSource, clock: SoundClock, options: { from?: number; to?: number; signal?: AbortSignal }): Promise<Sound> {
  const { from, to, signal } = options
  const edge = (seconds: number | undefined, none: Ticks) => (seconds === undefined ? none : fromSeconds(seconds))
  return decodeSound(source, clock, [edge(from, -(2 ** 52)), edge(to, 2 ** 52)], signal)
}

/** Cues count from where the file starts. */
async function shifted(input: Blob | URL | string, start: number, options: MediaOptions, warnings: string[]): Promise<Cue[]> {
  const { captions: _, ...rest } = options
  const read = await readCaptions(input, rest)
  warnings.push(...read.warnings.map(({ text }) => text))
  return read.cues.map((cue) => ({ ...cue, start: cue.start + start, end: cue.end + start }))
}

async function timelineOf(seen: Seen | undefined, heard: Heard | undefined, captions: Cue[] | undefined, options: MediaTimelineOptions) {
  const { sound, signal, ...own } = options
  const timeline = new Timeline(own)
  try {
    await addTracks(timeline, seen, heard, captions, { ...(sound ? { sound } : {}), ...(signal ? { signal } : {}) })
  } catch (error) {
    throw ofFile(error)
  }
  return timeline
}

async function addTracks(
  timeline: Timeline,
  seen: Seen | undefined,
  heard: Heard | undefined,
  captions: Cue[] | undefined,
  { sound, signal }: MediaTimelineOptions,
) {
  if (seen) {
    const { native, timebase } = seen.track
    const frames = (index: number) => awaited(seen.track.pixels(index, signal ? { signal } : {}))
    timeline.video('video', { native, timebase, frames, ...(seen.last ? { duration: seen.last } : {}) })
  }
  if (heard) {
    const range = typeof sound === 'object' ? sound : {}
    const plain: Sound = { segments: heard.clock.runs, sampleRate: heard.clock.rate }
    const made = sound ? await part(heard.source, heard.clock, { ...range, ...(signal ? { signal } : {}) }) : plain
    timeline.audio('audio', made)
  }
  if (captions) timeline.text('captions', { cues: captions })
}

/** A render asks for all its frames; one that nobody waits for may fail in silence. */
function awaited<T>(work: Promise<T>): Promise<T> {
  work.catch(() => {})
  return work
}

function toMillis(seconds: number): string {
  return (seconds * 1000).toFixed(1)
}
