// Every matmul variant against its twin, over shapes that do not fit the blocks, and the promise that tiles do not change a row's bits.
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { linearGroups, type Output } from '../../src/kernels/linear.ts'
import { matmul } from '../../src/kernels/matmul.ts'
import type { Format, Matrix } from '../../src/kernels/matrix.ts'
import { type Case, eps, named, run as runOn, shapeOf } from './linear.ts'
import { Bench, expectWanted } from './run.ts'

let bench: Bench
beforeAll(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clear())

const run = (one: Case, fold?: [x: number, z: number]) => runOn(bench, { make: matmul, one, fold })

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
      threads: [64, 128][(index + f + o) % 2]!,
      stripes: [1, 2][(index + f + 1) % 2]!,
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
  { format: 'q8', output: 'add', tile: 1, lanes: 32, threads: 256, n: 45, k: 1100, count: 2, input: 'norm' },
  { format: 'q4', output: 'swiglu', tile: 4, lanes: 2, n: 48, k: 290, count: 6, input: 'keep' },
  { format: 'f16', output: 'store', tile: 1, lanes: 4, threads: 128, n: 45, k: 70, count: 3, input: 'keep', cuts: [24] },
  { format: 'q8', output: 'store', tile: 8, lanes: 8, n: 45, k: 96, count: 5, input: 'sandwich', rows: 'logits' },
  { format: 'q4', output: 'store', tile: 1, lanes: 1, n: 10, k: 32, count: 1, unrolled: true },
  {
    format: 'q4',
    coding: { group: 32, centred: true },
    output: 'store',
    tile: 1,
    lanes: 4,
    n: 42,
    k: 288,
    count: 2,
    input: 'norm',
    cuts: [16],
  },
  { format: 'q4', coding: { group: 128, centred: true }, output: 'add', tile: 4, lanes: 8, n: 45, k: 320, count: 5 },
  { format: 'q4', coding: { group: 64, centred: false }, output: 'swiglu', tile: 8, lanes: 1, n: 48, k: 224, count: 9, input: 'norm' },
  { format: 'q8', coding: { group: 16, centred: false }, output: 'store', tile: 4, lanes: 2, n: 45, k: 272, count: 5, cuts: [24] },
  { format: 'q8', coding: { group: 16, centred: true }, output: 'add', tile: 1, lanes: 4, n: 77, k: 512, count: 2, input: 'norm' },
  { format: 'q8', coding: { group: 32, centred: true }, output: 'store', tile: 8, lanes: 4, n: 45, k: 96, count: 9, rows: 'logits' },
)
/** Subgroups add the squares of rows that are normed. */
const subgroups: Case[] = [
  { format: 'q4', output: 'store', tile: 1, lanes: 8, n: 45, k: 290, count: 2, input: 'norm', subgroups: true },
  { format: 'q8', output: 'swiglu', tile: 4, lanes: 4, threads: 128, n: 48, k: 70, count: 6, input: 'keep', subgroups: true },
  { format: 'q4', output: 'add', tile: 8, lanes: 16, threads: 128, n: 45, k: 1100, count: 9, input: 'sandwich', subgroups: true },
]
const native: Case[] = [
  { format: 'f16', f16: true, output: 'store', tile: 4, lanes: 4, n: 42, k: 40, count: 9, input: 'norm' },
  { format: 'f16', f16: true, output: 'add', tile: 1, lanes: 8, n: 45, k: 290, count: 2, cuts: [16] },
  { format: 'f16', f16: true, output: 'swiglu', tile: 8, lanes: 2, n: 64, k: 64, count: 9 },
]
const table = (format: Format, n: number, k: number): Matrix => ({
  name: format,
  format,
  group: 32,
  centred: false,
  rows: n,
  columns: k,
  groups: Math.ceil(k / 32),
  parts: [],
})
const whole = (n: number) => ({ buffer: undefined as unknown as GPUBuffer, offset: 0, rows: n })

describe('against the twin', () => {
  it.each(named(cases))('%s', async (_, one) => {
    const { words, wanted, next } = await run(one)
    expectWanted(words, wanted)
    if (next) expectWanted(next.words, next.wanted)
  })
  it.for(named(subgroups))('%s', async ([, one], { skip }) => {
    if (!bench.gpu.info.subgroups) skip()
    const { words, wanted, next } = await run(one)
    expectWanted(words, wanted)
    if (next) expectWanted(next.words, next.wanted)
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
    const [x, y, z] = linearGroups(whole(rows), 9, 4, 64 / lanes)
    expect(Math.max(x, y, z)).toBeLessThanOrEqual(65535)
    expect(y).toBe(3)
    expect(x * z * (64 / lanes)).toBeGreaterThanOrEqual(rows)
  }
  const { words, wanted } = await run({ format: 'q4', output: 'store', tile: 1, lanes: 8, n: 45, k: 40, count: 2 }, [2, 3])
  expectWanted(words, wanted)
})

describe('a row has the same bits in tiles of 1, 4 and 8, alone in a thread or beside another', () => {
  it.each([
    { format: 'q4', output: 'store', lanes: 8, n: 42, k: 290, count: 8, input: 'norm' },
    { format: 'q8', output: 'swiglu', lanes: 4, n: 40, k: 100, count: 8, input: 'norm' },
    { format: 'f16', output: 'store', lanes: 1, n: 42, k: 96, count: 8 },
  ] as const)('$format $output', async (one) => {
    const results = []
    const variants = [{ tile: 1 }, { tile: 4 }, { tile: 8 }, { tile: 4, stripes: 2 }]
    for (const variant of variants) results.push(Array.from((await run({ ...one, ...variant })).words))
    for (const result of results) expect(result).toEqual(results[0])
  })
})

it('every combination of files compiles', async () => {
  const readers: [Format, boolean][] = formats.map((format) => [format, false])
  if (bench.gpu.info.f16) readers.push(['f16', true])
  const qkv = { kind: 'qkv', stride: 32, heads: 2, kvHeads: 1, headDim: 8, rotary: 8, pages: 1 } as const
  const all: Output[] = [
    ...outputs.map((kind) => ({ kind, stride: 32 })),
    { ...qkv, kv: 'f32' },
    { ...qkv, kv: 'f16', bias: 32 },
    { ...qkv, headDim: 32, kv: 'q8' },
  ]
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
              threads: 64,
              lanes: output.kind === 'qkv' ? 2 : 8,
              stripes: 1,
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
  expect(kernels.length).toBe(readers.length * 15)
  await Promise.all(kernels.map((kernel) => bench.compile(kernel)))
})
