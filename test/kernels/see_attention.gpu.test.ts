// Full attention within steps against its twin: steps that do not fit a tile, heads of every size there is, places to begin at.
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { seeAttention, seeTiles } from '../../src/kernels/see_attention.ts'
import { attentionWithin } from '../reference/vision.ts'
import { Bench, expectWanted, numbers, POISON, untouched } from './run.ts'

let bench: Bench
beforeAll(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clear())

interface Case {
  heads: number
  headDim: number
  steps: number
  patches: number
  /** Of q: larger ones make one key count for nearly all. */
  scale?: number
  /** Tiles that are left out in front, and how many are asked for. */
  from?: number
  tiles?: number
}

async function run({ heads, headDim, steps, patches, scale = 1, from = 0, tiles }: Case) {
  const width = heads * headDim
  const stride = Math.ceil(width / 32) * 32
  const rows = steps * patches
  const { array } = numbers(width + rows)
  const [q, k, v] = [array(rows * width, scale), array(rows * width), array(rows * width)]
  const padded = (lines: Float64Array) => {
    const words = new Uint32Array((rows + 3) * stride).fill(POISON)
    const floats = new Float32Array(words.buffer)
    for (let row = 0; row < rows; row++) floats.set(lines.subarray(row * width, (row + 1) * width), row * stride)
    return bench.buffer('lines', words)
  }
  const all = seeTiles(steps, patches)
  const y = padded(q)
  await bench.run(
    seeAttention({ heads, headDim, rolled: true }),
    { y, x: padded(k), source: padded(v), rows: bench.buffer('rows', Uint32Array.of(all, POISON, 0, from, patches)) },
    [heads, tiles ?? all + 1],
  )
  const seen = attentionWithin(q, k, v, new Array<number>(steps).fill(patches), heads, headDim)
  const wanted = untouched((rows + 3) * stride)
  const each = seeTiles(1, patches)
  for (let row = 0; row < rows; row++) {
    const tile = Math.floor(row / patches) * each + Math.floor((row % patches) / 32)
    const done = tile >= from && tile < from + (tiles ?? all)
    const lines = done ? seen : q
    wanted.values.set(lines.subarray(row * width, (row + 1) * width), row * stride)
    wanted.bounds.fill(done ? 3e-6 * Math.max(1, scale) : 0, row * stride, row * stride + width)
  }
  return { words: await bench.words(y), wanted }
}

const cases: Case[] = [
  { heads: 3, headDim: 16, steps: 2, patches: 20 },
  { heads: 2, headDim: 24, steps: 1, patches: 64 },
  { heads: 2, headDim: 32, steps: 3, patches: 33, scale: 30 },
  { heads: 1, headDim: 64, steps: 1, patches: 100 },
  { heads: 2, headDim: 72, steps: 2, patches: 36 },
  { heads: 1, headDim: 128, steps: 1, patches: 68 },
  { heads: 1, headDim: 4, steps: 5, patches: 1 },
  { heads: 2, headDim: 16, steps: 3, patches: 70, from: 2, tiles: 4 },
]

describe('against the twin', () => {
  it.each(cases)('$heads heads of $headDim, $steps steps of $patches', async (one) => {
    const { words, wanted } = await run(one)
    expectWanted(words, wanted)
  })
})

it('a step does not see the next', async () => {
  const { words } = await run({ heads: 1, headDim: 16, steps: 2, patches: 20 })
  const { wanted } = await run({ heads: 1, headDim: 16, steps: 1, patches: 40 })
  expect(() => expectWanted(words, wanted)).toThrow('are wrong')
})
