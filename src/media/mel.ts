// Sound made into what a speech model hears, on the GPU: a log-mel spectrogram, in three dispatches of one submit; one more of each for every two minutes beyond the first.
import { asGlmError, GlmError } from '../errors.ts'
import { Buffers } from '../gpu/buffers.ts'
import type { Gpu } from '../gpu/device.ts'
import { Pipelines } from '../gpu/pipeline.ts'
import { play, prepare, type Recording } from '../gpu/recorder.ts'
import { type MelShape, mel, melRows } from '../kernels/mel.ts'
import { melScale, melScaleGroups } from '../kernels/mel_scale.ts'
import { melTotal, STATISTICS } from '../kernels/mel_total.ts'
import { fault } from './faults.ts'
import { profiles } from './labels.ts'
import { HOP, layout, melTables, SAMPLE_RATE } from './mel_bank.ts'
import { type Line, lineUp, maskOf, type Sound, timesOf } from './mel_sound.ts'
import type { Seconds } from './ticks.ts'

export type { Sound } from './mel_sound.ts'

export interface MelOptions {
  /** Filters between 0 and 8000 Hz. Default 128. */
  mels?: 80 | 128
  /**
   * `whisper`: (max(v, maximum - 8) + 4) / 4. `meanvar` (default): (v - mean) / sqrt(variance + 1e-7) over all values of a clip, padding and gaps included.
   * `none`: v, which is log10(max(power, 1e-10)).
   */
  normalize?: 'whisper' | 'meanvar' | 'none'
  /** Zeros are put behind the sound until it lasts so long. */
  pad?: Seconds
  /** The sound is cut into clips of this length, the last filled with zeros; each is mirrored, clamped and standardised by itself. */
  chunk?: Seconds
  /** What a model expects: its mels, normalize and chunk, where they are not given. */
  profile?: 'glm-asr'
  /**
   * What `whisper` clamps below, for sound that comes in pieces. `whole` (default): the clip's own maximum, as the processors do; it is not causal, since
   * what comes later changes what came before by up to 1. A number: the `maximum` of what was heard before; the greater of the two counts, and what went out
   * stays as it was. Begin with 3.2, which no samples within ±1 exceed, and nothing ever shifts.
   */
  maximum?: 'whole' | number
}

export interface MelFrames {
  /** [mels, frames]; [chunks, mels, frames] where `chunk` was asked for. */
  shape: readonly number[]
  /** Seconds of each frame's middle: frame t is centred on t * 10 ms after the sound's start and hears 12.5 ms to either side; chunk after chunk. */
  times: Float64Array<ArrayBuffer>
  /** 1 where all that a frame hears is sound: no gap, no padding. */
  mask: Uint8Array<ArrayBuffer>
}

export interface Mel extends MelFrames {
  values: Float32Array<ArrayBuffer>
  /** log10 of the loudest value, or the `maximum` given if that is greater: what to give for the piece that follows. */
  maximum: number
}

/** The same, left on the GPU as f32. The buffer is the caller's to destroy. */
export interface MelBuffer extends MelFrames {
  buffer: GPUBuffer
}

/** Works on a device that somebody else opened and closes. */
export function openMel({ device }: { device: GPUDevice }): LogMel {
  return new LogMel({ device, limits: { binding: device.limits.maxStorageBufferBindingSize, buffer: device.limits.maxBufferSize } })
}

/** One shot: values of a sound, and nothing stays on the GPU. */
export async function logMel(device: GPUDevice, sound: Sound, options: MelOptions = {}): Promise<Mel> {
  const maker = openMel({ device })
  try {
    return await maker.values(sound, options)
  } finally {
    maker.close()
  }
}

const LOWEST = -10 // log10 of 1e-10
/** Frames of a submit: two minutes, so that the page gets the GPU back in time. */
const FRAMES = 12_000

const modelled = { 'glm-asr': { mels: 128, normalize: 'whisper', ...profiles['glm-asr'] } } as const

type Machine = Pick<Gpu, 'device' | 'limits'>

/** A sound and what becomes of it. */
interface Job extends MelShape {
  line: Line
  mels: number
  normalize: 'whisper' | 'meanvar' | 'none'
  clips: number
  chunked: boolean
}

export class LogMel {
  readonly #gpu: Machine
  readonly #pipelines: Pipelines
  readonly #tables: Buffers
  readonly #bank = new Map<number, GPUBuffer>()
  readonly #working = new Set<Buffers>()
  #closed = false

  constructor(gpu: Machine) {
    this.#gpu = gpu
    this.#pipelines = new Pipelines(gpu)
    this.#tables = new Buffers(gpu)
  }

  values(sound: Sound, options: MelOptions = {}): Promise<Mel> {
    return this.#guarded(async (buffers) => {
      const job = jobOf(sound, options)
      const size = job.mels * job.span
      const values = new Float32Array(job.clips * size)
      let maximum = job.heard
      const most = this.#clipsAtOnce(job)
      for (let first = 0; first < job.clips && size > 0; first += most) {
        const part = partOf(job, first, most)
        const found = await this.#read(part, buffers)
        values.set(found.values, first * size)
        maximum = found.largest.reduce((a, b) => Math.max(a, b), maximum)
      }
      return { values, maximum, ...framesOf(job) }
    })
  }

  /** All in one buffer, so at most about half an hour. */
  toBuffer(sound: Sound, options: MelOptions = {}): Promise<MelBuffer> {
    return this.#guarded(async (buffers) => {
      const job = jobOf(sound, options)
      if (job.clips > this.#clipsAtOnce(job)) throw tooMuch()
      const size = Math.max(16, job.clips * job.mels * job.span * 4)
      const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST
      const buffer = await this.#allocated(() => this.#gpu.device.createBuffer({ label: 'mel', size, usage }))
      try {
        if (job.span > 0) await this.#submit(job, buffers, buffer, () => {})
      } catch (error) {
        buffer.destroy()
        throw error
      }
      return { buffer, ...framesOf(job) }
    })
  }

  close(): void {
    this.#closed = true
    for (const buffers of this.#working) buffers.close()
    this.#tables.close()
  }

  /** Buffers of one call, gone when it ends; what the GPU says of them becomes an error of ours. */
  async #guarded<T>(work: (buffers: Buffers) => Promise<T>): Promise<T> {
    const closed = () => new GlmError('closed', 'What prepares sound is closed: open it again.')
    if (this.#closed) throw closed()
    const buffers = new Buffers(this.#gpu)
    this.#working.add(buffers)
    try {
      return await work(buffers)
    } catch (error) {
      if (this.#closed) throw closed()
      if (error instanceof RangeError) throw tooMuch() // an array that the page has no room for
      throw asGlmError(error, 'device_lost', 'The GPU gave no spectrogram back; open another device: ')
    } finally {
      this.#working.delete(buffers)
      buffers.close()
    }
  }

  #clipsAtOnce({ length, mels, span }: Job): number {
    const most = Math.min(this.#gpu.limits.binding, this.#gpu.limits.buffer)
    const clips = Math.floor(most / (4 * Math.max(length, (mels + STATISTICS) * span, 1)))
    if (clips < 1) throw tooMuch()
    return clips
  }

  async #read(job: Job, buffers: Buffers): Promise<{ values: Float32Array; largest: number[] }> {
    const bytes = job.clips * job.mels * job.span * 4
    const totals = job.clips * STATISTICS * 4
    const [y, staging] = await this.#allocated(() => [
      buffers.make('mel', bytes),
      buffers.make('mel for the host', bytes + totals, 'readable'),
    ])
    await this.#submit(job, buffers, y, (encoder, total) => {
      encoder.copyBufferToBuffer(y, 0, staging, 0, bytes)
      encoder.copyBufferToBuffer(total, 0, staging, bytes, totals)
    })
    await staging.mapAsync(GPUMapMode.READ)
    const all = new Float32Array(staging.getMappedRange().slice(0, bytes + totals))
    buffers.close()
    const largest = Array.from({ length: job.clips }, (_, clip) => all[bytes / 4 + STATISTICS * clip]!)
    return { values: all.subarray(0, bytes / 4), largest }
  }

  /** Frames in slices, one submit each; the last also has what follows when all are there. */
  async #submit(job: Job, buffers: Buffers, y: GPUBuffer, last: (encoder: GPUCommandEncoder, total: GPUBuffer) => void): Promise<void> {
    const { device } = this.#gpu
    const { slices, rest, total } = await this.#record(job, buffers, y)
    slices.forEach((slice, k) => {
      const encoder = device.createCommandEncoder()
      const pass = encoder.beginComputePass()
      play(pass, [slice])
      if (k === slices.length - 1) play(pass, rest)
      pass.end()
      if (k === slices.length - 1) last(encoder, total)
      device.queue.submit([encoder.finish()])
    })
  }

  async #record(job: Job, buffers: Buffers, y: GPUBuffer) {
    const { device } = this.#gpu
    const { mels, clips, span, normalize, line } = job
    const [x, status, total] = await this.#allocated(() => [
      buffers.make('sound', line.samples.length * 4),
      buffers.make('mel statistics', clips * span * STATISTICS * 4),
      buffers.make('mel totals', clips * STATISTICS * 4),
    ])
    const aux = this.#tablesOf(mels)
    device.queue.writeBuffer(x, 0, line.samples as Float32Array<ArrayBuffer>)
    const starts = Array.from({ length: Math.ceil((clips * span) / FRAMES) }, (_, k) => k * FRAMES)
    const rows = starts.map((first) => {
      const buffer = buffers.make('mel rows', 32)
      device.queue.writeBuffer(buffer, 0, melRows(job, first, Math.min(FRAMES, clips * span - first)))
      return buffer
    })
    const kernels = [mel(mels, layout), melTotal(mels), melScale(mels, normalize === 'whisper')] as const
    const [frames, sums, scale] = await Promise.all(kernels.map((kernel) => this.#pipelines.get(kernel)))
    const slices = starts.map((first, k) =>
      prepare(device, frames!, { x, y, aux, rows: rows[k]!, status }, [Math.min(FRAMES, clips * span - first)]),
    )
    const rest: Recording = [
      prepare(device, sums!, { x: status, y: total, rows: rows[0]! }, [clips]),
      ...(normalize === 'none' ? [] : [prepare(device, scale!, { x: total, y, rows: rows[0]! }, melScaleGroups(mels, span, clips))]),
    ]
    return { slices, rest, total }
  }

  /** `make` must not wait: what else makes errors meanwhile would be taken for its own. */
  async #allocated<T>(make: () => T): Promise<T> {
    const { device } = this.#gpu
    device.pushErrorScope('out-of-memory')
    const made = make()
    if (await device.popErrorScope()) {
      throw new GlmError('out_of_memory', 'The GPU has no room for so much sound: give less of it at once.')
    }
    return made
  }

  #tablesOf(mels: number): GPUBuffer {
    const found = this.#bank.get(mels)
    if (found) return found
    const words = melTables(mels)
    const made = this.#tables.make(`mel tables ${mels}`, words.byteLength)
    this.#gpu.device.queue.writeBuffer(made, 0, words)
    this.#bank.set(mels, made)
    return made
  }
}

const tooMuch = () =>
  new GlmError('out_of_memory', 'So much sound at once does not fit this GPU or page: give `chunk`, or a part of the sound at a time.')

function jobOf(sound: Sound, options: MelOptions): Job {
  const { profile, pad = 0, maximum = 'whole' } = options
  const model = profile === undefined ? undefined : modelled[profile]
  if (profile !== undefined && !model) throw fault('E_RANGE', '', `There is no profile ${String(profile)} for sound; there is glm-asr.`)
  const { mels = model?.mels ?? 128, normalize = model?.normalize ?? 'meanvar', chunk = model?.chunk } = options
  if (mels !== 80 && mels !== 128) throw fault('E_RANGE', '', `${mels} mels are not offered; ask for 80 or 128.`)
  if (!['whisper', 'meanvar', 'none'].includes(normalize))
    throw fault('E_RANGE', '', `normalize is whisper, meanvar or none, not ${normalize}.`)
  if (maximum !== 'whole' && !Number.isFinite(maximum)) throw fault('E_RANGE', '', `maximum is 'whole' or a number, not ${maximum}.`)
  const line = lineUp(sound)
  const count = line.samples.length
  if (model && count > model.longest * SAMPLE_RATE) {
    throw fault('E_TOO_LONG', '', `${profile} hears ${model.longest} s at most, this lasts ${count / SAMPLE_RATE} s; give a part of it.`)
  }
  const total = Math.max(count, samplesOf('pad', pad, 1))
  const length = chunk === undefined ? total : samplesOf('chunk', chunk, HOP)
  const heard = maximum === 'whole' ? LOWEST : Math.max(LOWEST, maximum)
  const clips = chunk === undefined ? 1 : Math.ceil(total / length)
  return { line, mels, normalize, chunked: chunk !== undefined, clips, length, span: Math.floor(length / HOP), count, heard }
}

/** Seconds in samples; a chunk is whole frames, so that its frames go on where the last chunk's ended. */
function samplesOf(name: string, seconds: Seconds, unit: number): number {
  const samples = Math.round(seconds * SAMPLE_RATE)
  const good = samples >= (unit > 1 ? unit : 0) && samples <= 2 ** 28 && Math.abs(seconds * SAMPLE_RATE - samples) < 1e-6
  if (good && samples % unit === 0) return samples
  throw fault('E_RANGE', '', `${name} is ${seconds} s; give whole ${unit > 1 ? 'hundredths of a second' : 'samples at 16 kHz'}.`)
}

/** Some of the clips as a job of their own. */
function partOf(job: Job, first: number, most: number): Job {
  const samples = job.line.samples.subarray(first * job.length, (first + most) * job.length)
  return { ...job, line: { ...job.line, samples }, clips: Math.min(most, job.clips - first), count: samples.length }
}

function framesOf({ line, chunked, clips, mels, span, length }: Job): MelFrames {
  const shape = chunked ? [clips, mels, span] : [mels, span]
  return { shape, times: timesOf(line.start, clips * span), mask: maskOf(line, clips, span, length) }
}
