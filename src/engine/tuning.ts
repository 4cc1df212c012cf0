// What the tuner is to measure for a loaded model: each shape of matrix, heaviest first, over the model's own weights.
import { Buffers, readBack } from '../gpu/buffers.ts'
import type { Gpu } from '../gpu/device.ts'
import { type Kernel, Pipelines, type Slot } from '../gpu/pipeline.ts'
import { play, prepare, type Recording } from '../gpu/recorder.ts'
import { type Prepared, type Task, type TuneOptions, tune, type Variant } from '../gpu/tuner.ts'
import { dot8 } from '../kernels/dot8.ts'
import { gemm, gemmOut, gemmTile } from '../kernels/gemm.ts'
import { gemm8, gemm8Shapes } from '../kernels/gemm8.ts'
import { linearGroups } from '../kernels/linear.ts'
import { matmul, outputsOf } from '../kernels/matmul.ts'
import type { Matrix, MatrixPart } from '../kernels/matrix.ts'
import { pack8, packedWords } from '../kernels/pack8.ts'
import { rowsLayout } from '../kernels/rows.ts'
import { unpackRows } from '../kernels/unpack.ts'
import {
  type Choice,
  type Choices,
  candidates,
  choiceId,
  type PrefillChoice,
  prefillCandidates,
  promptKey,
  shapeKey,
} from '../model/choices.ts'
import type { Weights } from '../model/decoder.ts'
import { Rows } from '../model/rows.ts'

const shape = { rows: 1, logits: 1, slots: 1, pages: 1, ring: 1 }
/** Rows of a prompt, a tile of them a workgroup. */
const promptShape = { ...shape, rows: 128 }
/** Weight rows that a probe looks at. */
const probed = 64
const eps = 1e-5

export interface Tunable {
  gpu: Gpu
  weights: Weights
  choices: Choices
  /** Whether activations may be rounded to 8 bits. */
  rounding: boolean
}

/** Measures for a while; gives, by shape of matrix, the variants that are faster than those in use. */
export async function tuneModel(
  { gpu, weights, choices, rounding }: Tunable,
  options: Omit<TuneOptions, 'device' | 'info'>,
): Promise<Record<string, string>> {
  const tuning = new Tuning(gpu, weights, choices, rounding)
  try {
    return await tune(tuning.tasks, { ...options, device: gpu.device, info: gpu.info })
  } finally {
    tuning.close()
  }
}

/** Matrices of one shape, all of which are behind a norm or none is. */
interface Alike {
  matrices: Matrix[]
  normed: boolean
}

/** A kernel in turn: where it writes, and over what. */
type Step = { kernel: Kernel; buffers: Partial<Record<Slot, GPUBuffer>>; groups: [number, number?, number?] }

/** How a matrix is multiplied: for one row, or for a prompt. */
type Way = { decode: Choice } | { prompt: PrefillChoice }

/** Scratch that all variants share; freed with `close`. */
export class Tuning {
  readonly tasks: Task[]
  readonly #gpu: Gpu
  readonly #buffers: Buffers
  /** Of their own, so that what loses is let go. */
  readonly #pipelines: Pipelines
  readonly #one: Rows
  readonly #many: Rows
  readonly #width: number
  readonly #x: GPUBuffer
  readonly #packed: GPUBuffer
  /** Gamma: ones. */
  readonly #aux: GPUBuffer
  /** What variants write. */
  readonly scratch: GPUBuffer
  readonly #values: Float32Array<ArrayBuffer>

  constructor(gpu: Gpu, weights: Weights, choices: Choices, rounding: boolean) {
    this.#gpu = gpu
    this.#buffers = new Buffers(gpu)
    this.#pipelines = new Pipelines(gpu)
    const all = alike(weights)
    const prompts = rounding ? alike({ ...weights, head: undefined }) : []
    const most = (list: readonly Alike[], of: (matrix: Matrix) => number) => Math.max(0, ...list.map(({ matrices }) => of(matrices[0]!)))
    const width = most(all, ({ groups }) => groups * 32)
    this.#width = width
    this.#values = Float32Array.from({ length: width }, (_, index) => Math.fround((((index * 2654435761) >>> 8) % 2048) / 1024 - 1))
    const rows = prompts.length > 0 ? promptShape.rows : 1
    this.#x = this.#buffers.make('tuning x', rows * width * 4)
    this.#aux = this.#buffers.make('tuning gamma', width * 4)
    this.#packed = this.#buffers.make('tuning packed', packedWords(rows, width / 32) * 4)
    const outputs = Math.max(
      most(all, (matrix) => matrix.rows + 1),
      rows * most(prompts, (matrix) => matrix.rows + 1),
    )
    this.scratch = this.#buffers.make('tuning y', outputs * 4)
    const table = (of: typeof shape) => new Rows(of, this.#buffers.make('tuning rows', rowsLayout(of).words * 4), gpu.device.queue)
    this.#one = table(shape)
    this.#many = table(promptShape)
    gpu.device.queue.writeBuffer(this.#aux, 0, new Float32Array(width).fill(1))
    this.#one.write([{ token: 0, position: 0, slot: 0 }], [])
    this.#many.write(
      Array.from({ length: promptShape.rows }, (_, position) => ({ token: 0, position, slot: 0 })),
      [],
    )
    this.tasks = [
      ...all.map((one) => this.#decodeTask(one, choices.decode(one.matrices[0]!), rounding)),
      ...prompts.map((one) => this.#promptTask(one, choices.prefill(one.matrices[0]!), rounding)),
    ].filter(({ variants }) => variants.length > 1)
  }

  close(): void {
    this.#buffers.close()
  }

  #decodeTask(one: Alike, current: Choice, rounding: boolean): Task {
    const [first] = one.matrices
    const others = candidates(first!, rounding, one.normed && this.#gpu.info.subgroups)
    const variants = [current, ...others.filter((choice) => choiceId(choice) !== choiceId(current))].map(
      (decode): Variant => ({
        id: choiceId(decode),
        traits: [...(decode.kernel === 'dot8' ? (['dot8'] as const) : []), ...(decode.subgroups ? (['subgroups'] as const) : [])],
        prepare: () => this.#prepare(one, { decode }),
      }),
    )
    return { key: shapeKey(first!), weight: bytesOf(one), current: choiceId(current), variants }
  }

  /** Prompts weigh less than answers: a matrix is read once for many tokens. */
  #promptTask(one: Alike, current: PrefillChoice, rounding: boolean): Task {
    const [first] = one.matrices
    const variants = [current, ...prefillCandidates(first!, rounding).filter((prompt) => prompt !== current)].map(
      (prompt): Variant => ({
        id: prompt,
        traits: prompt.startsWith('gemm8') ? ['dot8'] : [],
        prepare: () => this.#prepare(one, { prompt }),
      }),
    )
    return { key: promptKey(first!), weight: bytesOf(one) / 8, current, variants }
  }

  /** A repetition is one matrix of this shape; the next one takes the next layer's. */
  async #prepare(one: Alike, way: Way): Promise<Prepared> {
    const recordings: Recording[] = []
    for (const matrix of one.matrices) recordings.push(await this.#record(matrix, one.normed, way))
    return {
      dispatches: (repeat) => recordings[repeat % recordings.length]!,
      probe: () => this.#probe(one.matrices[0]!, one.normed, way),
    }
  }

  #record(matrix: Matrix, normed: boolean, way: Way): Promise<Recording> {
    const { device } = this.#gpu
    const steps = 'decode' in way ? this.#few(matrix, normed, way.decode) : this.#tiles(matrix, normed, way.prompt)
    return Promise.all(
      steps.map(async ({ kernel, buffers, groups }) => prepare(device, await this.#pipelines.get(kernel), buffers, groups)),
    )
  }

  #few(matrix: Matrix, normed: boolean, { kernel, ...how }: Choice): Step[] {
    const make = kernel === 'dot8' ? dot8 : matmul
    return matrix.parts.map((part) => ({
      kernel: make({ ...this.#options(matrix, normed, this.#one), part, tile: 1, ...how }),
      buffers: this.#bound(part, normed, this.#one, this.#x),
      groups: linearGroups(part, 1, 1, outputsOf(how)),
    }))
  }

  /** As the decoder does it: rounding is part of what it costs. */
  #tiles(matrix: Matrix, normed: boolean, prompt: PrefillChoice): Step[] {
    const { rows } = promptShape
    const tile = gemmTile(rows)
    const options = this.#options(matrix, normed, this.#many)
    if (prompt === 'gemm') {
      return matrix.parts.map((part) => ({
        kernel: gemm({ ...options, part, tile }),
        buffers: this.#bound(part, normed, this.#many, this.#x),
        groups: linearGroups(part, rows, tile, gemmOut),
      }))
    }
    const how = { tile, ...gemm8Shapes[prompt === 'gemm8 wide' ? 'wide' : 'square'] }
    const { input, rolled } = options
    const packing: Step = {
      kernel: pack8({ groups: matrix.groups, input, rows: 'all', shape: promptShape, rolled }),
      buffers: { x: this.#x, y: this.#packed, rows: this.#many.buffer, ...(normed ? { aux: this.#aux } : {}) },
      groups: [1, rows],
    }
    const tiles = matrix.parts.map((part) => ({
      kernel: gemm8({ ...options, part, ...how }),
      buffers: this.#bound(part, false, this.#many, this.#packed),
      groups: linearGroups(part, rows, tile, how.out),
    }))
    return [packing, ...tiles]
  }

  #options(matrix: Matrix, normed: boolean, rows: Rows) {
    const { info } = this.#gpu
    return {
      matrix,
      input: normed ? { width: matrix.columns, eps, gamma: 0 } : ('plain' as const),
      rows: 'all' as const,
      output: { kind: 'store' as const, stride: matrix.rows },
      shape: rows.shape,
      f16: info.f16,
      rolled: info.software,
    }
  }

  #bound(part: MatrixPart, normed: boolean, rows: Rows, x: GPUBuffer): Step['buffers'] {
    return { weights: part.buffer, x, y: this.scratch, rows: rows.buffer, ...(normed ? { aux: this.#aux } : {}) }
  }

  /** The first outputs of the first and the last row against f64 on the host: drivers do miscompile. */
  async #probe(matrix: Matrix, normed: boolean, way: Way): Promise<boolean> {
    const { device } = this.#gpu
    const rows = 'decode' in way ? 1 : promptShape.rows
    const count = Math.min(probed, Math.floor(matrix.parts[0]!.rows / 8) * 8)
    const weights = await unpackRows(device, matrix, count)
    this.#write(matrix, rows)
    const recording = await this.#record(matrix, normed, way)
    const encoder = device.createCommandEncoder()
    const pass = encoder.beginComputePass()
    play(pass, recording)
    pass.end()
    device.queue.submit([encoder.finish()])
    for (const row of new Set([0, rows - 1])) {
      const y = new Float32Array(await readBack(device, this.scratch, row * matrix.rows * 4, count * 4))
      if (!this.#isRight(y, weights, matrix, normed, row, roundsIn(way) ? 5e-3 : 1e-5)) return false
    }
    return true
  }

  /** Rows as wide as the matrix: each is the one before, turned by one. */
  #write(matrix: Matrix, rows: number): void {
    const width = matrix.groups * 32
    const all = new Float32Array(rows * width)
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < matrix.columns; column++) all[row * width + column] = this.#valueAt(row, column)
    }
    this.#gpu.device.queue.writeBuffer(this.#x, 0, all)
  }

  #valueAt(row: number, column: number): number {
    return this.#values[(row + column) % this.#width]!
  }

  #isRight(y: Float32Array, weights: Float64Array | Float32Array, matrix: Matrix, normed: boolean, row: number, bound: number): boolean {
    const { columns, groups } = matrix
    let squares = 0
    for (let column = 0; column < columns; column++) squares += this.#valueAt(row, column) ** 2
    const factor = normed ? 1 / Math.sqrt(squares / columns + eps) : 1
    return y.every((value, output) => {
      let sum = 0
      let size = 0
      for (let column = 0; column < columns; column++) {
        const product = weights[output * groups * 32 + column]! * this.#valueAt(row, column) * factor
        sum += product
        size += Math.abs(product)
      }
      return Math.abs(value - sum) <= bound * size
    })
  }
}

const roundsIn = (way: Way): boolean => ('decode' in way ? way.decode.kernel === 'dot8' : way.prompt.startsWith('gemm8'))

const bytesOf = ({ matrices }: Alike): number => matrices.flatMap(({ parts }) => parts).reduce((sum, { buffer }) => sum + buffer.size, 0)

/** The matrices of a model by shape: those that share one share what is found. */
function alike({ head, layers }: { head: Matrix | undefined; layers: Weights['layers'] }): Alike[] {
  const shapes = new Map<string, Alike>()
  const add = (matrix: Matrix, normed: boolean) => {
    const one = shapes.get(shapeKey(matrix)) ?? { matrices: [], normed }
    // A shape that stands behind a norm and behind none is measured without: both gain.
    shapes.set(shapeKey(matrix), { matrices: [...one.matrices, matrix], normed: one.normed && normed })
  }
  if (head) add(head, true)
  for (const { qkv, o, gateUp, down } of layers) {
    add(qkv, true)
    add(o, false)
    add(gateUp, true)
    add(down, false)
  }
  return [...shapes.values()]
}
