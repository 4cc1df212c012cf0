// Sound while the playhead runs: pieces of a second are decoded ahead and put where their lane stands, so that an offset is heard as it is seen.
import { type MediaAudio, toSeconds } from 'glm-webgpu'
import type { Lane } from './timeline-lane.ts'
import { now, shiftOf } from './timeline-state.ts'

const PIECE = 1 // s
const AHEAD = 2 // s

/** All lanes of files that have sound, until the signal. A page that may not sound stays silent. */
export async function sing(signal: AbortSignal): Promise<void> {
  const heard = now.lanes.flatMap((lane) =>
    lane.content.kind === 'audio' && lane.content.audio ? [{ lane, audio: lane.content.audio }] : [],
  )
  if (heard.length === 0) return
  const stage = new AudioContext()
  signal.addEventListener('abort', () => void stage.close(), { once: true })
  await stage.resume() // where sound is not allowed this waits, and nothing sounds
  if (signal.aborted) return
  /** What the playhead shows when that is heard which the stage's clock has at 0. */
  const zero = now.playhead - stage.currentTime + (stage.outputLatency || 0)
  await Promise.all(heard.map(({ lane, audio }) => one(stage, zero, lane, audio, signal))).catch(() => {
    // The playhead goes on without sound.
  })
}

async function one(stage: AudioContext, zero: number, lane: Lane, audio: MediaAudio, signal: AbortSignal): Promise<void> {
  const shift = shiftOf(lane)
  const end = audio.times[0]! + audio.duration
  for (let from = Math.max(audio.times[0]!, now.playhead - shift); from < end && !signal.aborted; from += PIECE) {
    for (const { startTicks = 0, samples = [] } of await audio.decode({ from, to: from + PIECE, signal })) {
      if (signal.aborted) return
      play(stage, Array.isArray(samples) ? samples : [samples], audio.sampleRate, toSeconds(startTicks) + shift - zero)
    }
    const early = from + shift - zero - stage.currentTime - AHEAD
    if (early > 0) await new Promise((resolve) => setTimeout(resolve, early * 1000))
  }
}

/** `at` is on the stage's clock; what has been is left out. */
function play(stage: AudioContext, channels: Float32Array[], sampleRate: number, at: number): void {
  const count = channels[0]?.length ?? 0
  if (count === 0) return
  const buffer = new AudioBuffer({ numberOfChannels: channels.length, length: count, sampleRate })
  for (const [k, samples] of channels.entries()) buffer.copyToChannel(samples as Float32Array<ArrayBuffer>, k)
  const late = Math.max(0, stage.currentTime - at)
  if (late >= buffer.duration) return
  const source = new AudioBufferSourceNode(stage, { buffer })
  source.connect(stage.destination)
  source.start(Math.max(at, stage.currentTime), late)
}
