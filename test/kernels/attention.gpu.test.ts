// Paged attention against its twin: grouped heads, head sizes, page borders, formats, several sequences, pages in any order, rows alone and in tiles.
import { afterEach, beforeAll, expect, it } from 'vitest'
import { type AttentionOptions, attention } from '../../src/kernels/attention.ts'
import type { KvFormat } from '../../src/kernels/linear.ts'
import { attention as twin } from '../reference.ts'
import { type At, attend, pool, sequence } from './attended.ts'
import { Bench, expectWanted, numbers, untouched } from './run.ts'

let bench: Bench
beforeAll(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clear())

interface Case {
  heads: number
  kvHeads: number
  headDim: number
  kv: KvFormat
  rows: readonly At[]
  tile?: number
  rolled?: boolean
  /** Size of queries and keys: large ones make the softmax sharp and the running maximum jump. */
  scale?: number
}

const shape = { rows: 20, logits: 1, slots: 3, pages: 4, ring: 1 }
/** Pages of each slot: out of order, and slot 1 owns none. */
const lists = [[5, 2, 7, 0], [], [3, 6, 1, 4]]
const borders: At[] = [
  [0, 0],
  [2, 1],
  [0, 63],
  [2, 64],
  [0, 65],
  [0, 200],
  [2, 200],
]
/** Rows of one prompt; never as many as a multiple of the tile, nor as the pass could hold. */
const prompt = (from: number, count: number): At[] => Array.from({ length: count }, (_, index) => [2, from + index])

async function check({ heads, kvHeads, headDim, kv, rows: list, tile = 1, rolled = true, scale = 1 }: Case): Promise<void> {
  const random = numbers(heads * 1000 + headDim)
  const poolShape = { kvHeads, headDim, kv, pages: 8 }
  const width = heads * headDim
  const strides = { stride: width + 12, offset: 8, outStride: width + 8, outOffset: 4 }
  const options: AttentionOptions = { heads, kvHeads, headDim, ...strides, kv, pages: 8, tile, split: false, shape, rolled }
  const sequences = lists.map((_, slot) => {
    const reached = Math.max(-1, ...list.filter((row) => row[0] === slot).map((row) => row[1])) + 1
    return sequence(random, poolShape, reached, scale)
  })
  const x = new Float32Array(shape.rows * strides.stride).fill(Number.NaN)
  const wanted = untouched(shape.rows * strides.outStride)
  list.forEach(([slot, position], row) => {
    const query = random.array(width, scale)
    x.set(query, row * strides.stride + strides.offset)
    const seen = (position + 1) * kvHeads * headDim
    const keys = sequences[slot]!.keys.subarray(0, seen)
    const values = sequences[slot]!.values.subarray(0, seen)
    const at = row * strides.outStride + strides.outOffset
    wanted.values.set(twin(query, keys, values, options), at)
    // A score's rounding error grows with the score, and turns into a relative error of every weight.
    const relative = 2e-6 + 1e-6 * scale * scale * Math.sqrt(headDim)
    const sizes = twin(query, keys, values.map(Math.abs), options)
    wanted.bounds.set(
      sizes.map((value) => value * relative),
      at,
    )
  })
  const kvWords = pool(poolShape, sequences, lists)
  expectWanted(await attend(bench, { options, capacity: shape.rows, list, lists, kv: kvWords, x }), wanted)
}

const cases: Case[] = [
  { heads: 4, kvHeads: 2, headDim: 16, kv: 'f32', rows: borders },
  { heads: 8, kvHeads: 1, headDim: 4, kv: 'f16', rows: borders },
  { heads: 16, kvHeads: 2, headDim: 12, kv: 'f32', rows: borders },
  { heads: 6, kvHeads: 2, headDim: 64, kv: 'f16', rows: borders },
  { heads: 2, kvHeads: 1, headDim: 128, kv: 'f16', rows: borders },
  { heads: 1, kvHeads: 1, headDim: 256, kv: 'f32', rows: [[0, 65]] },
  { heads: 4, kvHeads: 2, headDim: 32, kv: 'f32', rows: borders, scale: 4 },
  { heads: 4, kvHeads: 1, headDim: 32, kv: 'q8', rows: borders },
  { heads: 4, kvHeads: 2, headDim: 96, kv: 'q8', rows: borders, scale: 2 },
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
  { heads: 7, kvHeads: 1, headDim: 12, kv: 'f16', rows: borders, rolled: false },
  { heads: 4, kvHeads: 2, headDim: 16, kv: 'f32', rows: prompt(0, 13), tile: 8 },
  { heads: 4, kvHeads: 2, headDim: 64, kv: 'f16', rows: prompt(57, 19), tile: 8 },
  { heads: 2, kvHeads: 1, headDim: 32, kv: 'q8', rows: prompt(120, 17), tile: 8 },
  { heads: 3, kvHeads: 1, headDim: 12, kv: 'f32', rows: prompt(60, 7), tile: 4 },
  { heads: 2, kvHeads: 2, headDim: 16, kv: 'f32', rows: prompt(127, 1), tile: 8, scale: 4 },
  { heads: 4, kvHeads: 2, headDim: 16, kv: 'f16', rows: prompt(61, 10), tile: 8, rolled: false },
]

const named = cases.map((one) => {
  const { heads, kvHeads, headDim, kv, rows, tile = 1, rolled = true, scale = 1 } = one
  const loops = rolled ? 'rolled' : 'unrolled'
  return [`${heads} heads on ${kvHeads}, ${headDim} dims, ${kv}, ${loops}, ${rows.length} rows by ${tile}, scale ${scale}`, one] as const
})
it.each(named)('%s', (_, one) => check(one))

it.each([192, 256])('keeps workgroup memory within what every GPU has at %s dims', async (headDim) => {
  const kernel = attention({
    heads: 2,
    kvHeads: 1,
    headDim,
    stride: 2 * headDim,
    kv: 'f32',
    pages: 8,
    tile: 8,
    split: true,
    shape,
    rolled: false,
  })
  await expect(bench.compile(kernel)).resolves.toBeDefined()
})
