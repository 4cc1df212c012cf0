// Byte ranges → tensors on the GPU, a window at a time: coded there, never with a whole file in memory.
import { GlmError, throwIfAborted } from '../errors.ts'
import type { Buffers } from '../gpu/buffers.ts'
import { readBack } from '../gpu/buffers.ts'
import type { Gpu } from '../gpu/device.ts'
import type { Kernel, Pipelines } from '../gpu/pipeline.ts'
import { play, prepare } from '../gpu/recorder.ts'
import { type Coding, holds, type Matrix, type MatrixPart, splitRows } from '../kernels/matrix.ts'
import {
  quantise,
  type SourceType,
  sourceBytes,
  type WindowChunk,
  windowGroups,
  windowParameters,
  windowParts,
} from '../kernels/quantise.ts'
import type { Source } from './source.ts'
import type { ByteRange, Checkpoint, TensorEntry, Window } from './tensor.ts'
import { decodeVector } from './vector.ts'

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
  /** Values `from`.. go to `to + i * step`, where they do not stand as in the file. */
  moves?: { from: number; count: number; to: number; step: number }[]
  /** Value k is the file's value order[k]. */
  order?: Uint32Array
}

export interface LoaderOptions {
  gpu: Gpu
  buffers: Buffers
  pipelines: Pipelines
  source: Source
  checkpoint: Checkpoint
  signal?: AbortSignal
  /** Bytes of a file turned into weights so far. */
  onBytes?: (bytes: number) => void
  /** Told when a whole matrix is on the GPU, before the next one is read. */
  onMatrix?: (plan: MatrixPlan, matrix: Matrix, device: GPUDevice) => Promise<void>
}

/** Bytes of a window at once: a CPU adapter would hold a larger dispatch for seconds. */
const chunkBytes = { software: 256 * 1024, hardware: 8 * 2 ** 20 }
/** Bytes in flight before the GPU is waited for. */
const flightBytes = 64 * 2 ** 20

/** Bytes to read, and what to make of them. */
interface Job {
  ranges: ByteRange[]
  run(bytes: Uint8Array<ArrayBuffer>[]): Promise<void> | void
}

/** A window of a tensor, and where its rows go: to more than one place where a window cannot be cut by rows. */
interface Chunk {
  entry: TensorEntry
  window: Window
  ranges: ByteRange[]
  writes: Write[]
}

interface Write {
  part: MatrixPart
  rows: number
  /** Within the window. */
  first: number
  destination: number
  step: number
}

export class Loader {
  readonly #options: LoaderOptions
  readonly #params: GPUBuffer
  readonly #status: GPUBuffer
  readonly #tensors: string[] = []
  readonly #jobs: (() => Job[])[] = []
  readonly #chunk: number
  #staging: GPUBuffer
  #inFlight = 0

  constructor(options: LoaderOptions) {
    this.#options = options
    const { buffers, gpu, checkpoint } = options
    this.#chunk = Math.min(gpu.limits.binding, gpu.info.software ? chunkBytes.software : chunkBytes.hardware)
    this.#staging = buffers.make('staging', this.#chunk)
    this.#params = buffers.make('window', (14 + windowParts) * 4)
    this.#status = buffers.make('tensor status', Math.max(1, checkpoint.tensors.size) * 4)
  }

  /** Makes room for a matrix, split by rows where it is larger than one binding. `fill` brings the values. */
  matrix(plan: MatrixPlan, coding: Coding): Matrix {
    const { buffers, gpu, onMatrix } = this.#options
    const parts = splitRows(coding, plan.rows, plan.columns, gpu.limits.binding).map(({ offset, rows, bytes }) => ({
      offset,
      rows,
      buffer: buffers.make(plan.name, bytes),
    }))
    if (parts.length === 0)
      throw new GlmError('out_of_memory', `Eight rows of ${plan.name} are larger than this GPU binds at once; load with weights q4.`)
    const { name, rows, columns } = plan
    const { format, group, centred } = coding
    const matrix: Matrix = {
      format,
      group,
      centred,
      ...(coding.super ? { super: true } : {}),
      name,
      rows,
      columns,
      groups: Math.ceil(columns / 32),
      parts,
    }
    const order = this.orderOf(plan, coding)
    if (order) {
      matrix.order = buffers.make('order', order.byteLength)
      gpu.device.queue.writeBuffer(matrix.order, 0, order)
    }
    this.#jobs.push(() => {
      const chunks = this.#chunks(plan, matrix)
      let left = chunks.length
      return chunks.map((chunk) => ({
        ranges: chunk.ranges,
        run: async (bytes) => {
          await this.#encode(chunk, bytes, matrix)
          if (--left === 0) await onMatrix?.(plan, matrix, gpu.device)
        },
      }))
    })
    return matrix
  }

  /** The order that a matrix's columns keep: of tensors whose codes stay as they are. */
  orderOf(plan: MatrixPlan, coding: Coding): Uint32Array<ArrayBuffer> | undefined {
    const entry = this.#options.checkpoint.tensors.get(plan.pieces[0]!.tensor)
    return entry?.blocks && holds(coding, entry.blocks.coding) ? entry.order : undefined
  }

  /** Makes room for vectors (norms, biases) as f32, `length` values together. */
  vectors(plans: readonly VectorPlan[], length: number): GPUBuffer {
    const { buffers, gpu, onBytes } = this.#options
    const buffer = buffers.make('aux', length * 4)
    const values = new Float32Array(length)
    let left = plans.length
    this.#jobs.push(() =>
      plans.map((plan) => {
        const entry = this.#entry(plan.tensor, [plan.length])
        return {
          ranges: [entry],
          run([bytes]) {
            place(plan, decodeVector(entry, bytes!), values)
            onBytes?.(bytes!.length)
            if (--left === 0) gpu.device.queue.writeBuffer(buffer, 0, values)
          },
        }
      }),
    )
    return buffer
  }

  /** Bytes that are free again when all is read. */
  get passing(): number {
    return this.#staging.size + this.#params.size + this.#status.size
  }

  /** Reads everything room was made for, in the order of the files: what stands side by side is read once. Who is told of matrices has them as planned. */
  async fill(): Promise<void> {
    const { source, signal, onMatrix } = this.#options
    const planned = this.#jobs.flatMap((jobs) => jobs())
    const jobs = onMatrix ? planned : inOrder(planned)
    source.announce?.(jobs.flatMap(({ ranges }) => ranges))
    const read = (job: Job | undefined) => {
      const all = job && Promise.all(job.ranges.map(({ file, start, end }) => source.read(file, start, end, signal)))
      all?.catch(() => {}) // awaited in the next round; without this an abort in between would count as unhandled
      return all
    }
    let next = read(jobs[0])
    for (const [index, job] of jobs.entries()) {
      throwIfAborted(signal)
      const bytes = await next!
      next = read(jobs[index + 1])
      await job.run(bytes)
    }
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
        `The tensor ${name} has shape [${entry.shape}] where its config asks for [${shape}]; download the model again.`,
      )
    }
    if (!entry.blocks && !Object.hasOwn(sourceBytes, entry.dtype)) {
      throw new GlmError('tensor_invalid', `The tensor ${name} is stored as ${entry.dtype}, which is not supported; choose another file.`)
    }
    return entry
  }

  #chunks(plan: MatrixPlan, matrix: Matrix): Chunk[] {
    const heights = new Map<string, number>()
    for (const { tensor, from, rows } of plan.pieces) heights.set(tensor, Math.max(heights.get(tensor) ?? 0, from + rows))
    return [...heights].flatMap(([tensor, height]) => {
      const entry = this.#entry(tensor, [height, plan.columns])
      const pieces = plan.pieces.filter((piece) => piece.tensor === tensor)
      return entry.blocks?.step
        ? this.#stepped(entry, pieces, matrix)
        : pieces.flatMap((piece) => cut(piece, entry.cuts)).flatMap((piece) => this.#stretched(entry, piece, matrix))
    })
  }

  /** Whole rows: cut by parts of the matrix, then by bytes. */
  #stretched(entry: TensorEntry, piece: Piece, { parts, columns, groups }: Matrix): Chunk[] {
    const ranges = (window: Window): ByteRange[] => {
      if (entry.blocks) return entry.blocks.ranges(entry, window)
      const width = columns * sourceBytes[entry.dtype as SourceType]
      const start = entry.start + window.row * width
      return [{ file: entry.file, start, end: start + window.rows * width }]
    }
    const most = Math.max(1, Math.floor((this.#chunk - 256) / staged(ranges({ row: piece.from, rows: 1, group: 0, groups }))))
    return parts.flatMap((part) => {
      const first = Math.max(0, Math.ceil((part.offset - piece.offset) / piece.step))
      const last = Math.min(piece.rows, Math.ceil((part.offset + part.rows - piece.offset) / piece.step))
      const chunks: Chunk[] = []
      for (let row = first; row < last; row += most) {
        const window = { row: piece.from + row, rows: Math.min(most, last - row), group: 0, groups }
        const destination = piece.offset + row * piece.step - part.offset
        chunks.push({
          entry,
          window,
          ranges: ranges(window),
          writes: [{ part, rows: window.rows, first: 0, destination, step: piece.step }],
        })
      }
      return chunks
    })
  }

  /** All rows of some columns: what is stored by columns. A file in an order of its own is read whole. */
  #stepped(entry: TensorEntry, pieces: Piece[], { parts, groups }: Matrix): Chunk[] {
    const { blocks, order, shape } = entry
    const step = blocks!.step!
    const rows = shape[0]!
    const each = staged(blocks!.ranges(entry, { row: 0, rows, group: 0, groups: step }))
    const wide = order ? groups : Math.max(1, Math.floor(this.#chunk / each)) * step
    const writes = pieces.flatMap((piece) =>
      parts.flatMap((part): Write[] => {
        const first = Math.max(0, Math.ceil((part.offset - piece.offset) / piece.step))
        const last = Math.min(piece.rows, Math.ceil((part.offset + part.rows - piece.offset) / piece.step))
        if (first >= last) return []
        const destination = piece.offset + first * piece.step - part.offset
        return [{ part, rows: last - first, first: piece.from + first, destination, step: piece.step }]
      }),
    )
    const chunks: Chunk[] = []
    for (let group = 0; group < groups; group += wide) {
      const window = { row: 0, rows, group, groups: Math.min(wide, groups - group) }
      chunks.push({ entry, window, ranges: blocks!.ranges(entry, window), writes })
    }
    return chunks
  }

  async #encode({ entry, window, writes }: Chunk, read: Uint8Array<ArrayBuffer>[], matrix: Matrix): Promise<void> {
    const { gpu, pipelines, onBytes, signal } = this.#options
    const { device } = gpu
    const compiled = await pipelines.get(this.#kernel(entry, matrix))
    throwIfAborted(signal)
    let tensor = this.#tensors.indexOf(entry.name)
    if (tensor < 0) tensor = this.#tensors.push(entry.name) - 1
    const parts = this.#stage(entry.order ? [...read, ...ordered(entry.order, read.length)] : read)
    for (const { part, ...write } of writes) {
      const chunk: WindowChunk = { ...write, tensor, window, parts }
      device.queue.writeBuffer(this.#params, 0, windowParameters(chunk, matrix, matrix.columns, part.rows))
      const own = { y: part.buffer, aux: this.#params, source: this.#staging, status: this.#status }
      const dispatch = prepare(device, compiled, own, windowGroups(chunk))
      const encoder = device.createCommandEncoder()
      const pass = encoder.beginComputePass()
      play(pass, [dispatch])
      pass.end()
      device.queue.submit([encoder.finish()])
    }
    const bytes = read.reduce((sum, { length }) => sum + length, 0)
    onBytes?.(bytes)
    this.#inFlight += bytes
    if (this.#inFlight > flightBytes || gpu.info.software) {
      await device.queue.onSubmittedWorkDone()
      this.#inFlight = 0
    }
  }

  #kernel(entry: TensorEntry, matrix: Matrix): Kernel {
    if (!entry.blocks) return quantise(entry.dtype as SourceType, matrix)
    return this.#options.checkpoint.convert!(entry, matrix)
  }

  /** Puts bytes into staging, each stretch at a multiple of 16; returns where. */
  #stage(read: Uint8Array<ArrayBuffer>[]): number[] {
    const { buffers, gpu } = this.#options
    const size = staged(read.map(({ length }) => ({ start: 0, end: length })))
    if (size > this.#staging.size) {
      buffers.free(this.#staging)
      this.#staging = buffers.make('staging', size)
    }
    let at = 0
    return read.map((bytes) => {
      const place = at
      gpu.device.queue.writeBuffer(this.#staging, place, whole32(bytes))
      at += Math.ceil(bytes.length / 16) * 16
      return place
    })
  }
}

/** By file, as they were first wanted, and by byte. */
function inOrder(jobs: readonly Job[]): Job[] {
  const files = [...new Set(jobs.map(({ ranges }) => ranges[0]!.file))]
  const at = ({ ranges: [first] }: Job) => [files.indexOf(first!.file), first!.start] as const
  return [...jobs].sort((one, other) => at(one)[0] - at(other)[0] || at(one)[1] - at(other)[1])
}

function place({ offset, moves, order }: VectorPlan, own: Float32Array, values: Float32Array): void {
  if (order)
    values.set(
      own.map((_, k) => own[order[k]!]!),
      offset,
    )
  else if (!moves) values.set(own, offset)
  for (const { from, count, to, step } of moves ?? []) for (let i = 0; i < count; i++) values[offset + to + i * step] = own[from + i]!
}

/** A piece in stretches that the file has in one. */
function cut(piece: Piece, cuts: readonly number[] = []): Piece[] {
  const { from, rows, offset, step } = piece
  const inside = cuts.filter((row) => row > from && row < from + rows)
  return [from, ...inside].map((start, index) => ({
    ...piece,
    from: start,
    rows: (inside[index] ?? from + rows) - start,
    offset: offset + (start - from) * step,
  }))
}

/** Bytes of ranges in staging. */
const staged = (ranges: readonly { start: number; end: number }[]): number =>
  ranges.reduce((sum, { start, end }) => sum + Math.ceil((end - start) / 16) * 16, 0)

/** Parts 3 and 4: which input stands in each column, and where each input stands. */
function ordered(order: Uint32Array<ArrayBuffer>, parts: number): Uint8Array<ArrayBuffer>[] {
  const places = new Uint32Array(order.length)
  order.forEach((input, place) => {
    places[input] = place
  })
  const empty = Array.from({ length: 3 - parts }, () => new Uint8Array(0))
  return [...empty, new Uint8Array(order.buffer, order.byteOffset, order.byteLength), new Uint8Array(places.buffer)]
}

/** writeBuffer takes multiples of four bytes. */
function whole32(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (bytes.length % 4 === 0) return bytes
  const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4)
  padded.set(bytes)
  return padded
}
