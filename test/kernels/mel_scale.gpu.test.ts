// Whisper's clamp and scale, and standardised values, against their twins.
import { afterEach, beforeAll, expect, it } from 'vitest'
import { melRows } from '../../src/kernels/mel.ts'
import { melScale, melScaleGroups } from '../../src/kernels/mel_scale.ts'
import { standard, total, whisper } from '../reference/mel.ts'
import { Bench, expectWanted, numbers, POISON, untouched } from './run.ts'

let bench: Bench
beforeAll(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clear())

interface Case {
  name: string
  mels: number
  clips: number
  span: number
  how: 'whisper' | 'meanvar'
  heard?: number
  groups?: number
}

async function run({ mels, clips, span, how, heard = -10, groups }: Case) {
  const size = mels * span
  const values = numbers(size).array(clips * size, 3)
  const words = new Uint32Array(clips * size + 64).fill(POISON)
  new Float32Array(words.buffer).set(values)
  const totals = new Float32Array(clips * 3)
  const wanted = untouched(clips * size + 64)
  for (let clip = 0; clip < clips; clip++) {
    const own = values.subarray(clip * size, (clip + 1) * size)
    const { largest, mean, factor } = total(own)
    totals.set([largest, mean, factor], clip * 3)
    wanted.values.set(how === 'whisper' ? whisper(own, heard) : standard(own), clip * size)
    wanted.bounds.fill(4e-6, clip * size, (clip + 1) * size)
  }
  const y = bench.buffer('y', words)
  const rows = bench.buffer('rows', melRows({ span, length: 1, count: 1, heard }, 0, span))
  const [across, down] = melScaleGroups(mels, span, clips)
  await bench.run(melScale(mels, how === 'whisper'), { x: bench.buffer('x', totals), y, rows }, [groups ?? across, down])
  return { words: await bench.words(y), wanted }
}

const cases: Case[] = [
  { name: 'one frame', mels: 80, clips: 1, span: 1, how: 'whisper' },
  { name: 'clips of their own', mels: 128, clips: 3, span: 9, how: 'whisper' },
  { name: 'louder before', mels: 80, clips: 2, span: 5, how: 'whisper', heard: 14 },
  { name: 'standardised', mels: 128, clips: 2, span: 13, how: 'meanvar' },
  { name: 'fewer workgroups than values', mels: 80, clips: 2, span: 33, how: 'meanvar', groups: 2 },
]

it.each(cases)('$name: $mels mels, $clips clips of $span frames, $how', async (one) => {
  const { words, wanted } = await run(one)
  expectWanted(words, wanted)
})

it('what was heard before counts', async () => {
  const { words } = await run(cases[2]!)
  const { wanted } = await run({ ...cases[2]!, heard: -10 })
  expect(() => expectWanted(words, wanted)).toThrow('are wrong')
})
