// The matmul of CPU adapters, whose threads share nothing, against its twin, and its promise of equal bits.
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { solo, soloShape } from '../../src/kernels/solo.ts'
import { type Case, named, run as runOn } from './linear.ts'
import { Bench, expectWanted } from './run.ts'

let bench: Bench
beforeAll(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clear())

type Own = Omit<Case, 'lanes' | 'threads' | 'stripes'>
const run = (one: Own, fold?: [number, number]) => runOn(bench, { make: solo, one: { ...one, ...soloShape }, fold })

const cases: Own[] = [
  { format: 'q4', output: 'store', tile: 1, n: 42, k: 40, count: 3 },
  { format: 'q4', output: 'store', tile: 4, n: 130, k: 290, count: 5, input: 'norm' },
  { format: 'q8', output: 'add', tile: 8, n: 77, k: 1000, count: 11, cuts: [64] },
  { format: 'q8', output: 'swiglu', tile: 4, n: 48, k: 64, count: 6, input: 'norm', cuts: [24] },
  { format: 'q4', output: 'store', tile: 8, n: 303, k: 1100, count: 9, rows: 'logits', input: 'norm' },
  { format: 'q8', output: 'store', tile: 4, n: 6, k: 7, count: 1 },
  { format: 'q4', output: 'swiglu', tile: 4, n: 48, k: 290, count: 6, input: 'keep' },
  { format: 'q8', output: 'add', tile: 8, n: 45, k: 290, count: 9, input: 'keep', cuts: [24] },
  { format: 'q8', output: 'store', tile: 1, n: 45, k: 96, count: 5, input: 'sandwich', rows: 'logits' },
  { format: 'q4', output: 'store', tile: 1, n: 10, k: 32, count: 1, unrolled: true },
  { format: 'q4', coding: { group: 32, centred: true }, output: 'add', tile: 4, n: 45, k: 288, count: 5, input: 'norm', cuts: [16] },
  { format: 'q4', coding: { group: 128, centred: true }, output: 'store', tile: 1, n: 45, k: 320, count: 2 },
  { format: 'q8', coding: { group: 64, centred: true }, output: 'swiglu', tile: 8, n: 48, k: 512, count: 9 },
]

describe('against the twin', () => {
  it.each(named(cases as Case[]))('%s', async (_, one) => {
    const { words, wanted, next } = await run(one)
    expectWanted(words, wanted)
    if (next) expectWanted(next.words, next.wanted)
  })
})

it('no rows: nothing is written', async () => {
  const { words, wanted } = await run({ format: 'q4', output: 'store', tile: 4, n: 64, k: 64, count: 0 })
  expectWanted(words, wanted)
})

it('workgroups that fold into z', async () => {
  const { words, wanted } = await run({ format: 'q4', output: 'store', tile: 1, n: 145, k: 40, count: 2 }, [2, 3])
  expectWanted(words, wanted)
})

it.each([
  { format: 'q4', output: 'store', n: 42, k: 1290, count: 8, input: 'norm' },
  { format: 'q8', output: 'swiglu', n: 40, k: 100, count: 8, input: 'keep' },
] as const)('a row has the same bits in tiles of 1, 4 and 8: $format $output', async (one) => {
  const results = []
  for (const tile of [1, 4, 8]) results.push(Array.from((await run({ ...one, tile })).words))
  for (const result of results) expect(result).toEqual(results[0])
})
