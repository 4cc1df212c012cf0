// The clock of sound in a file: packets say when, samples are only counted between them. Where the two part by more than 5 ms the packets win and a new run
// begins; what a decoder swallows is put back where it belongs, so nothing is shifted.
import { at, fromSeconds, grid, type Ticks, toSeconds } from './ticks.ts'

export interface SoundPackets {
  codec: string
  /** Samples a second. */
  rate: number
  /** In ticks. [packets] */
  times: Float64Array
  /** In ticks, as the container says. [packets] */
  durations: Float64Array
}

export interface SoundClock {
  readonly rate: number
  /** Start of each packet in ticks, counted within its run. [packets] */
  readonly starts: Float64Array
  /** Samples of each packet. [packets] */
  readonly counts: Int32Array
  /** Stretches without a gap. */
  readonly runs: { startTicks: Ticks; count: number }[]
}

/** Samples that one packet of a codec holds, where all hold the same. */
const FRAMES: Record<string, number[]> = {
  aac: [1024, 960, 2048, 512, 480],
  mp3: [1152, 576],
  opus: [960, 480, 240, 120, 1920, 2880],
  ac3: [1536],
  eac3: [1536, 256, 512, 768],
}
/** A time in whole milliseconds is off by half of one, two of them by one. */
const ROUNDING = fromSeconds(0.0015)
/** Packets and counted samples may part this far before it is a gap. */
const APART = fromSeconds(0.005)
/** Packets that a decoder may keep to itself at the start: its delay, or what it needs to overlap with. */
const MAX_SWALLOWED = 8

export function soundClock(packets: SoundPackets): SoundClock {
  const rate = grid(packets.rate)
  const counts = countsOf(packets)
  const runs: SoundClock['runs'] = []
  const starts = packets.times.map((time, k) => {
    const last = runs.at(-1)
    const expected = last && last.startTicks + at(rate, last.count)
    const goesOn = expected !== undefined && Math.abs(expected - time) <= APART
    if (goesOn) last!.count += counts[k]!
    else runs.push({ startTicks: time, count: counts[k]! })
    return goesOn ? expected : time
  })
  return { rate: packets.rate, starts, counts, runs }
}

/**
 * Which packet each decoded block is of, and how many of that packet's samples the decoder dropped before it. Decoders give a block for a packet, but
 * swallow the first few: so blocks are told from the end. One that cuts its blocks otherwise is told by counting samples.
 */
export function pair(blocks: readonly number[], counts: ArrayLike<number>): { packet: number; dropped: number }[] {
  const missing = counts.length - blocks.length
  if (missing < 0 || missing > MAX_SWALLOWED) return byCount(blocks, counts)
  return blocks.map((count, k) => ({ packet: k + missing, dropped: k === 0 ? Math.max(0, counts[missing]! - count) : 0 }))
}

function byCount(blocks: readonly number[], counts: ArrayLike<number>): { packet: number; dropped: number }[] {
  const sum = (values: Iterable<number> | ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0)
  let position = Math.max(0, sum(counts) - sum(blocks))
  let [packet, first] = [0, 0]
  return blocks.map((count) => {
    while (packet + 1 < counts.length && first + counts[packet]! <= position) first += counts[packet++]!
    const dropped = position - first
    position += count
    return { packet, dropped }
  })
}

/**
 * A constant where the codec has one and the packets lie so; else what lies between a packet and the next. The first and the last may be shorter: Ogg tells
 * what is heard of them, MP4 of the last.
 */
function countsOf({ codec, rate, times, durations }: SoundPackets): Int32Array {
  const size = constant(codec, rate, times)
  const samples = (ticks: Ticks) => Math.round(toSeconds(ticks) * rate)
  const short = (k: number) => durations[k]! > 0 && fromSeconds(size! / rate) - durations[k]! > ROUNDING
  return Int32Array.from(times, (time, k) => {
    const next = times[k + 1]
    const edge = k === 0 || next === undefined
    if (size !== undefined && !(edge && short(k))) return size
    const near = next !== undefined && next >= time && next - time <= durations[k]! + APART
    return near ? samples(next) - samples(time) : samples(durations[k]!)
  })
}

/** The frame size that nine of ten steps are, within what milliseconds round away. */
function constant(codec: string, rate: number, times: Float64Array): number | undefined {
  const steps = times.length - 1
  if (steps < 1) return FRAMES[codec]?.[0]
  return FRAMES[codec]?.find((size) => {
    const step = fromSeconds(size / rate)
    let near = 0
    for (let k = 0; k < steps; k++) if (Math.abs(times[k + 1]! - times[k]! - step) <= ROUNDING) near++
    return near >= steps * 0.9
  })
}
