// Positions sampled from a table against their twin, for grids smaller and larger than the table, in chunks that begin anywhere in a batch.
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { positionTaps, seePositions } from '../../src/kernels/see_positions.ts'
import { interpolated, placesOf } from '../reference/vision.ts'
import { Bench, expectWanted, numbers, POISON, untouched } from './run.ts'

let bench: Bench
beforeAll(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clear())

interface Case {
  side: number
  height: number
  width: number
  steps: number
  hidden: number
  /** Rows of the batch before and behind this chunk. */
  before?: number
  behind?: number
}

async function run({ side, height, width, steps, hidden, before = 0, behind = 0 }: Case) {
  const stride = Math.ceil(hidden / 32) * 32
  const { array } = numbers(side + height * width)
  const table = array(side * side * hidden)
  const patches = steps * height * width
  const count = patches - before - behind
  const h = array(patches * hidden)
  const places = placesOf([[steps, height, width]], 2)
  const sampled = interpolated(table, hidden, places)
  const y = new Float32Array(new Uint32Array((count + 2) * stride).fill(POISON).buffer)
  const wanted = untouched(y.length)
  for (let row = 0; row < count; row++) {
    for (let i = 0; i < hidden; i++) {
      const from = (before + row) * hidden + i
      y[row * stride + i] = h[from]!
      wanted.values[row * stride + i] = h[from]! + sampled[from]!
      wanted.bounds[row * stride + i] = 4e-6
    }
  }
  const words = new Uint32Array(y.buffer)
  for (let i = 0; i < words.length; i++) if (Number.isNaN(wanted.values[i]!)) words[i] = POISON
  const buffer = bench.buffer('y', words)
  await bench.run(
    seePositions({ width: hidden, side, merge: 2, rolled: true }),
    {
      x: bench.buffer('table', new Float32Array(table)),
      y: buffer,
      rope: bench.buffer('taps', positionTaps(side, height, width)),
      rows: bench.buffer('rows', Uint32Array.of(count, POISON, 0, before, height * width, width, height)),
    },
    [1, count + 2],
  )
  return { words: await bench.words(buffer), wanted }
}

const cases: Case[] = [
  { side: 24, height: 10, width: 6, steps: 1, hidden: 36 },
  { side: 3, height: 8, width: 14, steps: 1, hidden: 300 },
  { side: 5, height: 2, width: 2, steps: 4, hidden: 4 },
  { side: 8, height: 4, width: 6, steps: 3, hidden: 64, before: 13, behind: 21 },
]

describe('against the twin', () => {
  it.each(cases)('table of $side, $steps x $height x $width, width $hidden', async (one) => {
    const { words, wanted } = await run(one)
    expectWanted(words, wanted)
  })
})

it('a grid as large as the table is the table', async () => {
  const taps = positionTaps(48, 48, 48)
  for (let i = 0; i < 96; i++) {
    const weights = Array.from(taps.subarray(i * 8 + 4, i * 8 + 8), Math.abs)
    expect(weights).toEqual([0, 1, 0, 0])
    expect(taps[i * 8 + 1]).toBe(i % 48)
  }
})

it('rows and columns are not the same', async () => {
  const { words, wanted } = await run({ side: 5, height: 4, width: 6, steps: 1, hidden: 8 })
  const { wanted: other } = await run({ side: 5, height: 6, width: 4, steps: 1, hidden: 8 })
  expectWanted(words, wanted)
  expect(() => expectWanted(words, other)).toThrow('are wrong')
})
