// Sound as segments: each starts where its packets say, and counts samples from there. A clock that only counts samples loses every gap.
import { fault, type Ledger } from './faults.ts'
import { start } from './stamps.ts'
import { at, fromSeconds, grid, indexAt, type Seconds, type Ticks, toSeconds } from './ticks.ts'
import { Runs } from './times.ts'
import type { AudioInput } from './tracks.ts'

/** A stretch of sound. */
export interface Segment {
  /** Seconds, or exactly in ticks. */
  start?: Seconds
  startTicks?: Ticks
  /** One channel, or several of one length. */
  samples?: Float32Array | Float32Array[]
  count?: number
}

interface Stretch {
  start: Ticks
  count: number
  channels: Float32Array[]
}

/** Packets and samples may part this far before it counts as a gap. */
const APART = fromSeconds(0.005)

/** One clock of samples; overlaps are cut at the tail, holes and leaps of more than 5 ms are told. */
export function readSegments(id: string, input: AudioInput, ledger: Ledger) {
  const rate = grid(input.sampleRate)
  const given = input.segments ?? [
    {
      start: input.start ?? 0,
      ...(input.samples ? { samples: input.samples } : {}),
      ...(input.count === undefined ? {} : { count: input.count }),
    },
  ]
  const all = given.map((segment) => read(id, segment))
  const total = all.reduce((sum, { count }) => sum + count, 0)
  if (total > 2 ** 31 - 1) throw fault('E_RANGE', id, `${total} samples are too many for one track.`)
  const stretches = inOrder(
    id,
    all.filter(({ count }) => count > 0),
    ledger,
  )
  const [cut, first] = trim(rate, stretches)
  ledger.note('DUPLICATE', id, cut, first, `${cut} samples lie where the next segment has begun.`)
  gaps(id, rate, stretches, ledger)
  if (total === 0) ledger.note('EMPTY', id, 1, undefined, 'It has no samples.')
  const runs = stretches.filter(({ count }) => count > 0)
  if (runs.length > 0) at(rate, runs.at(-1)!.count)
  const times = new Runs(runs.map(({ start, count }) => ({ start, count, rate })))
  return { times, channels: joined(id, runs), count: times.length, cut }
}

/** Where packets leap: starts of audio packets beside what counting samples says. Gives segments that keep the packets' clock. */
export function splitAtGaps(
  packets: readonly { start: Ticks; count: number }[],
  sampleRate: number,
  tolerance: Ticks = APART,
): { startTicks: Ticks; count: number }[] {
  const rate = grid(sampleRate)
  const out: { startTicks: Ticks; count: number }[] = []
  for (const { start, count } of packets) {
    const last = out.at(-1)
    if (last && Math.abs(last.startTicks + at(rate, last.count) - start) <= tolerance) last.count += count
    else out.push({ startTicks: start, count })
  }
  return out
}

function read(id: string, segment: Segment): Stretch {
  const channels = segment.samples === undefined ? [] : Array.isArray(segment.samples) ? segment.samples : [segment.samples]
  const count = channels[0]?.length ?? segment.count ?? 0
  const whole = Number.isInteger(count) && count >= 0 && channels.every((one) => one instanceof Float32Array && one.length === count)
  if (!whole) throw fault('E_RANGE', id, 'samples must be Float32Arrays of one length, or count a whole number.')
  const ticks = segment.startTicks ?? start(id, segment.start)
  if (!Number.isSafeInteger(ticks)) throw fault('E_BAD_TIME', id, `${ticks} is no start in ticks.`)
  return { start: ticks, count, channels }
}

function inOrder(id: string, segments: Stretch[], ledger: Ledger): Stretch[] {
  const back = segments.findIndex((one, k) => k > 0 && one.start < segments[k - 1]!.start)
  if (back < 0) return segments
  ledger.note('REORDERED', id, 1, back, 'Its segments are not in order of time; sort them.')
  return segments.sort((a, b) => a.start - b.start)
}

/** Cuts tails that reach past the next start by up to any length; gives how many samples, and the segment of the first. */
function trim(rate: ReturnType<typeof grid>, segments: Stretch[]): [number, number | undefined] {
  let cut = 0
  let first: number | undefined
  for (let k = 0; k + 1 < segments.length; k++) {
    const one = segments[k]!
    const room = indexAt(rate, segments[k + 1]!.start - one.start - 1) + 1
    if (room >= one.count) continue
    cut += one.count - room
    first ??= k
    one.count = room
    one.channels = one.channels.map((samples) => samples.subarray(0, room))
  }
  return [cut, first]
}

function gaps(id: string, rate: ReturnType<typeof grid>, segments: Stretch[], ledger: Ledger): void {
  let [count, first, length] = [0, -1, 0]
  for (let k = 0; k + 1 < segments.length; k++) {
    const gap = segments[k + 1]!.start - (segments[k]!.start + at(rate, segments[k]!.count))
    if (gap <= APART) continue
    count++
    length += gap
    if (first < 0) first = k
  }
  ledger.note('AUDIO_GAP', id, count, first, `${count} gaps between segments, ${(toSeconds(length) * 1000).toFixed(1)} ms in all.`)
}

function joined(id: string, runs: Stretch[]): Float32Array[] {
  const width = runs[0]?.channels.length ?? 0
  if (runs.some(({ channels }) => channels.length !== width)) throw fault('E_RANGE', id, 'Its segments have different numbers of channels.')
  if (runs.length === 1) return runs[0]!.channels
  const total = runs.reduce((sum, { count }) => sum + count, 0)
  return Array.from({ length: width }, (_, c) => {
    const out = new Float32Array(total)
    let at = 0
    for (const { channels } of runs) {
      out.set(channels[c]!, at)
      at += channels[c]!.length
    }
    return out
  })
}
