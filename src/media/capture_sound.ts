// Sound of a stream as blocks of f32 with their own times: from a track processor where there is one, else from an audio worklet.
import { GlmError } from '../errors.ts'
import { deferred, type Platform, reading, type Source, type Take } from './capture_source.ts'

/** A block of sound as it came. */
export interface Sound {
  /** Of its first sample: µs of the device's own clock. */
  timestamp: number
  sampleRate: number
  /** f32, full scale is 1 (resampled by the browser a little more), each [samples]. */
  channels: Float32Array<ArrayBuffer>[]
}

/** Blocks that a processor keeps while the page is busy: a second of Chromium's 10 ms. */
const KEPT = 100

/** A block is complete only when its last sample has come, so its first counts as received one length earlier. */
export async function sound(stream: MediaStream, take: Take<Sound>, platform: Platform): Promise<Source> {
  const readable = processed(stream, platform)
  const given = (block: Sound, received: number) => take(block.timestamp, received - lengthOf(block), block)
  if (!readable) return listening(stream, given, platform)
  return reading(readable, (audio, received) => given(unpacked(audio), received), platform.now)
}

/** The standard's processor is for pictures; only Chromium's takes sound. */
function processed(stream: MediaStream, { Processor }: Platform): ReadableStream<AudioData> | undefined {
  try {
    if (!Processor) return undefined
    const track = stream.getAudioTracks()[0]!
    return new Processor({ track, maxBufferSize: KEPT }).readable as ReadableStream<AudioData>
  } catch {
    return undefined
  }
}

function unpacked(audio: AudioData): Sound {
  const { timestamp, sampleRate, numberOfChannels, numberOfFrames } = audio
  const channels = Array.from({ length: numberOfChannels }, (_, planeIndex) => {
    const plane = new Float32Array(numberOfFrames)
    audio.copyTo(plane, { planeIndex, format: 'f32-planar' })
    return plane
  })
  return { timestamp, sampleRate, channels }
}

/** In ms. */
function lengthOf({ channels, sampleRate }: Sound): number {
  return ((channels[0]?.length ?? 0) / sampleRate) * 1000
}

/**
 * Runs beside the page, in the sound card's time: `currentFrame` counts what the card has played, not what came, so lost samples shift nothing. What the page
 * has not yet looked at is counted, and more than a second of it is dropped: a port's queue has no bound of its own.
 */
const worklet = `
const SIZE = 1024
registerProcessor('glm-sound', class extends AudioWorkletProcessor {
  waiting = 0
  filled = 0
  over = false
  constructor() {
    super()
    this.port.onmessage = ({ data }) => {
      if (data === 'end') this.over = true
      else this.waiting--
    }
  }
  process([input]) {
    if (input.length !== this.block?.channels.length) this.begin(input)
    if (input.length > 0) this.add(input)
    return !this.over
  }
  begin(input) {
    this.filled = 0
    this.block = { time: currentFrame / sampleRate, channels: input.map(() => new Float32Array(SIZE)) }
  }
  add(input) {
    for (const [i, channel] of input.entries()) this.block.channels[i].set(channel, this.filled)
    this.filled += input[0].length
    if (this.filled < SIZE) return
    if (this.waiting * SIZE < sampleRate) {
      this.waiting++
      this.port.postMessage(this.block, this.block.channels.map(({ buffer }) => buffer))
    }
    this.block = undefined
  }
})`

/** Safari and Firefox. Its clock is the sound card's; when a block came is the page's time: the output's own times would put its delay in. */
async function listening(stream: MediaStream, take: (block: Sound, received: number) => void, platform: Platform): Promise<Source> {
  const context = new platform.AudioContext!()
  await loaded(context)
  const { sampleRate } = context
  // Else a microphone of one channel comes as two.
  const { channelCount = 1 } = stream.getAudioTracks()[0]!.getSettings()
  const node = new AudioWorkletNode(context, 'glm-sound', { channelCount, channelCountMode: 'explicit' })
  const { promise, resolve, reject } = deferred()
  node.port.onmessage = ({ data }: MessageEvent<{ time: number; channels: Float32Array<ArrayBuffer>[] }>) => {
    node.port.postMessage('seen')
    try {
      take({ timestamp: Math.round(data.time * 1e6), sampleRate, channels: data.channels }, platform.now())
    } catch (error) {
      reject(error)
    }
  }
  node.onprocessorerror = () => reject(new GlmError('worker_failed', 'The audio worklet failed; open the microphone again.'))
  const close = () => {
    node.port.onmessage = null
    node.port.postMessage('end')
    void context.close().catch(() => {})
    resolve()
  }
  // Without a way to the output some browsers do not run a node; ours gives silence.
  context.createMediaStreamSource(stream).connect(node).connect(context.destination)
  void context.resume().catch(() => {})
  return { done: promise.finally(close), close }
}

async function loaded(context: AudioContext): Promise<void> {
  const url = URL.createObjectURL(new Blob([worklet], { type: 'text/javascript' }))
  try {
    await context.audioWorklet.addModule(url)
  } catch (cause) {
    void context.close()
    const text = "The audio worklet was not loaded; allow blob: in script-src of the page's Content-Security-Policy."
    throw new GlmError('worker_failed', text, { cause })
  } finally {
    URL.revokeObjectURL(url)
  }
}
