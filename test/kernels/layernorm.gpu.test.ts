// Norms of a tower against their twins: RMS and LayerNorm, with GELU or without, poison around everything.
import { afterEach, beforeAll, expect, it } from 'vitest'
import { layerNorm } from '../../src/kernels/layernorm.ts'
import { gelu, layerNorm as twin } from '../reference/vision.ts'
import { rmsNorm } from '../reference.ts'
import { Bench, expectWanted, numbers, POISON, untouched } from './run.ts'

let bench: Bench
beforeAll(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clear())

interface Case {
  name: string
  width: number
  count: number
  kind: 'rms' | 'layer'
  activation?: 'gelu'
  eps?: number
  /** Added to every value: what a mean is taken off. */
  mean?: number
}

const capacity = 7

async function run({ width, count, kind, activation, eps = 1e-5, mean = 0 }: Case) {
  const stride = Math.ceil(width / 32) * 32
  const { array } = numbers(width + count)
  const lines = array(count * width, 2).map((value) => Math.fround(value + mean))
  const [gamma, beta] = [array(width), array(width)]
  const x = new Float32Array(capacity * stride).fill(Number.NaN)
  const aux = new Float32Array(16 + 2 * stride).fill(3)
  aux.set(gamma, 16)
  aux.set(beta, 16 + stride)
  for (let row = 0; row < count; row++) x.set(lines.subarray(row * width, (row + 1) * width), row * stride)
  const kernel = layerNorm({
    width,
    eps,
    gamma: 16,
    ...(kind === 'layer' ? { beta: 16 + stride } : {}),
    ...(activation ? { activation } : {}),
    rolled: true,
  })
  const y = bench.poisoned('y', capacity * stride)
  const rows = bench.buffer('rows', Uint32Array.of(count, POISON, 0, POISON))
  await bench.run(kernel, { x: bench.buffer('x', x), y, aux: bench.buffer('aux', aux), rows }, [1, capacity])
  const normed = kind === 'layer' ? twin(lines, gamma, beta, eps) : rmsNorm(lines, gamma, eps)
  const values = activation ? normed.map(gelu) : normed
  const wanted = untouched(capacity * stride)
  for (let row = 0; row < count; row++) {
    wanted.values.fill(0, row * stride, (row + 1) * stride)
    values.subarray(row * width, (row + 1) * width).forEach((value, i) => {
      wanted.values[row * stride + i] = value
      wanted.bounds[row * stride + i] = (kind === 'layer' ? 1 + Math.abs(mean) : 1) * 2e-6 + 2e-6 * Math.abs(normed[row * width + i]!)
    })
  }
  return { words: await bench.words(y), wanted }
}

const cases: Case[] = [
  { name: 'narrower than a group', width: 4, count: 3, kind: 'rms' },
  { name: 'more vectors than threads', width: 1152, count: 7, kind: 'layer', eps: 1e-6 },
  { name: 'padding behind the width', width: 300, count: 5, kind: 'rms' },
  { name: 'a mean to take off', width: 100, count: 2, kind: 'layer', mean: 20 },
  { name: 'activated', width: 260, count: 4, kind: 'layer', activation: 'gelu' },
  { name: 'no rows', width: 64, count: 0, kind: 'layer' },
]

it.each(cases)('$name: $count rows of $width, $kind', async (one) => {
  const { words, wanted } = await run(one)
  expectWanted(words, wanted)
})

it('a norm without its mean is another', async () => {
  const { words } = await run({ name: '', width: 100, count: 2, kind: 'rms', mean: 1 })
  const { wanted } = await run({ name: '', width: 100, count: 2, kind: 'layer', mean: 1 })
  expect(() => expectWanted(words, wanted)).toThrow('are wrong')
})
