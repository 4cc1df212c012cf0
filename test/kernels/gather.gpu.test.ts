// The gather against its twin: every value is moved, none is touched.
import { afterEach, beforeAll, expect, it } from 'vitest'
import { gather, gatherGroups } from '../../src/kernels/gather.ts'
import { gathered } from '../reference.ts'
import { Bench, expectWanted, numbers, POISON, untouched } from './run.ts'

let bench: Bench
beforeAll(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clear())

const shape = { rows: 6, logits: 1, slots: 1, pages: 1, ring: 1 }

/** A permutation of 0..length-1. */
function shuffled(length: number, seed: number): Uint32Array<ArrayBuffer> {
  const { uniform } = numbers(seed)
  const order = Uint32Array.from({ length }, (_, index) => index)
  for (let last = length - 1; last > 0; last--) {
    const other = Math.floor(uniform() * (last + 1))
    const [a, b] = [order[last]!, order[other]!]
    order[last] = b
    order[other] = a
  }
  return order
}

async function run(columns: number, count: number, order: Uint32Array<ArrayBuffer>) {
  const stride = Math.ceil(columns / 32) * 32
  const input = numbers(columns + count).array(count * columns)
  const x = new Float32Array(shape.rows * stride).fill(Number.NaN)
  for (let row = 0; row < count; row++) x.set(input.subarray(row * columns, (row + 1) * columns), row * stride)
  const rows = bench.rows(shape)
  rows.write(
    Array.from({ length: count }, (_, position) => ({ token: 0, position, slot: 0 })),
    [],
  )
  const y = bench.buffer('y', new Uint32Array(shape.rows * stride + 64).fill(POISON))
  const buffers = { x: bench.buffer('x', x), y, rows: rows.buffer, source: bench.buffer('order', order) }
  await bench.run(gather(columns), buffers, gatherGroups(columns, shape.rows))
  const wanted = untouched(shape.rows * stride + 64)
  for (let row = 0; row < count; row++) {
    wanted.values.fill(0, row * stride, (row + 1) * stride)
    wanted.values.set(gathered(input.subarray(row * columns, (row + 1) * columns), order), row * stride)
  }
  return { words: await bench.words(y), wanted }
}

const cases: [name: string, columns: number, count: number][] = [
  ['one group', 32, 4],
  ['narrower than a group', 5, 1],
  ['padding behind the columns', 100, 3],
  ['one past a workgroup', 65, 6],
  ['a real width', 13696, 2],
  ['no rows', 64, 0],
]

it.each(cases)('%s: %i columns, %i rows', async (_, columns, count) => {
  const { words, wanted } = await run(columns, count, shuffled(columns, columns))
  expectWanted(words, wanted)
})

it('two places may read one input', async () => {
  const { words, wanted } = await run(40, 2, new Uint32Array(40).fill(39))
  expectWanted(words, wanted)
})

it('another order gives other values', async () => {
  const order = shuffled(96, 1)
  const { words, wanted } = await run(96, 2, order)
  wanted.values.set(wanted.values.subarray(1, 9), 0)
  expect(() => expectWanted(words, wanted)).toThrow('are wrong')
})
