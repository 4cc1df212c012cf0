// The clock of sound in a file: packets say when, samples are only counted between them. Where the two part by more than 5 ms the packets win and a new run
// begins; what a decoder swallows is put back where it belongs, so nothing is shifted.
//
// A recorder stamps packets as they arrive, so its times jitter. That is told where packets know their own length (Opus) and, by their times, would overlap by
// more than 5 ms: sound cannot. Then counting wins: a run begins at the median of what its first 16 packets say, and only where most of the 16 next ones are more
// than 20 ms off the same way, be it a gap or a clock that has drifted, a new run begins.
import { at, fromSeconds, grid, type Ticks, toSeconds } from './ticks.ts'

export interface SoundPackets {
  codec: string
  /** Samples a second. */
  rate: number
  /** In ticks. [packets] */
  times: Float64Array
  /** In ticks, as the container says. [packets] */
  durations: Float64Array
  /** Samples, as the packets say themselves; 0 where one does not. Only where their times may be a recorder's. [packets] */
  sizes?: Int32Array
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
/** Times of a recorder may stray this far, and for fewer than most of so many packets any distance. */
const [STRAY, WINDOW] = [fromSeconds(0.02), 16]
/** Packets that a decoder may keep to itself at the start: its delay, or what it needs to overlap with. */
const MAX_SWALLOWED = 8

export function soundClock(packets: SoundPackets): SoundClock {
  const { rate, times } = packets
  const counts = countsOf(packets)
  const parts = (k: number, expected: Ticks) => Math.abs(times[k]! - expected) > APART
  const clock = counted(rate, counts, parts, (k) => times[k]!)
  return packets.sizes && overlaps(clock) ? recorded(rate, counts, times) : clock
}

/** Times of a recorder: see above. */
function recorded(rate: number, counts: Int32Array, times: Float64Array): SoundClock {
  const samples = grid(rate)
  /** How much later than counting from the packet k says, where k is at 0. */
  const said = (k: number) => {
    let count = 0
    return Array.from(times.subarray(k, k + WINDOW), (time, i) => {
      const late = time - at(samples, count)
      count += counts[k + i]!
      return late
    })
  }
  const parts = (k: number, expected: Ticks) => {
    const late = times[k]! - expected
    if (Math.abs(late) <= STRAY) return false
    const window = said(k)
    return 2 * window.filter((start) => Math.sign(late) * (start - expected) > STRAY).length > window.length
  }
  return counted(rate, counts, parts, (k) => median(said(k)))
}

/** Runs of packets; `parts` tells whether one lies elsewhere than counted, `start` where a run begins with it. */
function counted(
  rate: number,
  counts: Int32Array,
  parts: (packet: number, expected: Ticks) => boolean,
  start: (packet: number) => Ticks,
): SoundClock {
  const samples = grid(rate)
  const runs: SoundClock['runs'] = []
  const starts = Float64Array.from(counts, (count, k) => {
    const last = runs.at(-1)
    const expected = last && last.startTicks + at(samples, last.count)
    if (expected === undefined || parts(k, expected)) {
      runs.push({ startTicks: start(k), count })
      return runs.at(-1)!.startTicks
    }
    last!.count += count
    return expected
  })
  return { rate, starts, counts, runs }
}

/** Whether a run begins before the last one has ended. */
function overlaps({ rate, runs }: SoundClock): boolean {
  const samples = grid(rate)
  return runs.some((run, k) => k > 0 && run.startTicks < runs[k - 1]!.startTicks + at(samples, runs[k - 1]!.count))
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[(values.length - 1) >> 1]!
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
 * What packets say themselves; else a constant where the codec has one and the packets lie so; else what lies between a packet and the next. The last may be
 * shorter, and Ogg tells what is heard of the first.
 */
function countsOf({ codec, rate, times, durations, sizes }: SoundPackets): Int32Array {
  const size = sizes?.every((samples) => samples > 0) ? undefined : constant(codec, rate, times)
  const samples = (ticks: Ticks) => Math.round(toSeconds(ticks) * rate)
  return Int32Array.from(times, (time, k) => {
    const next = times[k + 1]
    const own = sizes?.[k] || size
    const edge = next === undefined || (k === 0 && !sizes)
    const isShort = edge && own !== undefined && durations[k]! > 0 && fromSeconds(own / rate) - durations[k]! > ROUNDING
    if (own !== undefined && !isShort) return own
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
