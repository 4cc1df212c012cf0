// Sound laid on one line at 16 kHz: stretches where their clocks put them, gaps as zeros, and which frames of a spectrogram hear no gap.
import { fault, Ledger } from './faults.ts'
import { HOP, SAMPLE_RATE, WINDOW } from './mel_bank.ts'
import { checkSamples, mono, resample } from './resample.ts'
import { readSegments } from './segments.ts'
import { at, grid, halfEven, TICKS_PER_SECOND, type Ticks, toSeconds } from './ticks.ts'
import type { AudioInput } from './tracks.ts'

/** Mono at 16 kHz from time 0; or channels or segments at any rate with their clocks, of which the mean is heard. */
export type Sound = Float32Array | Pick<AudioInput, 'samples' | 'segments' | 'start' | 'sampleRate'>

export interface Line {
  samples: Float32Array
  /** Time of the first sample. */
  start: Ticks
  /** Where there is sound: half-open ranges of samples, in order, none touching the next. */
  stretches: { first: number; end: number }[]
}

const LONGEST = 2 ** 28 // samples: 1 GiB, 4.6 hours

/** A stretch begins at the sample nearest to its time: within 31 µs. */
export function lineUp(sound: Sound): Line {
  const runs = runsOf(sound)
  const start = runs[0]!.start
  const placed = runs.map((run) => {
    const first = halfEven(((run.start - start) / TICKS_PER_SECOND) * SAMPLE_RATE)
    return { ...run, first, end: first + run.samples.length }
  })
  const count = placed.reduce((most, { end }) => Math.max(most, end), 0)
  if (count > LONGEST)
    throw fault('E_RANGE', '', `The sound lasts ${Math.ceil(count / SAMPLE_RATE)} s; prepare at most four hours at a time.`)
  if (placed.length === 1) return { samples: placed[0]!.samples, start, stretches: [{ first: 0, end: count }] }
  const samples = new Float32Array(count)
  for (const run of placed) samples.set(run.samples, run.first)
  return { samples, start, stretches: touching(placed) }
}

/** Mono stretches at 16 kHz with their starts. Whatever a file decodes to is taken: in order of time, an overlap is heard of the later one. */
function runsOf(sound: Sound): { start: Ticks; samples: Float32Array }[] {
  const input = sound instanceof Float32Array ? { samples: sound, sampleRate: SAMPLE_RATE } : sound
  const { times, channels, count } = readSegments('', input, new Ledger(false))
  if (count === 0) throw fault('E_EMPTY', '', 'The sound has no samples; check the range that it was decoded from.')
  if (channels.length === 0) throw fault('E_RANGE', '', 'The sound has no samples: give them, not only their count.')
  const whole = mono(channels)
  checkSamples(whole)
  const { num, den } = grid(input.sampleRate)
  return times.runs.map(({ start, first, count }) => {
    const own = whole.subarray(first, first + count)
    return { start, samples: num === SAMPLE_RATE * den ? own : resample(own, input.sampleRate, SAMPLE_RATE) }
  })
}

function touching(placed: readonly { first: number; end: number }[]): Line['stretches'] {
  const out: Line['stretches'] = []
  for (const { first, end } of placed) {
    const last = out.at(-1)
    if (last && first <= last.end) last.end = Math.max(last.end, end)
    else out.push({ first, end })
  }
  return out
}

/** 1 where all 400 samples about a frame are sound, as far as its clip of `length` reaches; [clips, span]. */
export function maskOf({ stretches }: Line, clips: number, span: number, length: number): Uint8Array<ArrayBuffer> {
  const mask = new Uint8Array(clips * span)
  let k = 0
  for (let index = 0; index < mask.length; index++) {
    const clip = Math.floor(index / span) * length
    const middle = clip + (index % span) * HOP
    const from = Math.max(clip, middle - WINDOW / 2)
    const to = Math.min(clip + length, middle + WINDOW / 2)
    while (k < stretches.length && stretches[k]!.end < to) k++
    mask[index] = k < stretches.length && stretches[k]!.first <= from ? 1 : 0
  }
  return mask
}

/** Seconds of each frame's middle: frame t is centred on sample 160 t. */
export function timesOf(start: Ticks, frames: number): Float64Array<ArrayBuffer> {
  const hundredths = grid(SAMPLE_RATE / HOP)
  return Float64Array.from({ length: frames }, (_, t) => toSeconds(start + at(hundredths, t)))
}
