// Layers of a tower against their twin, in both forms of the matmul: patches as they come, norms, biases, what becomes of the totals.
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Format } from '../../src/kernels/matrix.ts'
import { type SeeInput, type SeeLinear, type SeeOutput, visionLinear, visionLinearGroups } from '../../src/kernels/vision_linear.ts'
import { geluTanh, placesOf } from '../reference/vision.ts'
import { rmsNorm, swiglu, matmul as twin } from '../reference.ts'
import { Bench, expectWanted, numbers, POISON, untouched, type Wanted } from './run.ts'

let bench: Bench
beforeAll(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clear())

interface Case {
  kernel: SeeLinear['kernel']
  format: Format
  input: SeeInput['kind'] | 'rows'
  output: SeeOutput['kind'] | 'gelu'
  n: number
  k: number
  count: number
  bias?: boolean
  cuts?: number[]
}

const grid: [number, number, number] = [3, 4, 6]
const gammaAt = 32
const first = 5 // of the chunk in its batch

/** What a kernel reads and what the twin multiplies. */
function inputs({ input, k, count }: Case, array: (length: number) => Float64Array) {
  if (input === 'plain' || input === 'norm') {
    const stride = Math.ceil(k / 32) * 32
    const lines = array(count * k)
    const x = new Float32Array((count + 3) * stride).fill(Number.NaN)
    for (let row = 0; row < count; row++) {
      x.fill(0, row * stride, (row + 1) * stride)
      x.set(lines.subarray(row * k, (row + 1) * k), row * stride)
    }
    return { x, lines }
  }
  const all = array(grid[0] * grid[1] * grid[2] * k)
  const places = placesOf([grid], 2)
  const source = (row: number) => {
    const [line, column] = places[row]!
    return input === 'patches' ? row : row - (row % 24) + line * grid[2] + column
  }
  const lines = new Float64Array(count * k)
  for (let row = 0; row < count; row++) lines.set(all.subarray(source(first + row) * k, (source(first + row) + 1) * k), row * k)
  return { x: new Float32Array(all), lines }
}

const inputOf = ({ input, k }: Case): SeeInput =>
  input === 'plain'
    ? { kind: 'plain' }
    : input === 'norm'
      ? { kind: 'norm', width: k, eps: 1e-5, gamma: gammaAt }
      : { kind: 'patches', values: k, order: input === 'rows' ? 'rows' : 'blocks', merge: 2 }

const activation = { store: (x: number) => x, gelu: geluTanh }

async function run(one: Case) {
  const { kernel, format, output, n, k, count, bias = false, cuts } = one
  const { array } = numbers(n + k + count)
  const { matrix, stored } = bench.matrix(format, array(n * k), n, k, cuts)
  const { x, lines } = inputs(one, array)
  const [gamma, biases] = [array(k), array(n)]
  const biasAt = gammaAt + Math.ceil(k / 32) * 32
  const aux = new Float32Array(biasAt + n + 4).fill(3)
  aux.set(gamma, gammaAt)
  aux.set(biases, biasAt)
  const read = one.input === 'norm' ? rmsNorm(lines, gamma, 1e-5) : lines
  const totals = twin(stored, read, k, bias ? biases : undefined) // [count, n]
  const width = output === 'swiglu' ? n / 2 : output === 'qkv' ? n / 3 : n
  const stride = width + 4
  const outputs = ['y', 'kv', 'next'].map(() => ({ start: array((count + 2) * stride), wanted: untouched((count + 2) * stride) }))
  const buffers = outputs.map(({ start, wanted }, part) => {
    const words = new Uint32Array(start.length).fill(POISON)
    if (output === 'add') new Float32Array(words.buffer).set(start)
    if (output === 'add') wanted.values.set(start)
    if (part === 0 || output === 'qkv') fill(wanted, { totals, start, n, width, stride, count, output, part, k })
    return bench.buffer('y', words)
  })
  const rows = bench.buffer('rows', Uint32Array.of(count, POISON, 0, first, grid[1] * grid[2], grid[2], grid[1]))
  const bound = { x: bench.buffer('x', x), y: buffers[0]!, kv: buffers[1]!, next: buffers[2]!, aux: bench.buffer('aux', aux), rows }
  for (const part of matrix.parts) {
    const own: SeeOutput = output === 'gelu' ? { kind: 'store', stride, activation: 'gelu_tanh' } : { kind: output, stride }
    const made = visionLinear({
      kernel,
      matrix,
      part,
      input: inputOf(one),
      output: own,
      ...(bias ? { bias: biasAt } : {}),
      f16: false,
      rolled: true,
    })
    await bench.run(made, { ...bound, weights: part.buffer }, visionLinearGroups(kernel, part, count + 2))
  }
  return Promise.all(outputs.map(async ({ wanted }, part) => ({ words: await bench.words(buffers[part]!), wanted })))
}

interface Filling {
  totals: Float64Array
  start: Float64Array
  n: number
  width: number
  stride: number
  count: number
  output: Case['output']
  part: number
  k: number
}

function fill({ values, bounds }: Wanted, { totals, start, n, width, stride, count, output, part, k }: Filling): void {
  const gates = totals.filter((_, i) => (i % n) % 2 === 0)
  const ups = totals.filter((_, i) => (i % n) % 2 === 1)
  const gated = output === 'swiglu' ? swiglu(gates, ups) : totals
  for (let row = 0; row < count; row++) {
    for (let i = 0; i < width; i++) {
      const at = row * stride + i
      const total = output === 'swiglu' ? gated[row * width + i]! : totals[row * n + part * width + i]!
      values[at] = output === 'add' ? start[at]! + total : output === 'gelu' || output === 'store' ? activation[output](total) : total
      bounds[at] = 3e-6 * k * (1 + Math.abs(total))
    }
  }
}

const cases: Case[] = [
  { kernel: 'matmul', format: 'f32', input: 'patches', output: 'store', n: 44, k: 44, count: 61, bias: true },
  { kernel: 'matmul', format: 'q8', input: 'rows', output: 'store', n: 70, k: 588, count: 67, bias: true },
  { kernel: 'matmul', format: 'q8', input: 'norm', output: 'qkv', n: 108, k: 36, count: 9, bias: true },
  { kernel: 'matmul', format: 'q4', input: 'norm', output: 'swiglu', n: 90, k: 100, count: 17, bias: true },
  { kernel: 'matmul', format: 'f16', input: 'plain', output: 'add', n: 76, k: 64, count: 8, bias: true, cuts: [40] },
  { kernel: 'matmul', format: 'f32', input: 'plain', output: 'gelu', n: 33, k: 70, count: 3 },
  { kernel: 'gemm', format: 'q8', input: 'rows', output: 'store', n: 70, k: 588, count: 67, bias: true },
  { kernel: 'gemm', format: 'q8', input: 'norm', output: 'qkv', n: 108, k: 36, count: 33, bias: true },
  { kernel: 'gemm', format: 'f32', input: 'plain', output: 'swiglu', n: 90, k: 100, count: 40 },
  { kernel: 'gemm', format: 'f16', input: 'plain', output: 'add', n: 76, k: 64, count: 8, bias: true, cuts: [40] },
]

describe('against the twin', () => {
  it.each(cases)('$kernel $format $input $output: $n x $k on $count rows', async (one) => {
    for (const { words, wanted } of await run(one)) expectWanted(words, wanted)
  })
})

it('no rows: nothing is written', async () => {
  for (const { words, wanted } of await run({ ...cases[0]!, count: 0 })) expectWanted(words, wanted)
})

it('a bias counts', async () => {
  const [plain] = await run(cases[5]!)
  const [biased] = await run({ ...cases[5]!, bias: true })
  expect(() => expectWanted(plain!.words, biased!.wanted)).toThrow('are wrong')
})
