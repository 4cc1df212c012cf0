// The one module that knows mediabunny: containers become lists of packets with their own integer clocks, and packets come out again to be decoded.
// Fetched when a file is first opened.
import {
  ADTS,
  CustomSource,
  EncodedPacketSink,
  FLAC,
  Input,
  type InputAudioTrack,
  type InputTrack,
  type InputVideoTrack,
  Logging,
  LogLevel,
  MATROSKA,
  MP3,
  MP4,
  MPEG_TS,
  OGG,
  QTFF,
  type VideoSample,
  VideoSampleSink,
  WAVE,
  WEBM,
} from 'mediabunny'
import { GlmError, throwIfAborted } from '../errors.ts'
import { type Bytes, openBytes } from './container_bytes.ts'
import { ofFile, unreadable } from './container_error.ts'
import { assemble } from './container_media.ts'
import { pause } from './container_pause.ts'
import { probe } from './container_probe.ts'
import type { Media, MediaInput, MediaOptions } from './open.ts'
import { opusSamples } from './sound_opus.ts'
import type { Rate } from './ticks.ts'

/** Packets of a track in order of presentation, in the container's clock. */
export interface Packets {
  timebase: Rate
  /** [packets] */
  native: Float64Array
  /** [packets] */
  durations: Float64Array
}

export interface VideoSource extends Packets {
  codec: string
  width: number
  height: number
  /** Frames of packets, each decoded once where they ascend; undefined where one cannot be. Each is the caller's to close. */
  frames(ranks: Iterable<number>): AsyncGenerator<VideoFrame | undefined, void>
}

export interface AudioSource extends Packets {
  codec: string
  sampleRate: number
  channels: number
  config: AudioDecoderConfig
  /** Samples at 48 kHz, as Opus packets say themselves, where the container has only times that somebody stamped. [packets] */
  sizes?: Int32Array
  /** The encoded packets of [first, end). */
  chunks(first: number, end: number): AsyncGenerator<{ data: Uint8Array; chunk: () => EncodedAudioChunk }, void>
}

export interface Container {
  format: string
  muxer?: string
  video?: VideoSource & { number: number }
  audio?: AudioSource & { number: number }
  warnings: string[]
  close(): void
}

const FORMATS = [MP4, QTFF, MATROSKA, WEBM, OGG, WAVE, MP3, FLAC, ADTS, MPEG_TS]
const NAMES: Record<string, string> = { 'QuickTime File Format': 'MOV', WAVE: 'WAV', Ogg: 'OGG', 'MPEG Transport Stream': 'MPEG-TS' }
/** A day of frames and packets; nothing that a page can hold has more. */
const MAX_PACKETS = 2 ** 23
/** Packets listed before others have a turn: about 20 ms. */
const AT_ONCE = 2000

// What it has to say of a damaged file, our errors say.
Logging.level = LogLevel.Silent

/** The caller's signal ends the opening; what is read later ends when the file is closed. */
export async function readMedia(input: MediaInput, options: MediaOptions): Promise<Media> {
  const { signal, fetch, headers } = options
  throwIfAborted(signal)
  const reading = new AbortController()
  const stop = () => reading.abort(signal?.reason)
  signal?.addEventListener('abort', stop)
  try {
    const bytes = await openBytes(input, { signal: reading.signal, ...(fetch ? { fetch } : {}), ...(headers ? { headers } : {}) })
    const told = await probe(bytes)
    const container = await openContainer(bytes, reading)
    return await assemble(container, told, options)
  } catch (error) {
    reading.abort(signal?.reason)
    throw ofFile(error)
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}

/** `reading` ends with the container, and the container with it. */
async function openContainer(bytes: Bytes, reading: AbortController): Promise<Container> {
  const { signal } = reading
  const source = new CustomSource({
    getSize: () => bytes.size,
    read: (start, end) => bytes.read(start, end),
    prefetchProfile: bytes.remote ? 'network' : 'fileSystem',
    handleUnhandledError: () => {},
  })
  const input = new Input({ formats: FORMATS, source })
  signal.addEventListener('abort', () => input.dispose())
  try {
    return { ...(await read(input, bytes.size, signal)), close: () => reading.abort() }
  } catch (error) {
    throwIfAborted(signal)
    throw unreadable(error)
  }
}

async function read(input: Input, size: number, signal: AbortSignal): Promise<Omit<Container, 'close'>> {
  const format = (await input.getFormat()).name
  const warnings: string[] = []
  const tracks = await input.getTracks()
  const video = await firstDecodable(tracks.filter((track) => track.isVideoTrack()) as InputVideoTrack[], warnings)
  const audio = await firstDecodable(tracks.filter((track) => track.isAudioTrack()) as InputAudioTrack[], warnings)
  const limit = Math.min(MAX_PACKETS, size + 1)
  const seen = video && (await videoSource(video, limit, warnings, signal))
  const heard = audio && (await audioSource(audio, limit, warnings, signal))
  if (!seen && !heard) throw new GlmError('file_invalid', warnings.join(' ') || 'The file has neither pictures nor sound.')
  const muxer = await writer(input)
  return {
    format: NAMES[format] ?? format,
    ...(muxer ? { muxer } : {}),
    ...(seen ? { video: seen } : {}),
    ...(heard ? { audio: heard } : {}),
    warnings,
  }
}

async function firstDecodable<T extends InputTrack>(tracks: T[], warnings: string[]): Promise<T | undefined> {
  for (const track of tracks) {
    if (await track.canDecode()) return track
    const codec = (await track.getCodec()) ?? String((await track.getInternalCodecId()) ?? 'unknown')
    const better = track.isVideoTrack() ? 'H.264, VP9 or AV1' : 'AAC, Opus or FLAC'
    warnings.push(`This browser cannot decode the ${track.type} track (${codec}); convert it to ${better}.`)
  }
  return undefined
}

async function writer(input: Input): Promise<string | undefined> {
  const { raw } = await input.getMetadataTags()
  const found = raw?.['©too'] ?? raw?.TSSE ?? raw?.ENCODER
  return typeof found === 'string' ? found.slice(0, 200) : undefined
}

async function videoSource(track: InputVideoTrack, limit: number, warnings: string[], signal: AbortSignal) {
  const listed = await packetsOf(track, limit, signal)
  const first = listed.find(({ key }) => key)
  if (!first) {
    warnings.push('The video track has no key frame and is left out.')
    return undefined
  }
  const packets = listed.filter(({ timestamp }) => timestamp >= first.timestamp)
  const lost = listed.length - packets.length
  if (lost > 0) warnings.push(`${lost} frames before the first key frame cannot be decoded and are left out.`)
  const sink = new VideoSampleSink(track)
  const at = (rank: number) => packets[rank]!.timestamp
  return {
    number: track.id,
    codec: (await track.getCodec())!,
    width: await track.getDisplayWidth(),
    height: await track.getDisplayHeight(),
    ...(await clocked(track, packets)),
    frames: (ranks: Iterable<number>) => decode(sink, Array.from(ranks, at), track),
  }
}

async function audioSource(track: InputAudioTrack, limit: number, warnings: string[], signal: AbortSignal) {
  const stamped = await isStamped(track)
  const packets = await packetsOf(track, limit, signal, stamped ? opusSamples : undefined)
  const config = await track.getDecoderConfig()
  if (!config || packets.length === 0) {
    warnings.push('The audio track has no packets and is left out.')
    return undefined
  }
  const sink = new EncodedPacketSink(track)
  return {
    number: track.id,
    codec: (await track.getCodec())!,
    sampleRate: await track.getSampleRate(),
    channels: await track.getNumberOfChannels(),
    ...(await clocked(track, packets)),
    config,
    ...(stamped ? { sizes: Int32Array.from(packets, ({ samples }) => samples) } : {}),
    chunks: (first: number, end: number) => chunks(sink, packets[first]!.timestamp, end - first),
  }
}

interface Packet {
  timestamp: number
  duration: number
  key: boolean
  /** 0 where nobody asked for them. */
  samples: number
}

/** Opus in Matroska, whose blocks are read whole with their times in any case. */
async function isStamped(track: InputAudioTrack): Promise<boolean> {
  const { name } = await track.input.getFormat()
  return (name === 'Matroska' || name === 'WebM') && (await track.getCodec()) === 'opus'
}

/** All packets in order of presentation, looked at without their data where their samples are not asked for. */
async function packetsOf(
  track: InputTrack,
  limit: number,
  signal: AbortSignal,
  samplesOf?: (data: Uint8Array) => number,
): Promise<Packet[]> {
  const out: Packet[] = []
  const packets = new EncodedPacketSink(track).packets(undefined, undefined, { metadataOnly: !samplesOf })
  for await (const { timestamp, duration, type, data } of packets) {
    throwIfAborted(signal)
    if (out.length % AT_ONCE === AT_ONCE - 1) await pause()
    if (out.length >= limit || !Number.isFinite(timestamp))
      throw new GlmError('file_invalid', 'The file lists more packets than it can hold.')
    out.push({ timestamp, duration, key: type === 'key', samples: samplesOf ? samplesOf(data) : 0 })
  }
  return out.sort((a, b) => a.timestamp - b.timestamp)
}

async function clocked(track: InputTrack, packets: Packet[]): Promise<Packets> {
  const timebase = await timebaseOf(track)
  const unit = timebase.num / timebase.den
  return {
    timebase,
    native: Float64Array.from(packets, ({ timestamp }) => Math.round(timestamp * unit)),
    durations: Float64Array.from(packets, ({ duration }) => Math.max(0, Math.round(duration * unit))),
  }
}

/** Whole numbers a second; Matroska's clock is so many nanoseconds; sound without a clock of its own has its samples. */
async function timebaseOf(track: InputTrack): Promise<Rate> {
  const resolution = await track.getTimeResolution()
  if (Number.isInteger(resolution)) return { num: resolution, den: 1 }
  const { name } = await track.input.getFormat()
  if (name !== 'Matroska' && name !== 'WebM' && track.isAudioTrack()) return { num: await track.getSampleRate(), den: 1 }
  return { num: 1_000_000_000, den: Math.max(1, Math.round(1_000_000_000 / resolution)) }
}

async function* decode(sink: VideoSampleSink, times: number[], track: InputVideoTrack): AsyncGenerator<VideoFrame | undefined, void> {
  try {
    for await (const sample of sink.samplesAtTimestamps(times)) yield sample ? await upright(sample, track) : undefined
  } catch (error) {
    throw unreadable(error)
  }
}

/** A frame as it is to be seen: turned, and with square pixels. */
async function upright(sample: VideoSample, track: InputVideoTrack): Promise<VideoFrame> {
  const [width, height] = [await track.getDisplayWidth(), await track.getDisplayHeight()]
  const { num, den } = await track.getPixelAspectRatio()
  try {
    if (sample.rotation === 0 && num === den && !(await track.getFlip())) return sample.toVideoFrame()
    const canvas = new OffscreenCanvas(width, height)
    sample.draw(canvas.getContext('2d')!, 0, 0, width, height)
    return new VideoFrame(canvas, { timestamp: sample.microsecondTimestamp, duration: sample.microsecondDuration })
  } finally {
    sample.close()
  }
}

async function* chunks(sink: EncodedPacketSink, from: number, count: number) {
  try {
    let packet = await sink.getPacket(from)
    for (let k = 0; packet && k < count; k++) {
      const one = packet
      yield { data: one.data, chunk: () => one.toEncodedAudioChunk() }
      packet = await sink.getNextPacket(one)
    }
  } catch (error) {
    throw unreadable(error)
  }
}
