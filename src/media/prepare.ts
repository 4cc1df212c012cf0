// Pictures and frames made into what a vision model reads, on the GPU: resized, normalised and cut into patches in one dispatch for each. Sound goes by mel.ts.
import { asGlmError, GlmError } from '../errors.ts'
import { Buffers } from '../gpu/buffers.ts'
import { type Gpu, openGpu } from '../gpu/device.ts'
import { Pipelines } from '../gpu/pipeline.ts'
import { play, prepare, type Recording } from '../gpu/recorder.ts'
import { axisTable, PARAMETER_WORDS, type PixelSource, patchify, patchifyGroups, patchifyParameters } from '../kernels/patchify.ts'
import { LogMel, type Mel, type MelBuffer, type MelOptions, type Sound } from './mel.ts'
import { type PictureOptions, type PicturePlan, planPictures, profileOf } from './picture_plan.ts'
import type { PictureProfile } from './picture_profiles.ts'
import { pixelSource, wordsOf } from './pixel_source.ts'
import type { Pixels } from './pixels.ts'
import { type Axis, resample } from './resize.ts'

export interface PreparerOptions {
  /** A device to work on; it stays open. Else one is made. */
  device?: GPUDevice
  /** `navigator.gpu`, or Dawn's in Node, where a device is made. */
  gpu?: GPU
}

/** Values on the host, in the shape of the plan. */
export interface Prepared extends PicturePlan {
  values: Float32Array<ArrayBuffer>
}

/** Values on the GPU: f32 in the shape of the plan. The buffer is the caller's to destroy. */
export interface PreparedBuffer extends PicturePlan {
  buffer: GPUBuffer
}

/** Everything that a call with frames of these sizes plays: made once, and again when the sizes change. */
interface Job {
  key: string
  plan: PicturePlan
  recording: Recording
  sources: readonly GPUBuffer[]
  y: GPUBuffer
  bytes: number
}

type Machine = Pick<Gpu, 'device' | 'limits' | 'close'>

export async function openPreparer(options: PreparerOptions = {}): Promise<Preparer> {
  const { device } = options
  if (!device) return new Preparer(await openGpu(options.gpu ?? globalThis.navigator?.gpu))
  const limits = { binding: device.limits.maxStorageBufferBindingSize, buffer: device.limits.maxBufferSize }
  return new Preparer({ device, limits, close() {} })
}

export class Preparer {
  readonly #gpu: Machine
  readonly #pipelines: Pipelines
  readonly #buffers: Buffers
  readonly #named = new Map<string, GPUBuffer>()
  #job: Job | undefined
  readonly #mel: LogMel
  #turn: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(gpu: Machine) {
    this.#gpu = gpu
    this.#pipelines = new Pipelines(gpu)
    this.#buffers = new Buffers(gpu)
    this.#mel = new LogMel(gpu)
  }

  /** What `count` pictures of this size become, without any pixels. */
  plan(width: number, height: number, count: number, options: PictureOptions): PicturePlan {
    return planPictures(width, height, count, options)
  }

  /** Frames of one clip (`video`), or pictures that become the same size. */
  pictures(frames: readonly Pixels[], options: PictureOptions): Promise<Prepared> {
    return this.#inTurn(async () => {
      const job = await this.#settle(frames, options)
      const staging = this.#room('values for the host', job.bytes, 'readable')
      this.#submit(job, frames, staging)
      await staging.mapAsync(GPUMapMode.READ, 0, job.bytes)
      const values = new Float32Array(staging.getMappedRange(0, job.bytes).slice(0))
      staging.unmap()
      return { values, ...job.plan }
    })
  }

  /** The same, left on the GPU. */
  toBuffer(frames: readonly Pixels[], options: PictureOptions): Promise<PreparedBuffer> {
    return this.#inTurn(async () => {
      const job = await this.#settle(frames, options)
      const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST
      const buffer = await this.#allocate(() => this.#gpu.device.createBuffer({ label: 'prepared pictures', size: job.bytes, usage }))
      this.#submit(job, frames, buffer)
      return { buffer, ...job.plan }
    })
  }

  /** Log-mel of a sound: standardised by mean and variance, or as a speech model's profile has it. */
  mel(sound: Sound, options: MelOptions = {}): Promise<Mel> {
    return this.#mel.values(sound, options)
  }

  /** The same, left on the GPU. */
  melToBuffer(sound: Sound, options: MelOptions = {}): Promise<MelBuffer> {
    return this.#mel.toBuffer(sound, options)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#mel.close()
    this.#buffers.close()
    this.#gpu.close()
  }

  /** One call after the other: they share buffers. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const closed = () => new GlmError('closed', 'The preparer is closed: open another one.')
    const done = this.#turn.then(async () => {
      if (this.#closed) throw closed()
      try {
        return await work()
      } catch (error) {
        throw this.#closed ? closed() : asGlmError(error, 'device_lost', 'The GPU gave no pictures back; open another preparer: ')
      }
    })
    this.#turn = done.catch(() => {})
    return done
  }

  #submit(job: Job, frames: readonly Pixels[], target: GPUBuffer): void {
    const { device } = this.#gpu
    frames.forEach((frame, i) => {
      device.queue.writeBuffer(job.sources[i]!, 0, wordsOf(frame))
    })
    const encoder = device.createCommandEncoder()
    const pass = encoder.beginComputePass()
    play(pass, job.recording)
    pass.end()
    encoder.copyBufferToBuffer(job.y, 0, target, 0, job.bytes)
    device.queue.submit([encoder.finish()])
  }

  async #settle(frames: readonly Pixels[], options: PictureOptions): Promise<Job> {
    const sources = frames.map(pixelSource)
    const key = JSON.stringify([options, sources, frames.map(({ data }) => data.length)])
    if (this.#job?.key === key) return this.#job
    const plan = planOf(sources, options)
    this.#check(frames, plan)
    this.#job = undefined
    this.#job = await this.#allocate(() => this.#record(key, frames, sources, plan, profileOf(options.profile), options.video === true))
    return this.#job
  }

  async #record(
    key: string,
    frames: readonly Pixels[],
    sources: PixelSource[],
    plan: PicturePlan,
    profile: PictureProfile,
    video: boolean,
  ) {
    const { device } = this.#gpu
    const { all, used } = axesOf(sources, plan, profile)
    const parameters = sources.flatMap((source, i) => {
      const { across, down } = used[i]!
      return [...patchifyParameters(across, down, placeOf(i, frames.length, plan, profile, video), source)]
    })
    const axes = this.#room('axes of pictures', all.byteLength)
    const rows = this.#room('sizes of pictures', parameters.length * 4)
    const y = this.#room('values of pictures', bytesOf(plan))
    for (let i = frames.length; this.#drop(`picture ${i}`); i++);
    const own = frames.map(({ data }, i) => this.#room(`picture ${i}`, data.length))
    device.queue.writeBuffer(axes, 0, all)
    device.queue.writeBuffer(rows, 0, new Uint32Array(parameters))
    const shape = { ...profile, tile: profile.patch }
    const groups = patchifyGroups(plan.resized.width, plan.resized.height, profile.patch)
    const recording = await Promise.all(
      sources.map(async ({ format }, i) => {
        const compiled = await this.#pipelines.get(patchify(shape, format))
        const { offset, table } = used[i]!
        const bound = {
          y,
          aux: { buffer: axes, offset: offset * 4, size: table.byteLength },
          rows: { buffer: rows, offset: i * PARAMETER_WORDS * 4, size: PARAMETER_WORDS * 4 },
          source: own[i]!,
        }
        return prepare(device, compiled, bound, groups)
      }),
    )
    return { key, plan, recording, sources: own, y, bytes: bytesOf(plan) }
  }

  /** Sentences in place of a device that is lost. */
  #check(frames: readonly Pixels[], plan: PicturePlan): void {
    const most = Math.min(this.#gpu.limits.binding, this.#gpu.limits.buffer)
    const large = frames.find(({ data }) => data.length > most)
    if (large)
      throw new GlmError(
        'out_of_memory',
        `A picture of ${large.width} × ${large.height} takes ${large.data.length} bytes, this GPU reads ${most} at once: make it smaller first.`,
      )
    if (bytesOf(plan) > most)
      throw new GlmError(
        'out_of_memory',
        `The pictures become ${bytesOf(plan)} bytes of values, this GPU writes ${most} at once: give fewer frames, or a smaller maxPixels or size.`,
      )
  }

  /** A buffer that is kept from call to call, of at least so many bytes. */
  #room(name: string, bytes: number, kind: 'storage' | 'readable' = 'storage'): GPUBuffer {
    const found = this.#named.get(name)
    if (found && found.size >= bytes) return found
    this.#drop(name)
    const made = this.#buffers.make(name, bytes, kind)
    this.#named.set(name, made)
    return made
  }

  #drop(name: string): boolean {
    const found = this.#named.get(name)
    if (found) this.#buffers.free(found)
    return this.#named.delete(name)
  }

  async #allocate<T>(work: () => T | Promise<T>): Promise<T> {
    const { device } = this.#gpu
    device.pushErrorScope('out-of-memory')
    const making = (async () => work())()
    const [made, full] = await Promise.all([making, device.popErrorScope()])
    if (full) throw new GlmError('out_of_memory', 'The GPU has no room for so many pictures: give fewer frames at once, or smaller ones.')
    return made
  }
}

/** The one plan of all frames. */
function planOf(sources: readonly PixelSource[], options: PictureOptions): PicturePlan {
  const [first] = sources
  if (!first) throw new GlmError('request_invalid', 'There are no pictures: give at least one.')
  const plan = planPictures(first.width, first.height, sources.length, options)
  for (const { width, height } of sources) {
    if (width === first.width && height === first.height) continue
    const { resized } = planPictures(width, height, sources.length, options)
    if (options.video || resized.width !== plan.resized.width || resized.height !== plan.resized.height)
      throw new GlmError(
        'request_invalid',
        `Pictures of ${first.width} × ${first.height} and ${width} × ${height} do not go together: prepare them one by one.`,
      )
  }
  return plan
}

/** Frame `index` of a clip shares its step; a still fills its own, and so does what is left of an odd clip's last. */
function placeOf(index: number, count: number, plan: PicturePlan, { temporal, layout }: PictureProfile, video: boolean) {
  const values = plan.shape.reduce((a, b) => a * b, 1)
  const steps = plan.grid[0]
  if (!video || layout === 'planes') return { base: (index * values) / steps, place: 0, places: temporal }
  const place = index % temporal
  return { base: (Math.floor(index / temporal) * values) / steps, place, places: index === count - 1 ? temporal - place : 1 }
}

const bytesOf = ({ shape }: PicturePlan): number => shape.reduce((a, b) => a * b, 4)

/** The axes of every size that frames come in, once each, one behind the other. */
function axesOf(sources: readonly PixelSource[], { resized }: PicturePlan, { filter }: PictureProfile) {
  const made = new Map<string, { across: Axis; down: Axis; table: Int32Array<ArrayBuffer>; offset: number }>()
  let words = 0
  const used = sources.map(({ width, height }) => {
    const name = `${width} ${height}`
    const found = made.get(name)
    if (found) return found
    const across = resample(width, resized.width, filter)
    const down = resample(height, resized.height, filter)
    const own = { across, down, table: axisTable(across, down), offset: words }
    made.set(name, own)
    // Bindings start at multiples of 256 bytes.
    words += Math.ceil(own.table.length / 64) * 64
    return own
  })
  const all = new Int32Array(words)
  for (const { table, offset } of made.values()) all.set(table, offset)
  return { all, used }
}
