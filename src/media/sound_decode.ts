// Sound decoded between two times: packets through WebCodecs, each block put at the time of its packet, whatever time the decoder wrote on it (Chromium
// counts samples from the first packet, clamps negative times to 0 and drops an Opus pre-skip without moving on).
import { GlmError, throwIfAborted } from '../errors.ts'
import type { AudioSource } from './container.ts'
import { unreadable } from './container_error.ts'
import type { Segment } from './segments.ts'
import { pair, type SoundClock } from './sound_clock.ts'
import { isPcm, pcm } from './sound_pcm.ts'
import { at, fromSeconds, grid, indexAt, type Ticks, toSeconds } from './ticks.ts'

/** What a decoder made of a packet. */
interface Block {
  channels: Float32Array[]
  rate: number
}

export interface Sound {
  segments: Segment[]
  sampleRate: number
}

/** Decoded before what is wanted, so that overlaps, bit reservoirs and filters have settled; Opus asks for 80 ms. */
const [SETTLING, MIN_PACKETS] = [fromSeconds(0.1), 4]
/** Decoded behind it: some decoders give a packet's last samples only with the next. */
const BEHIND = 1
/** Most samples of all channels at once: 1 GiB. */
const MAX_SAMPLES = 2 ** 28
const QUEUE = 32
/** Blocks this near are one stretch; only what leaps farther is a gap. */
const APART = fromSeconds(0.005)

/** Sound whose samples start in [from, to), in ticks of the file. */
export async function decodeSound(
  source: AudioSource,
  clock: SoundClock,
  [from, to]: [Ticks, Ticks],
  signal?: AbortSignal,
): Promise<Sound> {
  const { starts, counts } = clock
  const end = starts.findLastIndex((start) => start < to) + 1
  const first = Math.max(
    0,
    starts.subarray(0, end).findLastIndex((start) => start <= from),
  )
  const wanted = counts.subarray(first, end).reduce((a, b) => a + b, 0)
  if (wanted * source.channels > MAX_SAMPLES)
    throw new GlmError('out_of_memory', 'That is too much sound to hold at once; decode it in parts, with from and to.')
  if (wanted === 0) return { segments: [], sampleRate: source.sampleRate }
  const settled = starts.findLastIndex((start) => start <= from - SETTLING)
  const begin = Math.max(0, Math.min(settled, first - MIN_PACKETS))
  const until = Math.min(starts.length, end + BEHIND)
  const blocks = await decode(source, begin, until, signal)
  return { segments: placed(blocks, clock, [begin, until], [from, to]), sampleRate: blocks[0]?.rate ?? source.sampleRate }
}

async function decode(source: AudioSource, begin: number, end: number, signal: AbortSignal | undefined): Promise<Block[]> {
  const { codec, sampleRate, channels } = source
  if (!isPcm(codec)) return coded(source, begin, end, signal)
  const blocks: Block[] = []
  for await (const { data } of source.chunks(begin, end)) {
    throwIfAborted(signal)
    blocks.push({ channels: pcm(codec, data, channels), rate: sampleRate })
  }
  return blocks
}

async function coded(source: AudioSource, begin: number, end: number, signal: AbortSignal | undefined): Promise<Block[]> {
  const blocks: Block[] = []
  let fail: (error: unknown) => void = () => {}
  const failed = new Promise<never>((_, reject) => {
    fail = reject
  })
  failed.catch(() => {})
  const decoder = new AudioDecoder({ output: (data) => take(data, blocks, fail), error: fail })
  try {
    decoder.configure(source.config)
    for await (const { chunk } of source.chunks(begin, end)) {
      throwIfAborted(signal)
      while (decoder.decodeQueueSize > QUEUE) await Promise.race([dequeued(decoder), failed])
      decoder.decode(chunk())
    }
    await Promise.race([decoder.flush(), failed])
    return blocks
  } catch (error) {
    throwIfAborted(signal)
    throw unreadable(error)
  } finally {
    if (decoder.state !== 'closed') decoder.close()
  }
}

function dequeued(decoder: AudioDecoder): Promise<void> {
  return new Promise((resolve) => decoder.addEventListener('dequeue', () => resolve(), { once: true }))
}

function take(data: AudioData, blocks: Block[], fail: (error: unknown) => void): void {
  try {
    const { numberOfFrames, numberOfChannels, sampleRate } = data
    const first = blocks[0]
    if (first && (first.rate !== sampleRate || first.channels.length !== numberOfChannels))
      throw new GlmError('file_invalid', 'The sound changes its rate or its channels on the way; convert it.')
    const channels = Array.from({ length: numberOfChannels }, (_, planeIndex) => {
      const out = new Float32Array(numberOfFrames)
      data.copyTo(out, { planeIndex, format: 'f32-planar' })
      return out
    })
    if (numberOfFrames > 0) blocks.push({ channels, rate: sampleRate })
  } catch (error) {
    fail(error)
  } finally {
    data.close()
  }
}

/** Blocks of packets [begin, end) at their times, joined where they touch, then cut to what is wanted. */
function placed(blocks: Block[], clock: SoundClock, [begin, end]: [number, number], wanted: [Ticks, Ticks]): Segment[] {
  const counts = clock.counts.subarray(begin, end)
  const scale = (blocks[0]?.rate ?? clock.rate) / clock.rate
  const lengths = blocks.map(({ channels }) => Math.round(channels[0]!.length / scale))
  const nominal = grid(clock.rate)
  const pieces = pair(lengths, counts).map(({ packet, dropped }, k) => {
    const { channels, rate } = blocks[k]!
    const start = clock.starts[begin + packet]! + at(nominal, dropped)
    const isLast = begin + packet === clock.starts.length - 1
    const room = isLast ? Math.max(0, Math.round((counts[packet]! - dropped) * scale)) : channels[0]!.length
    return { start, rate, channels: channels.map((one) => one.subarray(0, room)) }
  })
  const runs = joined(pieces).map((run) => cutTo(run, wanted))
  return runs.filter(({ count }) => count > 0)
}

interface Piece extends Block {
  start: Ticks
}

function joined(pieces: Piece[]): Piece[] {
  const runs: { first: Piece; length: number; parts: Float32Array[][] }[] = []
  for (const piece of pieces) {
    const last = runs.at(-1)
    const length = piece.channels[0]!.length
    const next = last && last.first.start + at(grid(piece.rate), last.length)
    if (next === undefined || Math.abs(piece.start - next) > APART) runs.push({ first: piece, length, parts: [piece.channels] })
    else {
      last!.parts.push(piece.channels)
      last!.length += length
    }
  }
  return runs.map(({ first, length, parts }) => ({ ...first, channels: first.channels.map((_, c) => merged(parts, c, length)) }))
}

/** The samples that start in [from, to). */
function cutTo({ start, rate, channels }: Piece, [from, to]: [Ticks, Ticks]): Segment & { count: number } {
  const samples = grid(rate)
  const length = channels[0]!.length
  const skip = from > start ? indexAt(samples, from - start - 1) + 1 : 0
  const stop = to > start ? Math.min(length, indexAt(samples, to - start - 1) + 1) : 0
  const count = Math.max(0, stop - skip)
  const startTicks = start + at(samples, Math.min(skip, length))
  const cut = count === length ? channels : channels.map((one) => one.slice(skip, skip + count))
  return { start: toSeconds(startTicks), startTicks, samples: cut, count }
}

function merged(parts: Float32Array[][], channel: number, length: number): Float32Array {
  const out = new Float32Array(length)
  let at = 0
  for (const channels of parts) {
    out.set(channels[channel]!, at)
    at += channels[channel]!.length
  }
  return out
}
