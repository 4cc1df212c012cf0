// One case of a kernel that multiplies by weights, against its twin: shapes that do not fit the blocks, poison around everything.
import type { Kernel, Slot } from '../../src/gpu/pipeline.ts'
import { type LinearOptions, linearGroups, type Norm } from '../../src/kernels/linear.ts'
import type { MatmulOptions } from '../../src/kernels/matmul.ts'
import { outputsOf } from '../../src/kernels/matmul.ts'
import type { Coding, Format } from '../../src/kernels/matrix.ts'
import { rmsNorm, swiglu, matmul as twin } from '../reference.ts'
import { type Bench, numbers, POISON, untouched } from './run.ts'

export interface Case {
  format: Format
  /** Where it is not the plain one of the format. */
  coding?: Omit<Coding, 'format'>
  /** Dense weights as the GPU's own f16. */
  f16?: boolean
  /** `keep`: a sandwich that hands its sum on. */
  input?: 'norm' | 'sandwich' | 'keep'
  output: 'store' | 'add' | 'swiglu'
  tile: number
  lanes: number
  threads?: number
  stripes?: number
  /** Rows and columns of the weights, rows of x. */
  n: number
  k: number
  count: number
  rows?: 'logits'
  cuts?: number[]
  unrolled?: boolean
  /** Squares by subgroups. */
  subgroups?: boolean
}

export const eps = 1.5625e-7
const gammaAt = 8 // gamma does not stand first in aux
export const capacity = (count: number) => count + 3
export const shapeOf = (count: number) => ({ rows: capacity(count), logits: capacity(count), slots: 1, pages: 1, ring: 1 })
/** Outputs of a row, and the stride of one: a gap stays poison. */
const widthOf = ({ output, n }: Case) => (output === 'swiglu' ? n / 2 : n)
const strideOf = (one: Case) => widthOf(one) + 3

export function optionsOf(one: Case): Omit<MatmulOptions, 'matrix' | 'part'> {
  const { output, tile, lanes, threads = 64, stripes = 1, count, rows = 'all', f16 = false, unrolled = false, subgroups = false } = one
  return {
    tile,
    lanes,
    threads,
    stripes,
    rows,
    f16,
    subgroups,
    rolled: !unrolled,
    input: inputOf(one),
    output: { kind: output, stride: strideOf(one) },
    shape: shapeOf(count),
  }
}

function inputOf({ input, k, count }: Case): LinearOptions['input'] {
  if (!input) return 'plain'
  const stride = Math.ceil(k / 32) * 32
  const norm: Norm = { width: k, eps, gamma: gammaAt }
  if (input !== 'norm') norm.sandwich = { postGamma: gammaAt + stride, raw: capacity(count) * stride, keep: input === 'keep' }
  return norm
}

/** What a kernel makes of activations before it multiplies: `dot8` rounds them. */
export type Rounding = (values: Float64Array, k: number) => Float64Array

/** Rounds groups of 32 to 8 bits: code = round(x / scale), scale = max |x| / 127. */
export function round8(values: Float64Array, k: number): Float64Array {
  const rounded = new Float64Array(values.length)
  for (let row = 0; row < values.length; row += k) {
    for (let start = row; start < row + k; start += 32) {
      const group = values.subarray(start, Math.min(start + 32, row + k))
      const scale = Math.max(...group.map(Math.abs)) / 127
      rounded.set(
        group.map((value) => (scale === 0 ? 0 : Math.round(value / scale) * scale)),
        start,
      )
    }
  }
  return rounded
}

/** Rows as the GPU has them: padded to groups of 32, `filled` of them there and the rest NaN. */
function padRows(lines: Float64Array, k: number, rows: number, filled: number): Float32Array<ArrayBuffer> {
  const stride = Math.ceil(k / 32) * 32
  const x = new Float32Array(rows * stride).fill(Number.NaN)
  for (let row = 0; row < filled; row++) {
    x.fill(0, row * stride, (row + 1) * stride)
    x.set(lines.subarray(row * k, (row + 1) * k), row * stride)
  }
  return x
}

/** x of a case on the host and on the GPU: what its kernel reads, and the twin's x after the norms. */
function inputs(bench: Bench, one: Case, random: ReturnType<typeof numbers>) {
  const { input, k, count } = one
  const stride = Math.ceil(k / 32) * 32
  const [gamma, postGamma] = [random.array(k), random.array(k)]
  const all = capacity(count)
  const lines = random.array(all * k)
  const raw = random.array(all * k, 3)
  // Asked rows out of order, row 0 of x among them twice; beyond the count of rows x is NaN.
  const filled = one.rows === 'logits' ? all - 1 : count
  const asked = Array.from({ length: count }, (_, index) =>
    one.rows === 'logits' ? (filled - 1 - index * 2 + filled * 2) % filled : index,
  )
  const sandwich = input === 'sandwich' || input === 'keep'
  const behind = sandwich ? rmsNorm(raw, postGamma, eps) : raw
  const summed = sandwich ? lines.map((value, index) => value + behind[index]!) : lines
  const read = new Float64Array(count * k)
  for (const [index, row] of asked.entries()) read.set(summed.subarray(row * k, (row + 1) * k), index * k)
  const x = padRows(lines, k, all, filled)
  const words = sandwich ? new Float32Array([...x, ...padRows(raw, k, all, filled)]) : x
  const aux = new Float32Array(gammaAt + 2 * stride).fill(3)
  aux.set(gamma, gammaAt)
  aux.set(postGamma, gammaAt + stride)
  const rows = bench.rows(shapeOf(count))
  rows.write(
    Array.from({ length: filled }, (_, position) => ({ token: 0, position, slot: 0 })),
    one.rows === 'logits' ? asked : [],
  )
  return {
    normed: input ? rmsNorm(read, gamma, eps) : read,
    /** What a sandwich hands on. */
    kept: padRows(summed, k, all, count),
    buffers: {
      x: bench.buffer('x', words),
      aux: bench.buffer('aux', aux),
      rows: rows.buffer,
      ...(input === 'keep' ? { next: bench.poisoned('next', all * stride) } : {}),
    },
  }
}

export interface Run {
  make: (options: MatmulOptions) => Kernel
  one: Case
  /** Workgroups in x and z. */
  fold?: [x: number, z: number]
  /** What the kernel makes of activations before it multiplies. */
  rounded?: (values: Float64Array, k: number) => Float64Array
  /** A kernel that goes before: gives what takes the place of x. */
  before?: (options: LinearOptions, buffers: Partial<Record<Slot, GPUBuffer>>) => Promise<GPUBuffer>
}

/** Runs one case and gives the words of y; `wanted` is what they must be, and so for what a sandwich hands on. */
export async function run(bench: Bench, { make, one, fold, rounded = (values) => values, before: first }: Run) {
  const { format, output, tile, n, k, count, cuts } = one
  const random = numbers(n * 31 + k) // the same weights and rows whatever the variant
  const { matrix, stored } = bench.matrix(one.coding ? { format, ...one.coding } : format, random.array(n * k), n, k, cuts)
  const { normed, kept, buffers } = inputs(bench, one, random)
  const wanted = untouched(capacity(count) * strideOf(one))
  const before = new Uint32Array(wanted.values.length).fill(POISON)
  expectOutputs(one, { stored, normed: rounded(normed, k), random, wanted, before: new Float32Array(before.buffer) })
  const y = bench.buffer('y', before)
  const x = first ? await first({ ...optionsOf(one), matrix, part: matrix.parts[0]! }, buffers) : buffers.x
  for (const part of matrix.parts) {
    const kernel = make({ ...optionsOf(one), matrix, part })
    const groups = linearGroups(part, capacity(count), tile, outputsOf(optionsOf(one)))
    await bench.run(kernel, { ...buffers, x, y, weights: part.buffer }, fold ? [fold[0], groups[1], fold[1]] : groups)
  }
  const next = buffers.next && {
    words: await bench.words(buffers.next),
    wanted: { values: Float64Array.from(kept), bounds: Float64Array.from(kept, (value) => 3e-6 * (Math.abs(value) + 1)) },
  }
  return { words: await bench.words(y), wanted, next, output }
}

/** Fills in what y must be, and what stands in it before where outputs are added. */
function expectOutputs(
  one: Case,
  to: {
    stored: Float64Array
    normed: Float64Array
    random: ReturnType<typeof numbers>
    wanted: ReturnType<typeof untouched>
    before: Float32Array
  },
): void {
  const { output, k, count } = one
  const { stored, normed, random, wanted, before } = to
  const sums = twin(stored, normed, k)
  const sizes = twin(stored.map(Math.abs), normed.map(Math.abs), k)
  const width = widthOf(one)
  const relative = 3e-6
  const gates = sums.filter((_, i) => i % 2 === 0)
  const ups = sums.filter((_, i) => i % 2 === 1)
  const gated = output === 'swiglu' && swiglu(gates, ups)
  for (let row = 0; row < count; row++) {
    for (let i = 0; i < width; i++) {
      const at = row * strideOf(one) + i
      const from = row * width + i
      if (gated) {
        const error = Math.abs(ups[from]!) * sizes[2 * from]! * 1.1 + Math.abs(gates[from]!) * sizes[2 * from + 1]!
        wanted.values[at] = gated[from]!
        wanted.bounds[at] = relative * error + 1e-5 * Math.abs(gated[from]!) + 1e-6
      } else {
        const old = output === 'add' ? Math.fround(random.normal()) : 0
        if (output === 'add') before[at] = old
        wanted.values[at] = old + sums[from]!
        wanted.bounds[at] = relative * (sizes[from]! + Math.abs(old))
      }
    }
  }
}

export const named = (list: readonly Case[]) =>
  list.map(
    (one) =>
      [
        Object.entries(one)
          .map(([key, value]) =>
            typeof value === 'number'
              ? `${key} ${value}`
              : value === true
                ? key
                : Array.isArray(value) || typeof value === 'string'
                  ? value
                  : JSON.stringify(value),
          )
          .join(', '),
        one,
      ] as const,
  )
