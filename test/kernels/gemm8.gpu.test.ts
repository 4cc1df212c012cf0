// pack8 and gemm8 together against the twin, which rounds as pack8 does, and the promise that no way to share the work changes a bit.
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Slot } from '../../src/gpu/pipeline.ts'
import { gemm8 } from '../../src/kernels/gemm8.ts'
import type { LinearOptions } from '../../src/kernels/linear.ts'
import { outputsOf } from '../../src/kernels/matmul.ts'
import { pack8, packedWords } from '../../src/kernels/pack8.ts'
import { type Case, named, round8, run as runOn } from './linear.ts'
import { Bench, expectWanted } from './run.ts'

let bench: Bench
beforeAll(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clear())

async function before(options: LinearOptions, buffers: Partial<Record<Slot, GPUBuffer>>): Promise<GPUBuffer> {
  const { matrix, shape } = options
  const y = bench.poisoned('packed', packedWords(shape.rows, matrix.groups))
  const { input, rows, rolled } = options
  if (input === 'packed') throw new Error('Nothing packs what is packed.')
  await bench.run(pack8({ groups: matrix.groups, input, rows, shape, rolled }), { ...buffers, y }, [1, shape.rows])
  return y
}

/** `threads` stands for the weight rows of a workgroup, `stripes` is 1. */
const run = ({ across, ...one }: Packed) =>
  runOn(bench, {
    make: (options) => gemm8({ ...options, out: outputsOf(options), across }),
    one: { ...one, lanes: 1 },
    rounded: round8,
    before,
  })

type Packed = Omit<Case, 'lanes'> & { across: number }

const cases: Packed[] = [
  { format: 'q4', coding: { group: 64, centred: true }, output: 'store', tile: 8, across: 8, n: 77, k: 320, count: 9, input: 'norm' },
  { format: 'q4', output: 'store', tile: 8, across: 4, n: 42, k: 40, count: 9 },
  { format: 'q4', output: 'swiglu', tile: 16, across: 16, n: 130, k: 290, count: 37, input: 'norm' },
  { format: 'q8', output: 'add', tile: 32, across: 8, n: 77, k: 1000, count: 33 },
  { format: 'q8', output: 'store', tile: 4, across: 16, n: 303, k: 70, count: 11, rows: 'logits', input: 'norm', cuts: [152] },
  { format: 'q8', output: 'swiglu', tile: 16, across: 8, threads: 128, n: 48, k: 64, count: 16, input: 'norm' },
  { format: 'q4', output: 'store', tile: 16, across: 4, threads: 32, n: 6, k: 7, count: 1 },
  { format: 'q4', output: 'store', tile: 32, across: 16, n: 45, k: 96, count: 5, input: 'keep', cuts: [24] },
  { format: 'q8', output: 'add', tile: 8, across: 8, n: 45, k: 96, count: 5, input: 'sandwich', rows: 'logits' },
]

describe('against the twin', () => {
  it.each(named(cases as never))('%s', async (_, one) => {
    const { words, wanted, next } = await run(one as never)
    expectWanted(words, wanted)
    if (next) expectWanted(next.words, next.wanted)
  })
})

it('no rows: nothing is written', async () => {
  const { words, wanted } = await run({ format: 'q4', output: 'store', tile: 8, across: 4, n: 42, k: 40, count: 0 })
  expectWanted(words, wanted)
})

it('a row has the same bits however the work is shared', async () => {
  const results = []
  for (const [tile, threads, across] of [
    [8, 64, 4],
    [16, 32, 8],
    [32, 128, 16],
  ] as const) {
    const { words } = await run({ format: 'q4', output: 'swiglu', tile, threads, across, n: 130, k: 290, count: 35, input: 'norm' })
    results.push(Array.from(words))
  }
  for (const result of results) expect(result).toEqual(results[0])
})
