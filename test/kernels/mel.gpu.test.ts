// Log-mel frames against their twin: tones, noise, silence, clips mirrored at both ends, and more sound asked for than given.
import { afterEach, beforeAll, expect, it } from 'vitest'
import { type MelShape, mel, melRows } from '../../src/kernels/mel.ts'
import { layout, melTables } from '../../src/media/mel_bank.ts'
import { logMel } from '../reference/mel.ts'
import { Bench, expectWanted, numbers, untouched } from './run.ts'

let bench: Bench
beforeAll(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clear())

const noise = numbers(5)
const sounds: Record<string, (i: number) => number> = {
  tone: (i) => 0.5 * Math.sin((2 * Math.PI * 440 * i) / 16000),
  'tone and offset': (i) => 0.9 + 0.1 * Math.sin((2 * Math.PI * 437.3 * i) / 16000),
  noise: () => 0.3 * noise.normal(),
  'quiet beside loud': (i) => 0.9 * Math.sin((2 * Math.PI * 120 * i) / 16000) + 1e-4 * Math.sin((2 * Math.PI * 3000 * i) / 16000),
  silence: () => 0,
  impulse: (i) => (i === 500 ? 1 : 0),
}

const cases: [sound: string, mels: 80 | 128, clips: number, shape: Omit<MelShape, 'heard'>, from: number, to: number][] = [
  ['tone', 128, 1, { span: 5, length: 800, count: 800 }, 0, 5],
  ['tone and offset', 80, 1, { span: 4, length: 799, count: 799 }, 0, 4],
  ['noise', 128, 3, { span: 3, length: 480, count: 1440 }, 0, 9],
  ['noise', 80, 2, { span: 7, length: 1120, count: 1301 }, 3, 12],
  ['quiet beside loud', 128, 1, { span: 6, length: 960, count: 961 }, 0, 6],
  ['silence', 80, 1, { span: 2, length: 330, count: 330 }, 0, 2],
  ['impulse', 128, 1, { span: 6, length: 1000, count: 600 }, 0, 6],
  ['noise', 128, 1, { span: 1, length: 160, count: 160 }, 0, 1],
]

async function run([sound, mels, clips, shape, from, to]: (typeof cases)[number]) {
  const samples = Float32Array.from({ length: shape.count }, (_, i) => sounds[sound]!(i))
  const given = new Float32Array(clips * shape.length + 64).fill(Number.NaN)
  given.set(samples)
  const size = clips * mels * shape.span
  const [y, status] = [bench.poisoned('y', size + 64), bench.poisoned('status', clips * shape.span * 3 + 16)]
  const rows = bench.buffer('rows', melRows({ ...shape, heard: -10 }, from, to - from))
  const buffers = { x: bench.buffer('x', given), y, aux: bench.buffer('aux', melTables(mels)), rows, status }
  await bench.run(mel(mels, layout), buffers, [to - from])
  const [wanted, statistics] = [untouched(size + 64), untouched(clips * shape.span * 3 + 16)]
  for (let index = from; index < to; index++) {
    const [clip, t] = [Math.floor(index / shape.span), index % shape.span]
    const twin = logMel(samples.subarray(clip * shape.length, (clip + 1) * shape.length), shape.length, mels, [t])
    const frame: number[] = []
    let off = 0
    for (let m = 0; m < mels; m++) {
      const [at, from] = [(clip * mels + m) * shape.span + t, m * Math.floor(shape.length / 160) + t]
      wanted.values[at] = twin.values[from]!
      wanted.bounds[at] = twin.bounds[from]!
      frame.push(twin.values[from]!)
      off = Math.max(off, twin.bounds[from]!)
    }
    const mean = frame.reduce((sum, value) => sum + value, 0) / mels
    const squares = frame.reduce((sum, value) => sum + (value - mean) ** 2, 0)
    statistics.values.set([Math.max(...frame), mean, squares], 3 * index)
    statistics.bounds.set([off, off + 1e-5, 2 * Math.sqrt(squares * mels) * off + mels * off * off + 1e-5 * squares], 3 * index)
  }
  return { words: await bench.words(y), wanted, kept: await bench.words(status), statistics }
}

it.each(cases)('%s: %i mels, %i clips of %o, frames %i to %i', async (...given) => {
  const { words, wanted, kept, statistics } = await run(given)
  expectWanted(words, wanted)
  expectWanted(kept, statistics)
})

it('a value that is a thousandth off is found', async () => {
  const { words, wanted } = await run(cases[2]!)
  wanted.values[100]! += 1e-3
  expect(() => expectWanted(words, wanted)).toThrow('are wrong')
})
