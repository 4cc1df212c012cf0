// The matmul over activations of 8 bits against its twin, which rounds as the kernel does, and its promise of equal bits.
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { dot8 } from '../../src/kernels/dot8.ts'
import { type Case, named, round8, run as runOn } from './linear.ts'
import { Bench, expectWanted } from './run.ts'

let bench: Bench
beforeAll(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clear())

const run = (one: Case) => runOn(bench, { make: dot8, one, rounded: round8 })

const cases: Case[] = [
  { format: 'q4', output: 'store', tile: 1, lanes: 1, n: 42, k: 40, count: 3 },
  { format: 'q4', output: 'store', tile: 4, lanes: 8, n: 130, k: 290, count: 5, input: 'norm' },
  { format: 'q8', output: 'add', tile: 8, lanes: 2, stripes: 2, n: 77, k: 1000, count: 11, cuts: [64] },
  { format: 'q8', output: 'swiglu', tile: 4, lanes: 4, n: 48, k: 64, count: 6, input: 'norm', cuts: [24] },
  { format: 'q4', output: 'swiglu', tile: 1, lanes: 1, stripes: 2, n: 130, k: 4200, count: 2, input: 'norm' },
  { format: 'q4', output: 'store', tile: 8, lanes: 16, threads: 128, n: 303, k: 1100, count: 9, rows: 'logits', input: 'norm' },
  { format: 'q8', output: 'store', tile: 4, lanes: 1, n: 6, k: 7, count: 1 },
  { format: 'q4', output: 'swiglu', tile: 4, lanes: 2, n: 48, k: 290, count: 6, input: 'keep' },
  { format: 'q8', output: 'store', tile: 1, lanes: 1, stripes: 2, n: 45, k: 96, count: 5, input: 'sandwich', rows: 'logits' },
  { format: 'q4', output: 'store', tile: 1, lanes: 1, n: 10, k: 32, count: 1, unrolled: true },
  {
    format: 'q4',
    coding: { group: 32, centred: true },
    output: 'add',
    tile: 4,
    lanes: 4,
    n: 45,
    k: 288,
    count: 5,
    input: 'norm',
    cuts: [16],
  },
  { format: 'q4', coding: { group: 128, centred: true }, output: 'store', tile: 1, lanes: 1, stripes: 2, n: 45, k: 320, count: 2 },
  { format: 'q8', coding: { group: 64, centred: true }, output: 'swiglu', tile: 8, lanes: 8, n: 48, k: 512, count: 9 },
]

describe('against the twin', () => {
  it.each(named(cases))('%s', async (_, one) => {
    const { words, wanted, next } = await run(one)
    expectWanted(words, wanted)
    if (next) expectWanted(next.words, next.wanted)
  })
})

it('no rows: nothing is written', async () => {
  const { words, wanted } = await run({ format: 'q4', output: 'store', tile: 4, lanes: 4, n: 64, k: 64, count: 0 })
  expectWanted(words, wanted)
})

it.each([
  { format: 'q4', output: 'store', lanes: 8, n: 42, k: 1290, count: 8, input: 'norm' },
  { format: 'q8', output: 'swiglu', lanes: 1, n: 40, k: 100, count: 8, input: 'norm' },
] as const)('a row has the same bits in tiles of 1, 4 and 8: $format $output', async (one) => {
  const results = []
  const variants = [{ tile: 1 }, { tile: 4 }, { tile: 8 }, { tile: 1, stripes: 2 }]
  for (const variant of variants) results.push(Array.from((await run({ ...one, ...variant })).words))
  for (const result of results) expect(result).toEqual(results[0])
})
