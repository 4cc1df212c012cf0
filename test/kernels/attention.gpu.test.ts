// Paged attention against its twin: grouped heads, head sizes, page borders, several sequences, pages in any order.
import { afterEach, beforeAll, expect, it } from 'vitest'
import { attention } from '../../src/kernels/attention.ts'
import { halfBits, roundHalf, attention as twin } from '../reference.ts'
import { Bench, expectWanted, numbers, POISON, untouched } from './run.ts'

let bench: Bench
beforeAll(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clear())

interface Case {
  heads: number
  kvHeads: number
  headDim: number
  kv: 'f32' | 'f16'
  /** Rows as [slot, position]. */
  rows: [number, number][]
  rolled?: boolean
  /** Size of queries and keys: large ones make the softmax sharp and the running maximum jump. */
  scale?: number
}

const shape = { rows: 10, logits: 1, slots: 3, pages: 4, ring: 1 }
/** Pages of each slot: out of order, and slot 1 owns none. */
const pages = [[5, 2, 7, 0], [], [3, 6, 1, 4]]
const borders: [number, number][] = [
  [0, 0],
  [2, 1],
  [0, 63],
  [2, 64],
  [0, 65],
  [0, 200],
  [2, 200],
]

async function check({ heads, kvHeads, headDim, kv, rows: list, rolled = true, scale = 1 }: Case): Promise<void> {
  const random = numbers(heads * 1000 + headDim)
  const stride = heads * headDim + 4
  const longest = shape.pages * 64
  const store = kv === 'f16' ? roundHalf : (value: number) => value
  // Every page is poison but for the positions a sequence has reached.
  const size = 8 * 2 * kvHeads * 64 * headDim
  const words = new Uint32Array(kv === 'f16' ? size / 2 : size).fill(POISON)
  const floats = new Float32Array(words.buffer)
  const halves = new Uint16Array(words.buffer)
  const put = (index: number, value: number) => {
    if (kv === 'f16') halves[index] = halfBits(value)
    else floats[index] = value
  }
  const sequences = pages.map((own, slot) => {
    const reached = Math.max(-1, ...list.filter((row) => row[0] === slot).map((row) => row[1])) + 1
    const keys = random.array(longest * kvHeads * headDim, scale).map(store)
    const values = random.array(longest * kvHeads * headDim).map(store)
    for (let position = 0; position < reached; position++) {
      for (let head = 0; head < kvHeads; head++) {
        for (let dim = 0; dim < headDim; dim++) {
          const from = (position * kvHeads + head) * headDim + dim
          const at = (which: number) => (((own[position >> 6]! * 2 + which) * kvHeads + head) * 64 + (position % 64)) * headDim + dim
          put(at(0), keys[from]!)
          put(at(1), values[from]!)
        }
      }
    }
    return { keys, values }
  })
  const rows = bench.rows(shape)
  rows.write(
    list.map(([slot, position]) => ({ token: 0, position, slot })),
    [],
  )
  for (const [slot, own] of pages.entries()) rows.writePages(slot, own)
  const x = new Float32Array(shape.rows * stride).fill(Number.NaN)
  const wanted = untouched(shape.rows * stride)
  list.forEach(([slot, position], row) => {
    const query = random.array(heads * headDim, scale)
    x.set(query, row * stride)
    const { keys, values } = sequences[slot]!
    const seen = (position + 1) * kvHeads * headDim
    const shapeOf = { heads, kvHeads, headDim }
    wanted.values.set(twin(query, keys.subarray(0, seen), values.subarray(0, seen), shapeOf), row * stride)
    // A score's rounding error grows with the score, and turns into a relative error of every weight.
    const sizes = twin(query, keys.subarray(0, seen), values.subarray(0, seen).map(Math.abs), shapeOf)
    const relative = 2e-6 + 1e-6 * scale * scale * Math.sqrt(headDim)
    wanted.bounds.set(
      sizes.map((value) => value * relative),
      row * stride,
    )
  })
  const y = bench.poisoned('y', shape.rows * stride)
  const kernel = attention({ heads, kvHeads, headDim, stride, kv, shape, rolled })
  await bench.run(kernel, { x: bench.buffer('x', x), y, rows: rows.buffer, kv: bench.buffer('kv', words) }, [heads, shape.rows])
  expectWanted(await bench.words(y), wanted)
}

const cases: Case[] = [
  { heads: 4, kvHeads: 4, headDim: 4, kv: 'f32', rows: borders },
  { heads: 4, kvHeads: 2, headDim: 16, kv: 'f32', rows: borders },
  { heads: 8, kvHeads: 1, headDim: 8, kv: 'f16', rows: borders },
  { heads: 16, kvHeads: 2, headDim: 12, kv: 'f32', rows: borders },
  { heads: 2, kvHeads: 2, headDim: 64, kv: 'f16', rows: borders },
  { heads: 2, kvHeads: 1, headDim: 128, kv: 'f32', rows: borders },
  { heads: 2, kvHeads: 1, headDim: 128, kv: 'f16', rows: borders },
  { heads: 1, kvHeads: 1, headDim: 256, kv: 'f32', rows: [[0, 65]] },
  { heads: 4, kvHeads: 2, headDim: 32, kv: 'f32', rows: borders, scale: 4 },
  {
    heads: 4,
    kvHeads: 2,
    headDim: 16,
    kv: 'f32',
    rows: [
      [0, 126],
      [0, 127],
      [0, 128],
      [2, 255],
      [0, 129],
    ],
  }, // a chunk of prompt beside a decoding row
  { heads: 2, kvHeads: 1, headDim: 16, kv: 'f32', rows: [[2, 65]], rolled: false },
  { heads: 2, kvHeads: 1, headDim: 16, kv: 'f16', rows: [[2, 65]], rolled: false },
]

const named = cases.map(
  (one) =>
    [
      `${one.heads} heads on ${one.kvHeads}, ${one.headDim} dims, ${one.kv}, ${one.rolled === false ? 'unrolled' : 'rolled'}, ${one.rows.length} rows, scale ${one.scale ?? 1}`,
      one,
    ] as const,
)
it.each(named)('%s', (_, one) => check(one))

it('is the same for a row whatever rows stand beside it', async () => {
  const options = { heads: 4, kvHeads: 2, headDim: 16, stride: 64, kv: 'f32' as const, shape, rolled: true }
  const random = numbers(5)
  const kv = bench.buffer('kv', Float32Array.from(random.array(8 * 2 * 2 * 64 * 16)))
  const query = random.array(64)
  const results: number[][] = []
  for (const count of [1, 3]) {
    const rows = bench.rows(shape)
    rows.write(
      Array.from({ length: count }, (_, index) => ({ token: 0, position: index === count - 1 ? 70 : 9, slot: index % 2 === 0 ? 2 : 0 })),
      [],
    )
    for (const [slot, own] of pages.entries()) rows.writePages(slot, own)
    const x = bench.buffer(
      'x',
      Float32Array.from({ length: shape.rows * 64 }, (_, index) => query[index % 64]!),
    )
    const y = bench.poisoned('y', shape.rows * 64)
    await bench.run(attention(options), { x, y, rows: rows.buffer, kv }, [4, shape.rows])
    results.push(Array.from((await bench.words(y)).subarray((count - 1) * 64, count * 64)))
  }
  expect(results[0]).toEqual(results[1])
})
