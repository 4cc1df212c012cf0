// Split attention and its merge against the twin: positions about the borders of stretches, several rows, sharp softmax.
import { afterEach, beforeAll, it } from 'vitest'
import type { KvFormat } from '../../src/kernels/linear.ts'
import { attention as twin } from '../reference.ts'
import { type At, attend, pool, sequence } from './attended.ts'
import { Bench, expectWanted, numbers, untouched } from './run.ts'

let bench: Bench
beforeAll(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clear())

const shape = { rows: 10, logits: 1, slots: 2, pages: 33, ring: 1 }
const lists = [Array.from({ length: 33 }, (_, index) => 39 - index), [0, 3, 1]]
const list: At[] = [
  [0, 2111],
  [1, 5],
  [0, 1023],
  [0, 1024],
  [0, 2047],
  [0, 2048],
]

const cases: [number, number, number, KvFormat, number][] = [
  [4, 1, 16, 'f32', 1],
  [6, 2, 12, 'f16', 3],
  [2, 2, 32, 'q8', 1],
]
it.each(cases)('%s heads on %s, %s dims, %s, scale %s', async (heads, kvHeads, headDim, kv, scale) => {
  const random = numbers(heads + headDim)
  const poolShape = { kvHeads, headDim, kv, pages: 40 }
  const width = heads * headDim
  const sequences = [sequence(random, poolShape, 2112, scale), sequence(random, poolShape, 6, scale)]
  const strides = { stride: width + 4, outStride: width + 8, outOffset: 4 }
  const options = { heads, kvHeads, headDim, ...strides, kv, pages: 40, tile: 1, split: true, shape, rolled: true }
  const x = new Float32Array(shape.rows * strides.stride).fill(Number.NaN)
  const wanted = untouched(shape.rows * strides.outStride)
  list.forEach(([slot, position], row) => {
    const query = random.array(width, scale)
    x.set(query, row * strides.stride)
    const seen = (position + 1) * kvHeads * headDim
    const keys = sequences[slot]!.keys.subarray(0, seen)
    const values = sequences[slot]!.values.subarray(0, seen)
    const at = row * strides.outStride + strides.outOffset
    wanted.values.set(twin(query, keys, values, options), at)
    const sizes = twin(query, keys, values.map(Math.abs), options)
    wanted.bounds.set(
      sizes.map((value) => value * (2e-6 + 1e-6 * scale * scale * Math.sqrt(headDim))),
      at,
    )
  })
  const kvWords = pool(poolShape, sequences, lists)
  expectWanted(await attend(bench, { options, capacity: shape.rows, list, lists, kv: kvWords, x }), wanted)
})
