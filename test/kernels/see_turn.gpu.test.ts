// Queries and keys of patches, normed and turned, against their twins.
import { afterEach, beforeAll, expect, it } from 'vitest'
import { seeTurn, seeTurnGroups, turnTable } from '../../src/kernels/see_turn.ts'
import { placesOf, ropeHalves, ropeTable2d } from '../reference/vision.ts'
import { rmsNorm } from '../reference.ts'
import { Bench, expectWanted, numbers, POISON, untouched } from './run.ts'

let bench: Bench
beforeAll(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clear())

interface Case {
  heads: number
  headDim: number
  grid: [number, number, number]
  norm?: boolean
  before?: number
}

async function run({ heads, headDim, grid, norm = false, before = 0 }: Case) {
  const width = heads * headDim
  const stride = Math.ceil(width / 32) * 32
  const patches = grid[0] * grid[1] * grid[2]
  const count = patches - before
  const { array } = numbers(width + patches)
  const [qGamma, kGamma] = [array(headDim), array(headDim)]
  const table = ropeTable2d(placesOf([grid], 2).slice(before), headDim)
  const side = (gamma: Float64Array) => {
    const lines = array(count * width, 2)
    const words = new Uint32Array((count + 2) * stride).fill(POISON)
    const turned = ropeHalves(norm ? rmsNorm(lines, gamma, 1e-5) : lines, table, heads, headDim)
    const wanted = untouched(words.length)
    for (let row = 0; row < count; row++) {
      new Float32Array(words.buffer).set(lines.subarray(row * width, (row + 1) * width), row * stride)
      wanted.values.set(turned.subarray(row * width, (row + 1) * width), row * stride)
      wanted.bounds.fill(6e-6, row * stride, row * stride + width)
    }
    return { buffer: bench.buffer('side', words), wanted }
  }
  const [q, k] = [side(qGamma), side(kGamma)]
  const aux = new Float32Array(8 + 2 * headDim).fill(3)
  aux.set(qGamma, 8)
  aux.set(kGamma, 8 + headDim)
  await bench.run(
    seeTurn({ heads, headDim, merge: 2, ...(norm ? { norm: { q: 8, k: 8 + headDim, eps: 1e-5 } } : {}), rolled: true }),
    {
      y: q.buffer,
      next: k.buffer,
      aux: bench.buffer('aux', aux),
      rope: bench.buffer('turns', turnTable(headDim, Math.max(grid[1], grid[2]))),
      rows: bench.buffer('rows', Uint32Array.of(count, POISON, 0, before, grid[1] * grid[2], grid[2], grid[1])),
    },
    seeTurnGroups({ heads }, count + 2),
  )
  return [
    { words: await bench.words(q.buffer), wanted: q.wanted },
    { words: await bench.words(k.buffer), wanted: k.wanted },
  ] as const
}

const cases: Case[] = [
  { heads: 3, headDim: 16, grid: [1, 4, 6] },
  { heads: 2, headDim: 128, grid: [1, 2, 40] },
  { heads: 5, headDim: 64, grid: [2, 6, 2], norm: true, before: 7 },
  { heads: 1, headDim: 32, grid: [3, 2, 4], norm: true },
]

it.each(cases)('$heads heads of $headDim, grid $grid', async (one) => {
  for (const { words, wanted } of await run(one)) expectWanted(words, wanted)
})

it('rows and columns turn differently', async () => {
  const [{ words }] = await run({ heads: 3, headDim: 16, grid: [1, 4, 6] })
  const [{ wanted }] = await run({ heads: 3, headDim: 16, grid: [1, 6, 4] })
  expect(() => expectWanted(words, wanted)).toThrow('are wrong')
})
