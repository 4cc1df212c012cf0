// One tensor into our packed form: its rows go through the loader a slice at a time, are read back, and held against what they were.
import { GlmError, throwIfAborted } from '../errors.ts'
import { Buffers, guardMemory } from '../gpu/buffers.ts'
import type { Gpu } from '../gpu/device.ts'
import { Pipelines } from '../gpu/pipeline.ts'
import { type Coding, type Matrix, plain } from '../kernels/matrix.ts'
import { type SourceType, sourceBytes } from '../kernels/quantise.ts'
import { Loader, type Piece, type VectorPlan } from '../weights/load.ts'
import { decodeInto, ErrorSum } from '../weights/loss.ts'
import type { Source } from '../weights/source.ts'
import type { ByteRange, Checkpoint, TensorEntry, Window } from '../weights/tensor.ts'
import { type Field, unlay } from '../weights/unlay.ts'
import { decodeVector } from '../weights/vector.ts'
import type { PackItem } from './packing.ts'

export interface PackerOptions {
  gpu: Gpu
  /** All that will be packed. */
  items: readonly PackItem[]
  source: Source
  checkpoint: Checkpoint
  /** Rows `row`.. of a part of a tensor: whole rows, to be kept before it resolves. */
  write(tensor: string, part: Field | 'order' | 'values', row: number, bytes: Uint8Array<ArrayBuffer>): Promise<void>
  signal?: AbortSignal
  /** Values at once. Default: 16 MiB of f32. */
  sliceValues?: number
}

type Bytes = Uint8Array<ArrayBuffer>
const whole = { offset: 0, step: 1 }

export class Packer {
  readonly #options: PackerOptions
  readonly #pipelines: Pipelines
  readonly #values: number
  /** Rows that each tensor of the file has. */
  readonly #heights = new Map<string, number>()

  constructor(options: PackerOptions) {
    this.#options = options
    this.#pipelines = new Pipelines(options.gpu)
    this.#values = options.sliceValues ?? 2 ** 22
    for (const { tensor, from, rows } of options.items.flatMap(({ pieces = [] }) => pieces))
      this.#heights.set(tensor, Math.max(this.#heights.get(tensor) ?? 0, from + rows))
  }

  /** Writes all parts of a tensor; the relative error that it cost, where it is coded. */
  async pack(item: PackItem): Promise<number | undefined> {
    const { name, vector, copied, coding, pieces = [], kept } = item
    if (vector) return this.#vector(vector)
    if (copied) return this.#copy(copied)
    const [rows, columns] = item.packed.shape as [number, number]
    const entries = this.#entries(pieces, columns)
    const order = entries.values().next().value?.order
    const stepped = [...entries.values()].some(({ blocks }) => blocks?.step)
    // What is stored by columns is read whole.
    const height = stepped ? rows : Math.max(8, Math.floor(this.#values / columns / 8) * 8)
    const sum = new ErrorSum()
    for (let row = 0; row < rows; row += height) {
      throwIfAborted(this.#options.signal)
      const own = { row, rows: Math.min(height, rows - row), columns, pieces: within(pieces, row, height) }
      const slice = stepped ? widened(own, entries) : own
      if (coding) await this.#coded(name, slice, coding, kept ? undefined : sum)
      else await this.#plain(name, slice, entries)
    }
    if (item.packed.ordered)
      await this.#options.write(name, 'order', 0, new Uint8Array(order!.buffer, order!.byteOffset, order!.byteLength))
    return coding && (kept ? 0 : sum.relative)
  }

  /** The tensors that pieces come from, their shapes checked. */
  #entries(pieces: readonly Piece[], columns: number): Map<string, TensorEntry> {
    const names = new Set(pieces.map(({ tensor }) => tensor))
    return new Map([...names].map((name) => [name, this.#entry(name, [this.#heights.get(name)!, columns])]))
  }

  #entry(name: string, shape: readonly number[]): TensorEntry {
    const entry = this.#options.checkpoint.tensors.get(name)
    if (!entry || entry.shape.join() !== shape.join()) {
      const has = entry ? `has the shape [${entry.shape}]` : 'is missing'
      throw new GlmError('tensor_invalid', `The tensor ${name} ${has} where the config asks for [${shape}]; download the model again.`)
    }
    return entry
  }

  /** Through the GPU, and back as rows. */
  async #coded(name: string, slice: Slice, coding: Coding, sum: ErrorSum | undefined): Promise<void> {
    const { gpu, write } = this.#options
    const { device } = gpu
    const source = retaining(this.#options.source)
    const buffers = new Buffers(gpu)
    try {
      const matrix = await this.#load(slice, coding, source, buffers)
      const exact = sum && this.#exact(slice, source, buffers)
      const most = Math.max(8, Math.floor(this.#values / slice.columns / 8) * 8)
      for (let first = 0; first < slice.rows; first += most) {
        const rows = Math.min(most, slice.rows - first)
        const read = (field: Field) => collected(device, matrix, offsetOf(slice) + first, rows, field)
        const codes = await read('codes')
        const scales = await read('scales')
        const centres = matrix.centred ? await read('centres') : undefined
        await write(name, 'codes', slice.row + first, codes)
        await write(name, 'scales', slice.row + first, scales)
        if (centres) await write(name, 'centres', slice.row + first, centres)
        if (exact) sum.add(matrix, rows, { codes, scales, centres }, await exact(first, rows))
      }
    } finally {
      buffers.close()
    }
  }

  /** The values of rows of a slice before they are coded: the file's own numbers, or what the GPU reads of its codes. */
  #exact(slice: Slice, source: Retaining, buffers: Buffers): (first: number, rows: number) => Promise<Float32Array> {
    const { checkpoint, gpu } = this.#options
    const entries = new Map(slice.pieces.map(({ tensor }) => [tensor, checkpoint.tensors.get(tensor)!]))
    if ([...entries.values()].every(isPlain)) {
      return async (first, rows) => {
        const values = new Float32Array(rows * slice.columns)
        for (const piece of within(slice.pieces, first, rows)) {
          const entry = entries.get(piece.tensor)!
          const width = slice.columns * sourceBytes[entry.dtype as SourceType]
          for (let index = 0; index < piece.rows; index++) {
            const start = entry.start + (piece.from + index) * width
            const place = (piece.offset + index * piece.step) * slice.columns
            decodeInto(
              values.subarray(place, place + slice.columns),
              entry.dtype as SourceType,
              source.kept(entry.file, start, start + width),
            )
          }
        }
        return values
      }
    }
    let loaded: Promise<Matrix> | undefined
    return async (first, rows) => {
      loaded ??= this.#load(slice, plain('f32'), source, buffers)
      const matrix = await loaded
      const padded = new Float32Array((await collected(gpu.device, matrix, offsetOf(slice) + first, rows, 'codes')).buffer)
      const wide = matrix.groups * 32
      if (wide === slice.columns) return padded
      const values = new Float32Array(rows * slice.columns)
      for (let row = 0; row < rows; row++) values.set(padded.subarray(row * wide, row * wide + slice.columns), row * slice.columns)
      return values
    }
  }

  async #load({ rows, columns, pieces, loaded }: Slice, coding: Coding, source: Source, buffers: Buffers): Promise<Matrix> {
    const { gpu, checkpoint, signal } = this.#options
    const tensors = new Map<string, TensorEntry>()
    for (const { tensor, from, rows: own } of pieces) {
      const entry = checkpoint.tensors.get(tensor)!
      const height = Math.max(tensors.get(tensor)?.shape[0] ?? 0, from + own)
      tensors.set(tensor, { ...entry, shape: [entry.blocks?.step ? entry.shape[0]! : height, columns] })
    }
    return guardMemory(gpu, async () => {
      const loader = new Loader({
        gpu,
        buffers,
        pipelines: this.#pipelines,
        source,
        checkpoint: { ...checkpoint, tensors },
        ...(signal ? { signal } : {}),
      })
      const matrix = loader.matrix({ name: 'slice', rows: loaded?.rows ?? rows, columns, pieces }, coding)
      await loader.fill()
      await loader.finish()
      return matrix
    })
  }

  /** Bytes as the file has them, rows in our order. */
  async #plain(name: string, { row, rows, columns, pieces }: Slice, entries: Map<string, TensorEntry>): Promise<void> {
    const { source, signal, write } = this.#options
    const { dtype } = entries.values().next().value!
    const width = columns * sourceBytes[dtype as SourceType]
    const bytes = new Uint8Array(rows * width)
    for (const piece of pieces) {
      for (const { from, count } of stretches(entries.get(piece.tensor)!, piece)) {
        const window = { row: from, rows: count, group: 0, groups: Math.ceil(columns / 32) }
        const [{ file, start, end }] = rangesOf(entries.get(piece.tensor)!, window, width) as [ByteRange]
        const read = await source.read(file, start, end, signal)
        for (let index = 0; index < count; index++) {
          const place = piece.offset + (from - piece.from + index) * piece.step
          bytes.set(read.subarray(index * width, (index + 1) * width), place * width)
        }
      }
    }
    await write(name, 'values', row, bytes)
  }

  async #copy({ name, file, start, end, shape }: TensorEntry): Promise<undefined> {
    const { source, signal, write } = this.#options
    const width = (end - start) / shape[0]!
    const rows = Math.max(1, Math.floor((this.#values * 4) / width))
    for (let row = 0; row < shape[0]!; row += rows) {
      const until = Math.min(end, start + (row + rows) * width)
      await write(name, 'values', row, await source.read(file, start + row * width, until, signal))
    }
  }

  async #vector({ tensor, length, moves }: VectorPlan): Promise<undefined> {
    const { source, signal, write } = this.#options
    const entry = this.#entry(tensor, [length])
    const own = decodeVector(entry, await source.read(entry.file, entry.start, entry.end, signal))
    await write(tensor, 'values', 0, new Uint8Array(vectorInPlace(own, moves).buffer))
  }
}

/** Rows of a tensor that go through the GPU together; pieces count from its first row. */
interface Slice {
  row: number
  rows: number
  columns: number
  pieces: Piece[]
  /** Where more than these rows is loaded: how many, and from which of them on they stand. */
  loaded?: { rows: number; from: number }
}

const offsetOf = ({ loaded }: Slice): number => loaded?.from ?? 0

/** A stretch of a tensor that can only be loaded whole. */
function widened(slice: Slice, entries: ReadonlyMap<string, TensorEntry>): Slice {
  const [piece, ...others] = slice.pieces
  const rows = entries.get(piece!.tensor)!.shape[0]!
  if (others.length > 0 || piece!.rows === rows) return slice
  return { ...slice, pieces: [{ ...piece!, from: 0, rows, offset: 0 }], loaded: { rows, from: piece!.from } }
}

/** Values where our layout has them. */
export function vectorInPlace(own: Float32Array, moves: VectorPlan['moves']): Float32Array<ArrayBuffer> {
  const values = new Float32Array(own)
  if (!moves) return values
  for (const { from, count, to, step } of moves) for (let index = 0; index < count; index++) values[to + index * step] = own[from + index]!
  return values
}

/** The pieces of rows `row`.., counted from there. */
function within(pieces: readonly Piece[], row: number, rows: number): Piece[] {
  return pieces.flatMap((piece) => {
    const first = Math.max(0, Math.ceil((row - piece.offset) / piece.step))
    const last = Math.min(piece.rows, Math.ceil((row + rows - piece.offset) / piece.step))
    if (first >= last) return []
    return [{ ...piece, from: piece.from + first, rows: last - first, offset: piece.offset + first * piece.step - row }]
  })
}

/** Stretches of a piece that no cut goes through. */
function stretches({ cuts = [] }: TensorEntry, { from, rows }: Piece): { from: number; count: number }[] {
  const starts = [from, ...cuts.filter((cut) => cut > from && cut < from + rows)]
  return starts.map((start, index) => ({ from: start, count: (starts[index + 1] ?? from + rows) - start }))
}

function rangesOf(entry: TensorEntry, window: Window, width: number): ByteRange[] {
  if (entry.blocks) return entry.blocks.ranges(entry, window)
  const start = entry.start + window.row * width
  return [{ file: entry.file, start, end: start + window.rows * width }]
}

/** Whether the host can read its values. */
const isPlain = (entry: TensorEntry): boolean => !entry.blocks && Object.hasOwn(sourceBytes, entry.dtype)

async function collected(device: GPUDevice, matrix: Matrix, first: number, rows: number, field: Field): Promise<Bytes> {
  const all: Bytes[] = []
  await unlay(device, matrix, whole, first, rows, field, (bytes) => void all.push(bytes))
  if (all.length === 1) return all[0]!
  const joined = new Uint8Array(all.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const bytes of all) {
    joined.set(bytes, at)
    at += bytes.length
  }
  return joined
}

interface Retaining extends Source {
  /** Bytes that were read as part of a range. */
  kept(file: string, start: number, end: number): Bytes
}

/** Holds what was read: the same bytes are coded and measured, and come over the network once. */
function retaining(source: Source): Retaining {
  const all: { file: string; start: number; end: number; bytes: Bytes }[] = []
  const find = (file: string, start: number, end: number) => {
    const own = all.find((range) => range.file === file && range.start <= start && range.end >= end)
    return own?.bytes.subarray(start - own.start, end - own.start)
  }
  return {
    name: source.name,
    size: (path, signal) => source.size(path, signal),
    async read(file, start, end, signal) {
      const known = find(file, start, end)
      if (known) return known
      const bytes = await source.read(file, start, end, signal)
      all.push({ file, start, end, bytes })
      return bytes
    },
    kept: (file, start, end) => find(file, start, end)!,
  }
}
