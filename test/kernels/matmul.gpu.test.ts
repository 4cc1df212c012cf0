// Every matmul variant against its twin, over shapes that do not fit the blocks, and the promise that tiles do not change a row's bits.
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type MatmulOptions, matmul, matmulGroups, type Output } from '../../src/kernels/matmul.ts'
import type { Format, Matrix } from '../../src/kernels/matrix.ts'
import { rmsNorm, swiglu, matmul as twin } from '../reference.ts'
import { Bench, expectWanted, numbers, POISON, untouched } from './run.ts'

let bench: Bench
beforeAll(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clear())

interface Case {
  format: Format
  /** Dense weights as the GPU's own f16. */
  f16?: boolean
  input?: 'norm'
  output: 'store' | 'add' | 'swiglu'
  tile: number
  lanes: number
  /** Rows and columns of the weights, rows of x. */
  n: number
  k: number
  count: number
  rows?: 'logits'
  cuts?: number[]
  unrolled?: boolean
}

const eps = 1.5625e-7
const gammaAt = 8 // gamma does not stand first in aux
const capacity = (count: number) => count + 3
const shapeOf = (count: number) => ({ rows: capacity(count), logits: capacity(count), slots: 1, pages: 1, ring: 1 })
/** Outputs of a row, and the stride of one: a gap stays poison. */
const widthOf = ({ output, n }: Case) => (output === 'swiglu' ? n / 2 : n)
const strideOf = (one: Case) => widthOf(one) + 3

function optionsOf(one: Case): Omit<MatmulOptions, 'matrix' | 'part'> {
  const { input, output, tile, lanes, count, rows = 'all', f16 = false, unrolled = false } = one
  return {
    tile,
    lanes,
    rows,
    f16,
    rolled: !unrolled,
    input: input === 'norm' ? { width: one.k, eps, gamma: gammaAt } : 'plain',
    output: { kind: output, stride: strideOf(one) },
    shape: shapeOf(count),
  }
}

/** Runs one case and gives the words of y; `wanted` is what they must be. `fold`: workgroups in x and z. */
async function run(one: Case, fold?: [x: number, z: number]) {
  const { format, input, output, tile, lanes, n, k, count, cuts } = one
  const random = numbers(n * 31 + k) // the same weights and rows whatever the variant
  const { matrix, stored } = bench.matrix(format, random.array(n * k), n, k, cuts)
  const stride = matrix.groups * 32
  const gamma = random.array(k)
  const lines = random.array(capacity(count) * k)
  // Asked rows out of order, row 0 of x among them twice; beyond the count of rows x is NaN.
  const filled = one.rows === 'logits' ? capacity(count) - 1 : count
  const asked = Array.from({ length: count }, (_, index) =>
    one.rows === 'logits' ? (filled - 1 - index * 2 + filled * 2) % filled : index,
  )
  const x = new Float32Array(capacity(count) * stride).fill(Number.NaN)
  for (let row = 0; row < filled; row++) {
    x.fill(0, row * stride, (row + 1) * stride)
    x.set(lines.subarray(row * k, (row + 1) * k), row * stride)
  }
  const aux = new Float32Array(gammaAt + stride).fill(3)
  aux.set(gamma, gammaAt)
  const rows = bench.rows(shapeOf(count))
  rows.write(
    Array.from({ length: filled }, (_, position) => ({ token: 0, position, slot: 0 })),
    one.rows === 'logits' ? asked : [],
  )

  const read = new Float64Array(count * k)
  for (const [index, row] of asked.entries()) read.set(lines.subarray(row * k, (row + 1) * k), index * k)
  const normed = input === 'norm' ? rmsNorm(read, gamma, eps) : read
  const sums = twin(stored, normed, k)
  const sizes = twin(stored.map(Math.abs), normed.map(Math.abs), k)
  const width = widthOf(one)
  const yStride = strideOf(one)
  const wanted = untouched(capacity(count) * yStride)
  const before = new Uint32Array(wanted.values.length).fill(POISON)
  const beforeFloats = new Float32Array(before.buffer)
  const relative = 3e-6
  const gated =
    output === 'swiglu' &&
    swiglu(
      sums.filter((_, i) => i % 2 === 0),
      sums.filter((_, i) => i % 2 === 1),
    )
  for (let row = 0; row < count; row++) {
    for (let i = 0; i < width; i++) {
      const at = row * yStride + i
      const from = row * width + i
      if (gated) {
        const gate = sums[2 * from]!
        const error = Math.abs(sums[2 * from + 1]!) * sizes[2 * from]! * 1.1 + Math.abs(gate) * sizes[2 * from + 1]!
        wanted.values[at] = gated[from]!
        wanted.bounds[at] = relative * error + 1e-5 * Math.abs(gated[from]!) + 1e-6
      } else {
        const old = output === 'add' ? Math.fround(random.normal()) : 0
        if (output === 'add') beforeFloats[at] = old
        wanted.values[at] = old + sums[from]!
        wanted.bounds[at] = relative * (sizes[from]! + Math.abs(old))
      }
    }
  }
  const y = bench.buffer('y', before)
  const buffers = { x: bench.buffer('x', x), y, aux: bench.buffer('aux', aux), rows: rows.buffer }
  for (const part of matrix.parts) {
    const kernel = matmul({ ...optionsOf(one), matrix, part })
    const groups = matmulGroups(part, capacity(count), tile, lanes)
    await bench.run(kernel, { ...buffers, weights: part.buffer }, fold ? [fold[0], groups[1], fold[1]] : groups)
  }
  return { words: await bench.words(y), wanted }
}

const formats: Format[] = ['q4', 'q8', 'f16', 'f32']
const outputs = ['store', 'add', 'swiglu'] as const
const shapes = [
  { n: 64, k: 64, count: 3 },
  { n: 42, k: 40, count: 9 },
  { n: 6, k: 7, count: 1 },
  { n: 130, k: 290, count: 5 },
]
/** Formats × outputs, with the other choices walked so that each meets each. */
const cases: Case[] = formats.flatMap((format, f) =>
  outputs.map((output, o): Case => {
    const index = f * 3 + o
    return {
      format,
      output,
      tile: [1, 4, 8][(index + f) % 3]!,
      lanes: [1, 2, 4, 8][(index + o) % 4]!,
      ...shapes[(index + (index >> 2)) % 4]!,
      ...((f + o) % 2 === 0 ? { input: 'norm' as const } : {}),
    }
  }),
)
cases.push(
  { format: 'q4', output: 'store', tile: 1, lanes: 8, n: 303, k: 96, count: 3, rows: 'logits', input: 'norm' },
  { format: 'q8', output: 'store', tile: 4, lanes: 2, n: 303, k: 70, count: 5, rows: 'logits', cuts: [96, 200] },
  { format: 'f16', output: 'store', tile: 8, lanes: 1, n: 303, k: 96, count: 9, rows: 'logits', input: 'norm', cuts: [152] },
  { format: 'f32', output: 'add', tile: 4, lanes: 4, n: 45, k: 33, count: 2, rows: 'logits', cuts: [8, 16, 40] },
  { format: 'q4', output: 'add', tile: 8, lanes: 8, n: 77, k: 1000, count: 11, cuts: [64] },
  { format: 'q8', output: 'swiglu', tile: 4, lanes: 4, n: 48, k: 64, count: 6, input: 'norm', cuts: [24] },
  { format: 'q4', output: 'store', tile: 1, lanes: 1, n: 10, k: 32, count: 1, unrolled: true },
)
const native: Case[] = [
  { format: 'f16', f16: true, output: 'store', tile: 4, lanes: 4, n: 42, k: 40, count: 9, input: 'norm' },
  { format: 'f16', f16: true, output: 'add', tile: 1, lanes: 8, n: 45, k: 290, count: 2, cuts: [16] },
  { format: 'f16', f16: true, output: 'swiglu', tile: 8, lanes: 2, n: 64, k: 64, count: 9 },
]
const named = (list: Case[]) =>
  list.map(
    (one) =>
      [
        Object.entries(one)
          .map(([key, value]) => (typeof value === 'number' ? `${key} ${value}` : value === true ? key : value))
          .join(', '),
        one,
      ] as const,
  )

const table = (format: Format, n: number, k: number): Matrix => ({
  name: format,
  format,
  rows: n,
  columns: k,
  groups: Math.ceil(k / 32),
  parts: [],
})
const whole = (n: number) => ({ buffer: undefined as unknown as GPUBuffer, offset: 0, rows: n })

describe('against the twin', () => {
  it.each(named(cases))('%s', async (_, one) => {
    const { words, wanted } = await run(one)
    expectWanted(words, wanted)
  })
  it.for(named(native))('%s', async ([, one], { skip }) => {
    if (!bench.gpu.info.f16) skip()
    const { words, wanted } = await run(one)
    expectWanted(words, wanted)
  })
})

it('no rows: nothing is written', async () => {
  const { words, wanted } = await run({ format: 'q4', output: 'store', tile: 4, lanes: 4, n: 64, k: 64, count: 0 })
  expectWanted(words, wanted)
})

it('more workgroups than one dimension holds fold into z', async () => {
  for (const [rows, lanes] of [
    [65535 * 64, 1],
    [65535 * 64 + 1, 1],
    [65535 * 24 + 7, 8],
  ] as const) {
    const [x, y, z] = matmulGroups(whole(rows), 9, 4, lanes)
    expect(Math.max(x, y, z)).toBeLessThanOrEqual(65535)
    expect(y).toBe(3)
    expect(x * z * (64 / lanes)).toBeGreaterThanOrEqual(rows)
  }
  const { words, wanted } = await run({ format: 'q4', output: 'store', tile: 1, lanes: 8, n: 45, k: 40, count: 2 }, [2, 3])
  expectWanted(words, wanted)
})

describe('a row has the same bits in tiles of 1, 4 and 8', () => {
  it.each([
    { format: 'q4', output: 'store', lanes: 8, n: 42, k: 290, count: 8, input: 'norm' },
    { format: 'q8', output: 'swiglu', lanes: 4, n: 40, k: 100, count: 8, input: 'norm' },
    { format: 'f16', output: 'store', lanes: 1, n: 42, k: 96, count: 8 },
  ] as const)('$format $output', async (one) => {
    const results = []
    for (const tile of [1, 4, 8]) results.push(Array.from((await run({ ...one, tile })).words))
    expect(results[1]).toEqual(results[0])
    expect(results[2]).toEqual(results[0])
  })
})

it('every combination of files compiles', async () => {
  const readers: [Format, boolean][] = formats.map((format) => [format, false])
  if (bench.gpu.info.f16) readers.push(['f16', true])
  const qkv = { kind: 'qkv', stride: 32, heads: 2, kvHeads: 1, headDim: 8, rotary: 8 } as const
  const all: Output[] = [...outputs.map((kind) => ({ kind, stride: 32 })), { ...qkv, kv: 'f32' }, { ...qkv, kv: 'f16', bias: 32 }]
  const kernels = readers.flatMap(([format, f16]) =>
    (['all', 'logits'] as const).flatMap((rows) =>
      all.flatMap((output) =>
        (['plain', { width: 30, eps, gamma: 0 }] as const)
          .filter((input) => output.kind !== 'qkv' || (input !== 'plain' && rows === 'all')) // queries, keys and values are made of every normed row
          .map((input) =>
            matmul({
              matrix: table(format, 32, 30),
              part: whole(32),
              tile: 1,
              lanes: 8,
              input,
              rows,
              output,
              shape: shapeOf(1),
              f16,
              rolled: true,
            }),
          ),
      ),
    ),
  )
  expect(kernels.length).toBe(readers.length * 14)
  await Promise.all(kernels.map((kernel) => bench.compile(kernel)))
})
