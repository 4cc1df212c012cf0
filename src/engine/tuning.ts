// What the tuner is to measure for a loaded model: each shape of matrix, heaviest first, over the model's own weights.
import { Buffers, readBack } from '../gpu/buffers.ts'
import type { Gpu } from '../gpu/device.ts'
import { Pipelines } from '../gpu/pipeline.ts'
import { play, prepare, type Recording } from '../gpu/recorder.ts'
import { type Prepared, type Task, type TuneOptions, tune, type Variant } from '../gpu/tuner.ts'
import { dot8 } from '../kernels/dot8.ts'
import { linearGroups } from '../kernels/linear.ts'
import { matmul, outputsOf } from '../kernels/matmul.ts'
import type { Matrix } from '../kernels/matrix.ts'
import { rowsLayout } from '../kernels/rows.ts'
import { unpackRows } from '../kernels/unpack.ts'
import { type Choice, type Choices, candidates, choiceId, shapeKey } from '../model/choices.ts'
import type { Weights } from '../model/decoder.ts'
import { Rows } from '../model/rows.ts'

const shape = { rows: 1, logits: 1, slots: 1, pages: 1, ring: 1 }
/** Weight rows that a probe looks at. */
const probed = 64

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

/** Scratch that all variants share; freed with `close`. */
export class Tuning {
  readonly tasks: Task[]
  readonly #gpu: Gpu
  readonly #buffers: Buffers
  /** Of their own, so that what loses is let go. */
  readonly #pipelines: Pipelines
  readonly #rows: Rows
  readonly #x: GPUBuffer
  /** What variants write. */
  readonly scratch: GPUBuffer
  readonly #values: Float32Array<ArrayBuffer>

  constructor(gpu: Gpu, weights: Weights, choices: Choices, rounding: boolean) {
    this.#gpu = gpu
    this.#buffers = new Buffers(gpu)
    this.#pipelines = new Pipelines(gpu)
    const shapes = new Map<string, Matrix[]>()
    for (const matrix of [weights.head, ...weights.layers.flatMap(({ qkv, o, gateUp, down }) => [qkv, o, gateUp, down])]) {
      shapes.set(shapeKey(matrix), [...(shapes.get(shapeKey(matrix)) ?? []), matrix])
    }
    const all = [...shapes.values()]
    const width = Math.max(...all.map(([matrix]) => matrix!.groups * 32))
    this.#values = Float32Array.from({ length: width }, (_, index) => Math.fround((((index * 2654435761) >>> 8) % 2048) / 1024 - 1))
    this.#x = this.#buffers.make('tuning x', width * 4)
    this.scratch = this.#buffers.make('tuning y', Math.max(...all.map(([matrix]) => matrix!.rows + 1)) * 4)
    this.#rows = new Rows(shape, this.#buffers.make('tuning rows', rowsLayout(shape).words * 4), gpu.device.queue)
    gpu.device.queue.writeBuffer(this.#x, 0, this.#values)
    this.#rows.write([{ token: 0, position: 0, slot: 0 }], [])
    this.tasks = all.map((matrices) => this.#task(matrices, choices.decode(matrices[0]!), rounding))
  }

  close(): void {
    this.#buffers.close()
  }

  #task(matrices: readonly Matrix[], current: Choice, rounding: boolean): Task {
    const [first] = matrices
    const bytes = matrices.flatMap(({ parts }) => parts).reduce((sum, { buffer }) => sum + buffer.size, 0)
    const others = candidates(first!, rounding).filter((choice) => choiceId(choice) !== choiceId(current))
    const variants = [current, ...others].map(
      (choice): Variant => ({
        id: choiceId(choice),
        traits: choice.kernel === 'dot8' ? ['dot8'] : [],
        prepare: () => this.#prepare(matrices, choice),
      }),
    )
    return { key: shapeKey(first!), weight: bytes, current: choiceId(current), variants }
  }

  /** A repetition is one matrix of this shape; the next one takes the next layer's. */
  async #prepare(matrices: readonly Matrix[], choice: Choice): Promise<Prepared> {
    const recordings: Recording[] = []
    for (const matrix of matrices) recordings.push(await this.#record(matrix, choice))
    return {
      dispatches: (repeat) => recordings[repeat % recordings.length]!,
      probe: () => this.#probe(matrices[0]!, choice),
    }
  }

  #record(matrix: Matrix, { kernel, ...how }: Choice): Promise<Recording> {
    const { device, info } = this.#gpu
    const make = kernel === 'dot8' ? dot8 : matmul
    const dispatches = matrix.parts.map(async (part) => {
      const output = { kind: 'store', stride: matrix.rows } as const
      const options = {
        matrix,
        part,
        tile: 1,
        ...how,
        input: 'plain',
        rows: 'all',
        output,
        shape,
        f16: info.f16,
        rolled: info.software,
      } as const
      const buffers = { weights: part.buffer, x: this.#x, y: this.scratch, rows: this.#rows.buffer }
      return prepare(device, await this.#pipelines.get(make(options)), buffers, linearGroups(part, 1, 1, outputsOf(how)))
    })
    return Promise.all(dispatches)
  }

  /** The first rows against f64 on the host: drivers do miscompile. */
  async #probe(matrix: Matrix, choice: Choice): Promise<boolean> {
    const { device } = this.#gpu
    const count = Math.min(probed, Math.floor(matrix.parts[0]!.rows / 8) * 8)
    const weights = await unpackRows(device, matrix, count)
    const recording = await this.#record(matrix, choice)
    const encoder = device.createCommandEncoder()
    const pass = encoder.beginComputePass()
    play(pass, recording)
    pass.end()
    device.queue.submit([encoder.finish()])
    const y = new Float32Array(await readBack(device, this.scratch, 0, count * 4))
    const width = matrix.groups * 32
    const bound = choice.kernel === 'dot8' ? 5e-3 : 1e-5
    return y.every((value, row) => {
      let sum = 0
      let size = 0
      for (let column = 0; column < matrix.columns; column++) {
        const product = weights[row * width + column]! * this.#values[column]!
        sum += product
        size += Math.abs(product)
      }
      return Math.abs(value - sum) <= bound * size
    })
  }
}
