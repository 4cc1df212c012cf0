// Byte ranges → tensors on the GPU, a stretch of rows at a time: quantised there, never with a whole file in memory.
import { GlmError, throwIfAborted } from '../errors.ts'
import type { Buffers } from '../gpu/buffers.ts'
import { readBack } from '../gpu/buffers.ts'
import type { Gpu } from '../gpu/device.ts'
import type { Pipelines } from '../gpu/pipeline.ts'
import { play, prepare } from '../gpu/recorder.ts'
import { type Format, type Matrix, type MatrixPart, splitRows } from '../kernels/matrix.ts'
import { quantise, quantiseGroups, quantiseParameters, type SourceType, sourceBytes } from '../kernels/quantise.ts'
import type { Checkpoint, TensorEntry } from './safetensors.ts'
import type { Source } from './source.ts'

/** Source rows `from`.. of one tensor → rows `offset + i * step` of a matrix. */
export interface Piece {
  tensor: string
  from: number
  rows: number
  offset: number
  step: number
}

/** A matrix on the GPU, and the tensors of the file that its rows come from. */
export interface MatrixPlan {
  name: string
  rows: number
  columns: number
  pieces: Piece[]
}

/** A one-dimensional tensor and its place in a buffer of f32. */
export interface VectorPlan {
  tensor: string
  length: number
  offset: number
}

export interface LoaderOptions {
  gpu: Gpu
  buffers: Buffers
  pipelines: Pipelines
  source: Source
  checkpoint: Checkpoint
  format: Format
  signal?: AbortSignal
  /** Bytes of a file turned into weights so far. */
  onBytes?: (bytes: number) => void
}

/** Bytes of rows that go to the GPU at once: a CPU adapter would hold a larger dispatch for seconds. */
const chunkBytes = { software: 256 * 1024, hardware: 8 * 2 ** 20 }
/** Bytes in flight before the GPU is waited for. */
const flightBytes = 64 * 2 ** 20

interface Chunk {
  entry: TensorEntry
  start: number
  end: number
  rows: number
  part: MatrixPart
  destination: number
  step: number
}

export class Loader {
  readonly #options: LoaderOptions
  readonly #staging: GPUBuffer
  readonly #params: GPUBuffer
  readonly #status: GPUBuffer
  readonly #tensors: string[] = []
  readonly #waiting: (() => Promise<void>)[] = []
  readonly #chunk: number
  #inFlight = 0

  constructor(options: LoaderOptions) {
    this.#options = options
    const { buffers, gpu, checkpoint } = options
    this.#chunk = Math.min(gpu.limits.binding, gpu.info.software ? chunkBytes.software : chunkBytes.hardware)
    this.#staging = buffers.make('staging', this.#chunk)
    this.#params = buffers.make('quantise parameters', 32)
    this.#status = buffers.make('tensor status', checkpoint.tensors.size * 4)
  }

  has(tensor: string): boolean {
    return this.#options.checkpoint.tensors.has(tensor)
  }

  /** Makes room for a matrix in the loader's format, split by rows where it is larger than one binding. `fill` brings the values. */
  matrix(plan: MatrixPlan): Matrix {
    const { buffers, gpu, format } = this.#options
    const parts = splitRows(format, plan.rows, plan.columns, gpu.limits.binding).map(({ offset, rows, bytes }) => ({
      offset,
      rows,
      buffer: buffers.make(plan.name, bytes),
    }))
    if (parts.length === 0)
      throw new GlmError('out_of_memory', `Eight rows of ${plan.name} are larger than this GPU binds at once; load with weights q4.`)
    const matrix: Matrix = { name: plan.name, format, rows: plan.rows, columns: plan.columns, groups: Math.ceil(plan.columns / 32), parts }
    this.#waiting.push(() => this.#fill(matrix, plan))
    return matrix
  }

  /** Makes room for vectors (norms, biases) as f32, `length` values together. */
  vectors(plans: readonly VectorPlan[], length: number): GPUBuffer {
    const buffer = this.#options.buffers.make('aux', length * 4)
    this.#waiting.push(() => this.#fillVectors(buffer, plans, length))
    return buffer
  }

  /** Reads everything room was made for, in that order. */
  async fill(): Promise<void> {
    for (const fill of this.#waiting) await fill()
  }

  async #fill(matrix: Matrix, plan: MatrixPlan): Promise<void> {
    const chunks = plan.pieces.flatMap((piece) => this.#chunks(piece, plan, matrix))
    let next = chunks[0] && this.#read(chunks[0])
    for (let index = 0; index < chunks.length; index++) {
      const bytes = await next!
      next = chunks[index + 1] && this.#read(chunks[index + 1]!)
      next?.catch(() => {}) // awaited in the next round; without this an abort in between would count as unhandled
      await this.#encode(chunks[index]!, bytes, matrix)
    }
  }

  async #fillVectors(buffer: GPUBuffer, plans: readonly VectorPlan[], length: number): Promise<void> {
    const { gpu, source, signal, onBytes } = this.#options
    const values = new Float32Array(length)
    for (const plan of plans) {
      const entry = this.#entry(plan.tensor, [plan.length])
      values.set(decode(entry, await source.read(entry.file, entry.start, entry.end, signal)), plan.offset)
      onBytes?.(entry.end - entry.start)
    }
    gpu.device.queue.writeBuffer(buffer, 0, values)
  }

  /** Waits for the GPU, then says which tensor held NaN or infinity, if one did. */
  async finish(): Promise<void> {
    const { buffers, gpu } = this.#options
    const flags = new Uint32Array(await readBack(gpu.device, this.#status))
    const bad = this.#tensors.find((_, index) => flags[index] !== 0)
    for (const buffer of [this.#staging, this.#params, this.#status]) buffers.free(buffer)
    if (bad)
      throw new GlmError(
        'weights_invalid',
        `The tensor ${bad} holds NaN, infinity or values beyond f16; download the model again, or load it with weights f32.`,
      )
  }

  #entry(name: string, shape: readonly number[]): TensorEntry {
    const entry = this.#options.checkpoint.tensors.get(name)
    if (!entry) throw new GlmError('tensor_invalid', `The checkpoint has no tensor ${name}; download the model again.`)
    if (entry.shape.join() !== shape.join()) {
      throw new GlmError(
        'tensor_invalid',
        `The tensor ${name} has shape [${entry.shape}] where config.json asks for [${shape}]; download the model again.`,
      )
    }
    if (!Object.hasOwn(sourceBytes, entry.dtype)) {
      throw new GlmError('tensor_invalid', `The tensor ${name} is stored as ${entry.dtype}; convert the checkpoint to F32, F16 or BF16.`)
    }
    return entry
  }

  /** Cuts a piece by parts of the matrix, then by bytes. */
  #chunks(piece: Piece, plan: MatrixPlan, matrix: Matrix): Chunk[] {
    const height = Math.max(...plan.pieces.filter(({ tensor }) => tensor === piece.tensor).map(({ from, rows }) => from + rows))
    const entry = this.#entry(piece.tensor, [height, plan.columns])
    const rowBytes = plan.columns * sourceBytes[entry.dtype as SourceType]
    const most = Math.max(1, Math.floor((this.#chunk - 4) / rowBytes))
    const chunks: Chunk[] = []
    for (const part of matrix.parts) {
      const first = Math.max(0, Math.ceil((part.offset - piece.offset) / piece.step))
      const last = Math.min(piece.rows, Math.ceil((part.offset + part.rows - piece.offset) / piece.step))
      for (let row = first; row < last; row += most) {
        const rows = Math.min(most, last - row)
        const start = entry.start + (piece.from + row) * rowBytes
        chunks.push({
          entry,
          start,
          end: start + rows * rowBytes,
          rows,
          part,
          destination: piece.offset + row * piece.step - part.offset,
          step: piece.step,
        })
      }
    }
    return chunks
  }

  #read(chunk: Chunk): Promise<Uint8Array<ArrayBuffer>> {
    throwIfAborted(this.#options.signal)
    return this.#options.source.read(chunk.entry.file, chunk.start, chunk.end, this.#options.signal)
  }

  async #encode(chunk: Chunk, bytes: Uint8Array<ArrayBuffer>, matrix: Matrix): Promise<void> {
    const { gpu, pipelines, onBytes, signal } = this.#options
    const { device } = gpu
    let tensor = this.#tensors.indexOf(chunk.entry.name)
    if (tensor < 0) tensor = this.#tensors.push(chunk.entry.name) - 1
    const compiled = await pipelines.get(quantise(chunk.entry.dtype as SourceType, matrix.format))
    throwIfAborted(signal)
    device.queue.writeBuffer(this.#staging, 0, whole32(bytes))
    device.queue.writeBuffer(this.#params, 0, quantiseParameters({ ...chunk, tensor }, matrix.format, matrix.columns, chunk.part.rows))
    const dispatch = prepare(
      device,
      compiled,
      { y: chunk.part.buffer, aux: this.#params, source: this.#staging, status: this.#status },
      quantiseGroups(chunk.rows, matrix.columns),
    )
    const encoder = device.createCommandEncoder()
    const pass = encoder.beginComputePass()
    play(pass, [dispatch])
    pass.end()
    device.queue.submit([encoder.finish()])
    onBytes?.(bytes.length)
    this.#inFlight += bytes.length
    if (this.#inFlight > flightBytes || gpu.info.software) {
      await device.queue.onSubmittedWorkDone()
      this.#inFlight = 0
    }
  }
}

/** writeBuffer takes multiples of four bytes. */
function whole32(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (bytes.length % 4 === 0) return bytes
  const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4)
  padded.set(bytes)
  return padded
}

/** A small tensor as f32 on the host. */
function decode(entry: TensorEntry, bytes: Uint8Array<ArrayBuffer>): Float32Array {
  const count = bytes.length / sourceBytes[entry.dtype as SourceType]
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const read = readers[entry.dtype as SourceType]
  const values = Float32Array.from({ length: count }, (_, index) => read(view, index))
  if (!values.every(Number.isFinite))
    throw new GlmError('weights_invalid', `The tensor ${entry.name} holds NaN or infinity; download the model again.`)
  return values
}

const bits = new DataView(new ArrayBuffer(4))

const readers: Record<SourceType, (view: DataView, index: number) => number> = {
  F32: (view, index) => view.getFloat32(index * 4, true),
  BF16: (view, index) => {
    bits.setUint32(0, view.getUint16(index * 2, true) << 16)
    return bits.getFloat32(0)
  },
  F16: (view, index) => {
    const half = view.getUint16(index * 2, true)
    const exponent = (half >> 10) & 31
    const mantissa = half & 1023
    const size =
      exponent === 0 ? mantissa * 2 ** -24 : exponent === 31 ? (mantissa ? NaN : Infinity) : (1 + mantissa / 1024) * 2 ** (exponent - 15)
    return half & 0x8000 ? -size : size
  },
}
