// The matmul that makes queries, keys and values: bias, partial rotary embedding, and the right place in the right page.
import { afterEach, beforeAll, expect, it } from 'vitest'
import { dot8 } from '../../src/kernels/dot8.ts'
import { linearGroups } from '../../src/kernels/linear.ts'
import { matmul, outputsOf } from '../../src/kernels/matmul.ts'
import type { Format } from '../../src/kernels/matrix.ts'
import { rmsNorm, rope, ropeTable, matmul as twin } from '../reference.ts'
import { round8 } from './linear.ts'
import { Bench, expectWanted, numbers, POISON, untouched } from './run.ts'

let bench: Bench
beforeAll(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clear())

interface Case {
  format: Format
  kv: 'f32' | 'f16' | 'q8'
  bias: boolean
  heads: number
  kvHeads: number
  headDim: number
  partial: number
  tile: number
  lanes: number
  dot8?: boolean
  cuts?: number[]
}

const shape = { rows: 12, logits: 1, slots: 3, pages: 4, ring: 1 }
const pages = [[5, 2, 7, 0], [], [3, 6, 1, 4]]
const list: [slot: number, position: number][] = [
  [0, 0],
  [0, 1],
  [2, 62],
  [2, 63],
  [2, 64],
  [0, 65],
  [0, 63],
  [0, 200],
  [2, 255],
]
/** Lines of the rope table: not the positions everywhere. */
const turns = list.map(([slot, position], row) => (slot === 0 ? position : (position * 3 + row) % 256))
const eps = 1.5625e-7

async function check({ format, kv, bias, heads, kvHeads, headDim, partial, tile, lanes, dot8: rounding, cuts }: Case): Promise<void> {
  const k = 70
  const random = numbers(headDim * 10 + heads)
  const n = (heads + 2 * kvHeads) * headDim
  const { matrix, stored } = bench.matrix(format, random.array(n * k), n, k, cuts)
  const width = matrix.groups * 32
  const gamma = random.array(k)
  const biases = bias ? random.array(n, 5) : undefined
  const lines = random.array(list.length * k)
  const x = new Float32Array(shape.rows * width).fill(Number.NaN)
  list.forEach((_, row) => {
    x.fill(0, row * width, (row + 1) * width)
    x.set(lines.subarray(row * k, (row + 1) * k), row * width)
  })
  const aux = new Float32Array(4 + width + n)
  aux.set(gamma, 4)
  if (biases) aux.set(biases, 4 + width)
  const rows = bench.rows(shape)
  rows.write(
    list.map(([slot, position], row) => ({ token: 0, position, slot, turn: turns[row]! })),
    [],
  )
  for (const [slot, own] of pages.entries()) rows.writePages(slot, own)
  const rotary = headDim * partial
  const config = { rotaryDims: rotary, theta: 10000 }
  const every = ropeTable(
    config,
    Array.from({ length: 256 }, (_, position) => position),
  )
  const angles = new Float32Array(256 * rotary)
  for (const [index, cos] of every.cos.entries()) angles.set([cos, every.sin[index]!], index * 2)

  const normed = rounding ? round8(rmsNorm(lines, gamma, eps), k) : rmsNorm(lines, gamma, eps)
  const projected = twin(stored, normed, k, biases)
  const sizes = twin(stored.map(Math.abs), normed.map(Math.abs), k, biases?.map(Math.abs))
  const { cos, sin } = ropeTable(config, turns)
  const turned = rope(projected, cos, sin, { heads: heads + 2 * kvHeads, headDim })

  const stride = heads * headDim + 6
  const wanted = untouched(shape.rows * stride)
  const cache = untouched(8 * 2 * kvHeads * 64 * headDim)
  list.forEach(([slot, position], row) => {
    for (let at = 0; at < n; at++) {
      const head = Math.floor(at / headDim)
      const from = row * n + at
      const size = Math.max(sizes[from]!, sizes[from ^ 1]!) * 2
      if (head < heads) {
        wanted.values[row * stride + at] = turned[from]!
        wanted.bounds[row * stride + at] = 3e-6 * size
        continue
      }
      const isValue = head >= heads + kvHeads
      const kvHead = (head - heads) % kvHeads
      const page = pages[slot]![position >> 6]!
      const index = (((page * 2 + (isValue ? 1 : 0)) * kvHeads + kvHead) * 64 + (position % 64)) * headDim + (at % headDim)
      const value = (isValue ? projected : turned)[from]!
      cache.values[index] = value
      cache.bounds[index] = 3e-6 * size + (kv === 'f16' ? 2e-3 * Math.abs(value) + 1e-6 : 0)
    }
  })
  const y = bench.poisoned('y', wanted.values.length)
  const codes = cache.values.length / { f32: 1, f16: 2, q8: 4 }[kv]
  const kvBuffer = bench.poisoned('kv', codes + (kv === 'q8' ? cache.values.length / 32 : 0))
  const buffers = {
    x: bench.buffer('x', x),
    y,
    aux: bench.buffer('aux', aux),
    rope: bench.buffer('rope', angles),
    rows: rows.buffer,
    kv: kvBuffer,
  }
  for (const part of matrix.parts) {
    const how = { threads: 64, lanes, stripes: 1 }
    const kernel = (rounding ? dot8 : matmul)({
      matrix,
      part,
      tile,
      ...how,
      input: { width: k, eps, gamma: 4 },
      rows: 'all',
      output: { kind: 'qkv', stride, heads, kvHeads, headDim, rotary, kv, pages: 8, ...(bias ? { bias: 4 + width } : {}) },
      shape,
      f16: false,
      rolled: true,
    })
    await bench.run(kernel, { ...buffers, weights: part.buffer }, linearGroups(part, shape.rows, tile, outputsOf(how)))
  }
  expectWanted(await bench.words(y), wanted)
  const words = await bench.words(kvBuffer)
  if (kv === 'q8') expectCodes(words, cache, codes)
  else expectWanted(words, cache, kv)
}

/** Codes of 8 bits and their scales, as the values they stand for: within half a step, and untouched wherever nothing was to be written. */
function expectCodes(words: Uint32Array, { values, bounds }: ReturnType<typeof untouched>, codes: number): void {
  const bytes = new Int8Array(words.buffer)
  const scales = new Float32Array(words.buffer, codes * 4)
  const wrong: string[] = []
  for (let group = 0; group * 32 < values.length; group++) {
    const own = values.subarray(group * 32, (group + 1) * 32)
    const scale = Math.max(...own.map(Math.abs)) / 127
    if (Number.isNaN(scale)) {
      if (words[codes + group] !== POISON || words[group * 8] !== POISON) wrong.push(`group ${group} was written`)
      continue
    }
    for (const [index, value] of own.entries()) {
      const error = Math.abs(bytes[group * 32 + index]! * scales[group]! - value)
      if (error > scale / 2 + 2 * bounds[group * 32 + index]!) wrong.push(`${group}:${index} is off by ${error}, a step is ${scale}`)
    }
    if (Math.max(...bytes.subarray(group * 32, group * 32 + 32).map(Math.abs)) !== 127) wrong.push(`group ${group} does not use its range`)
  }
  expect(wrong.slice(0, 8), `${wrong.length} of ${values.length} are wrong`).toEqual([])
}

const cases: Case[] = [
  { format: 'q4', kv: 'q8', bias: true, heads: 4, kvHeads: 2, headDim: 32, partial: 0.5, tile: 4, lanes: 2 },
  { format: 'f16', kv: 'q8', bias: false, heads: 2, kvHeads: 1, headDim: 64, partial: 1, tile: 1, lanes: 1, cuts: [64, 160] },
  { format: 'q8', kv: 'q8', bias: true, heads: 2, kvHeads: 2, headDim: 32, partial: 1, tile: 8, lanes: 1, dot8: true },
  { format: 'q4', kv: 'f16', bias: true, heads: 2, kvHeads: 1, headDim: 64, partial: 1, tile: 1, lanes: 2, dot8: true },
  { format: 'f32', kv: 'f32', bias: false, heads: 4, kvHeads: 4, headDim: 8, partial: 1, tile: 1, lanes: 1 },
  { format: 'q4', kv: 'f32', bias: true, heads: 4, kvHeads: 2, headDim: 16, partial: 0.5, tile: 4, lanes: 8 },
  { format: 'q8', kv: 'f16', bias: true, heads: 8, kvHeads: 1, headDim: 4, partial: 0.5, tile: 8, lanes: 4 },
  { format: 'f16', kv: 'f16', bias: false, heads: 2, kvHeads: 2, headDim: 64, partial: 0.5, tile: 4, lanes: 2 },
  { format: 'q4', kv: 'f16', bias: true, heads: 2, kvHeads: 1, headDim: 128, partial: 1, tile: 8, lanes: 8 },
  { format: 'q8', kv: 'f32', bias: true, heads: 3, kvHeads: 1, headDim: 12, partial: 1, tile: 4, lanes: 2, cuts: [16, 40] },
]
const named = cases.map(
  (one) =>
    [
      `${one.format}, kv ${one.kv}, ${one.bias ? 'bias' : 'no bias'}, ${one.heads} heads on ${one.kvHeads} of ${one.headDim}, rotary ${one.partial}, tile ${one.tile}${one.dot8 ? ', 8-bit activations' : ''}`,
      one,
    ] as const,
)
it.each(named)('%s', async (_, one) => {
  await check(one)
  expect.assertions(2)
})
