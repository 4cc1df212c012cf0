// What the frames of clips come to, against the twin over all their values: one frame, fewer and more than a workgroup has threads.
import { afterEach, beforeAll, expect, it } from 'vitest'
import { melRows } from '../../src/kernels/mel.ts'
import { melTotal } from '../../src/kernels/mel_total.ts'
import { total } from '../reference/mel.ts'
import { Bench, expectWanted, numbers, untouched } from './run.ts'

let bench: Bench
beforeAll(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clear())

async function run(mels: number, clips: number, span: number, spread: number) {
  const { normal } = numbers(span + mels)
  const partials = new Float32Array(clips * span * 3 + 64).fill(Number.NaN)
  const wanted = untouched(clips * 3 + 16)
  for (let clip = 0; clip < clips; clip++) {
    const all: number[] = []
    for (let frame = 0; frame < span; frame++) {
      const own = Array.from({ length: mels }, () => -4 + spread * normal())
      const { largest, mean } = total(own)
      const squares = own.reduce((sum, value) => sum + (value - mean) ** 2, 0)
      partials.set([largest, mean, squares], (clip * span + frame) * 3)
      all.push(...own)
    }
    const { largest, mean, factor } = total(all)
    wanted.values.set([largest, mean, factor], clip * 3)
    // The mean of span frames is off by their roundings; a deviation near the floor feels that twice.
    wanted.bounds.set([1e-6, 3e-6, factor * 1e-5 + factor ** 3 * 1e-11], clip * 3)
  }
  const y = bench.poisoned('y', clips * 3 + 16)
  const rows = bench.buffer('rows', melRows({ span, length: 1, count: 1, heard: -10 }, 0, span))
  await bench.run(melTotal(mels), { x: bench.buffer('x', partials), y, rows }, [clips])
  return { words: await bench.words(y), wanted }
}

const cases: [mels: number, clips: number, span: number, spread: number][] = [
  [80, 1, 1, 1],
  [128, 3, 7, 2],
  [80, 2, 256, 1],
  [128, 1, 257, 1],
  [80, 2, 3000, 0.5],
  [128, 1, 100, 0],
]

it.each(cases)('%i mels, %i clips of %i frames, spread %d', async (mels, clips, span, spread) => {
  const { words, wanted } = await run(mels, clips, span, spread)
  expectWanted(words, wanted)
})

it('a frame that is left out is found', async () => {
  const { words, wanted } = await run(80, 1, 20, 1)
  wanted.values[1]! += 1e-3
  expect(() => expectWanted(words, wanted)).toThrow('are wrong')
})
