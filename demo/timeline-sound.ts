// Reads the sound of a file once, in pieces of 20 s, for its waveform and its mel; the samples are let go. What was read is shown at once.
import { type MediaAudio, toSeconds } from 'glm-webgpu'
import { openMelPainter } from './timeline-mel.ts'
import type { Wave } from './timeline-wave.ts'

const PIECE = 20 // s

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
      const mel = await (await opening)?.paint({ segments, sampleRate })
      if (mel && signal.aborted) mel.picture.close()
      else if (mel) wave.mel.push(mel)
      if (!signal.aborted) arrived(Math.min(1, (from + PIECE - start) / duration))
    }
  } finally {
    void opening.then((painter) => painter?.close())
  }
}
