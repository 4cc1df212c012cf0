// The sandwich norm against its twin: y += gamma * x / rms(x).
import { afterEach, beforeAll, expect, it } from 'vitest'
import { addNorm } from '../../src/kernels/norm.ts'
import { add, rmsNorm } from '../reference.ts'
import { Bench, expectWanted, numbers, POISON, untouched } from './run.ts'

let bench: Bench
beforeAll(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clear())

const shape = { rows: 6, logits: 1, slots: 1, pages: 1, ring: 1 }

const cases: [name: string, width: number, scale: number, eps: number, count: number][] = [
  ['one group', 32, 1, 1e-5, 4],
  ['narrower than a group', 5, 1, 1e-5, 1],
  ['not a multiple of 32', 100, 1, 1.5625e-7, 3],
  ['one past a workgroup of quads', 257, 1, 1.5625e-7, 5],
  ['a real width', 4096, 1, 1.5625e-7, 2],
  ['big values', 4095, 1e4, 1.5625e-7, 3],
  ['small values, where eps decides', 96, 2e-4, 1.5625e-7, 6],
  ['zeros', 64, 0, 1e-5, 2],
  ['no rows', 64, 1, 1e-5, 0],
]

it.each(cases)('%s: width %i, scale %f, eps %f, %i rows', async (_, width, scale, eps, count) => {
  const random = numbers(width + count)
  const stride = Math.ceil(width / 32) * 32
  const offset = 12 // gamma does not stand first in aux
  const gamma = random.array(width)
  const input = random.array(count * width, scale)
  const before = random.array(count * width)
  const x = new Float32Array(shape.rows * stride).fill(Number.NaN)
  const y = new Uint32Array(shape.rows * stride).fill(POISON)
  const floats = new Float32Array(y.buffer)
  for (let row = 0; row < count; row++) {
    x.fill(0, row * stride, (row + 1) * stride)
    floats.fill(0, row * stride, (row + 1) * stride)
    x.set(input.subarray(row * width, (row + 1) * width), row * stride)
    floats.set(before.subarray(row * width, (row + 1) * width), row * stride)
  }
  const aux = new Float32Array(offset + stride)
  aux.set(gamma, offset)
  const rows = bench.rows(shape)
  rows.write(
    Array.from({ length: count }, (_, position) => ({ token: 0, position, slot: 0 })),
    [],
  )
  const out = bench.buffer('y', y)
  const buffers = { x: bench.buffer('x', x), y: out, aux: bench.buffer('aux', aux), rows: rows.buffer }
  await bench.run(addNorm({ width, eps, gamma: offset }, shape), buffers, [1, shape.rows])

  const normed = rmsNorm(input, gamma, eps)
  const sum = add(before, normed)
  const wanted = untouched(y.length)
  for (let row = 0; row < count; row++) {
    wanted.values.fill(0, row * stride, (row + 1) * stride)
    for (let i = 0; i < width; i++) {
      wanted.values[row * stride + i] = sum[row * width + i]!
      wanted.bounds[row * stride + i] = 2e-6 * (Math.abs(before[row * width + i]!) + Math.abs(normed[row * width + i]!))
    }
  }
  expect(wanted.values.length).toBe(shape.rows * stride)
  expectWanted(await bench.words(out), wanted)
})
