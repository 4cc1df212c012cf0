// The tiled matmul for prompts against its twin, over shapes that do not fit the tile, and the promise that tiles do not change a row's bits.
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { gemm } from '../../src/kernels/gemm.ts'
import { type Case, named, run as runOn } from './linear.ts'
import { Bench, expectWanted } from './run.ts'

let bench: Bench
beforeAll(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clear())

/** 64 threads with one lane and one stripe: as many weight rows as a workgroup of gemm has. */
const run = (one: Omit<Case, 'lanes'>) => runOn(bench, { make: gemm, one: { ...one, lanes: 1 } })

const cases: Omit<Case, 'lanes'>[] = [
  { format: 'q8', coding: { group: 16, centred: true }, output: 'store', tile: 16, n: 77, k: 288, count: 19, input: 'norm' },
  { format: 'q4', output: 'store', tile: 8, n: 42, k: 40, count: 9 },
  { format: 'q4', output: 'swiglu', tile: 16, n: 130, k: 290, count: 37, input: 'norm' },
  { format: 'q8', output: 'add', tile: 32, n: 77, k: 1000, count: 33 },
  { format: 'q8', output: 'store', tile: 8, n: 303, k: 70, count: 11, rows: 'logits', input: 'norm', cuts: [152] },
  { format: 'f16', output: 'swiglu', tile: 16, n: 48, k: 64, count: 16, input: 'norm' },
  { format: 'f32', output: 'store', tile: 16, n: 6, k: 7, count: 1, unrolled: true },
  { format: 'q4', output: 'store', tile: 32, n: 45, k: 96, count: 5, input: 'keep' },
  { format: 'q8', output: 'add', tile: 8, n: 45, k: 96, count: 5, input: 'sandwich', rows: 'logits' },
]

describe('against the twin', () => {
  it.each(named(cases as Case[]))('%s', async (_, one) => {
    const { words, wanted, next } = await run(one)
    expectWanted(words, wanted)
    if (next) expectWanted(next.words, next.wanted)
  })
  it('dense weights as the own f16 of the GPU', async ({ skip }) => {
    if (!bench.gpu.info.f16) skip()
    const { words, wanted } = await run({ format: 'f16', f16: true, output: 'store', tile: 16, n: 42, k: 40, count: 9, input: 'norm' })
    expectWanted(words, wanted)
  })
})

it('no rows: nothing is written', async () => {
  const { words, wanted } = await run({ format: 'q4', output: 'store', tile: 8, n: 42, k: 40, count: 0 })
  expectWanted(words, wanted)
})

it('a row has the same bits in tiles of 8, 16 and 32', async () => {
  const results = []
  for (const tile of [8, 16, 32]) {
    const { words } = await run({ format: 'q4', output: 'swiglu', tile, n: 130, k: 290, count: 35, input: 'norm' })
    results.push(Array.from(words))
  }
  for (const result of results) expect(result).toEqual(results[0])
})
