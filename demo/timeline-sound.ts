// Reads the sound of a file once, in pieces of 20 s, for its waveform and its mel; the samples are let go. What was read is shown at once.
import { type MediaAudio, type Segment, toSeconds } from 'glm-webgpu'
import { openMelPainter } from './timeline-mel.ts'
import type { Wave } from './timeline-wave.ts'

const PIECE = 20 // s
const JITTER = 0.02 // s

/** `arrived` is told how much of it has been read, 0 to 1. Waveforms come before the GPU is asked. */
export async function readWave(audio: MediaAudio, wave: Wave, arrived: (share: number) => void, signal: AbortSignal): Promise<void> {
  const { sampleRate, duration } = audio
  const [start, end] = [audio.times[0]!, audio.times[0]! + duration]
  const opening = openMelPainter(duration)
  try {
    for (let from = start; from < end && !signal.aborted; from += PIECE) {
      const segments = await audio.decode({ from, to: from + PIECE < end ? from + PIECE : end + 1, signal })
      for (const { startTicks, start: at = 0, samples = [] } of segments) {
        wave.add(Array.isArray(samples) ? samples : [samples], sampleRate, startTicks === undefined ? at : toSeconds(startTicks))
      }
      arrived(Math.min(1, (from - start) / duration))
      const mel = await (await opening)?.paint({ segments: even(segments, sampleRate), sampleRate })
      if (mel && signal.aborted) mel.picture.close()
      else if (mel) wave.mel.push(mel)
      if (!signal.aborted) arrived(Math.min(1, (from + PIECE - start) / duration))
    }
  } finally {
    void opening.then((painter) => painter?.close())
  }
}

/** For a picture of 10 ms steps: clocks of recorders jitter by some, which makes one stretch of it; what comes twice is cut. */
function even(segments: Segment[], rate: number): Segment[] {
  const stretches: { start: number; end: number; parts: Float32Array[][] }[] = []
  for (const { startTicks = 0, samples = [] } of segments) {
    const channels = Array.isArray(samples) ? samples : [samples]
    const start = toSeconds(startTicks)
    const last = stretches.at(-1)
    const leap = last ? start - last.end : Infinity
    const skip = leap < -JITTER ? Math.ceil(-leap * rate) : 0
    const count = Math.max(0, (channels[0]?.length ?? 0) - skip)
    const rest = channels.map((one) => one.subarray(skip))
    if (last && leap <= JITTER) {
      last.parts.push(rest)
      last.end += count / rate
    } else stretches.push({ start, end: start + count / rate, parts: [rest] })
  }
  return stretches.map(({ start, parts }) => ({ start, samples: parts[0]!.map((_, c) => merged(parts.map((channels) => channels[c]!))) }))
}

function merged(parts: Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
