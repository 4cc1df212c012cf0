// Rows rounded to 8 bits: every code is the nearest one, scales and sums fit them, and rows that do not exist stay as they were.
import { afterEach, beforeAll, expect, it } from 'vitest'
import { pack8, packedWords } from '../../src/kernels/pack8.ts'
import { rmsNorm } from '../reference.ts'
import { Bench, numbers, POISON } from './run.ts'

let bench: Bench
beforeAll(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clear())

const eps = 1.5625e-7
const shape = { rows: 7, logits: 7, slots: 1, pages: 1, ring: 1 }

async function pack(k: number, count: number, normed: boolean) {
  const random = numbers(k + count)
  const groups = Math.ceil(k / 32)
  const gamma = random.array(k)
  const lines = random.array(count * k)
  lines.fill(0, 0, 32) // a group of zeros
  const x = new Float32Array(shape.rows * groups * 32).fill(Number.NaN)
  for (let row = 0; row < count; row++) {
    x.fill(0, row * groups * 32, (row + 1) * groups * 32)
    x.set(lines.subarray(row * k, (row + 1) * k), row * groups * 32)
  }
  const aux = new Float32Array(4 + groups * 32).fill(3)
  aux.set(gamma, 4)
  const rows = bench.rows(shape)
  rows.write(
    Array.from({ length: count }, (_, position) => ({ token: 0, position, slot: 0 })),
    [],
  )
  const y = bench.poisoned('packed', packedWords(shape.rows, groups))
  const input = normed ? { width: k, eps, gamma: 4 } : 'plain'
  const kernel = pack8({ groups, input, rows: 'all', shape, rolled: true })
  await bench.run(kernel, { x: bench.buffer('x', x), aux: bench.buffer('aux', aux), rows: rows.buffer, y }, [1, shape.rows])
  return { words: await bench.words(y), values: normed ? rmsNorm(lines, gamma, eps) : lines, groups }
}

it.each([
  { k: 64, count: 3, normed: false },
  { k: 40, count: 7, normed: true },
  { k: 2100, count: 5, normed: true },
  { k: 32, count: 0, normed: false },
])('k $k, rows $count, normed $normed', async ({ k, count, normed }) => {
  const { words, values, groups } = await pack(k, count, normed)
  const floats = new Float32Array(words.buffer)
  const bytes = new Int8Array(words.buffer)
  const signed = new Int32Array(words.buffer)
  for (let row = 0; row < Math.ceil(shape.rows / 4) * 4; row++) {
    for (let group = 0; group < groups; group++) {
      const record = ((row >> 2) * groups + group) * 40
      const first = record + (row & 3) * 8
      const scaleAt = record + 32 + (row & 3)
      if (row >= count) {
        expect([...words.subarray(first, first + 8), words[scaleAt], words[scaleAt + 4]]).toEqual(Array(10).fill(POISON))
        continue
      }
      const own = Array.from({ length: 32 }, (_, i) => (group * 32 + i < k ? values[row * k + group * 32 + i]! : 0))
      const codes = bytes.subarray(first * 4, first * 4 + 32)
      const scale = floats[scaleAt]!
      const wanted = Math.max(...own.map(Math.abs)) / 127
      expect(Math.abs(scale - wanted)).toBeLessThanOrEqual(2e-6 * wanted)
      own.forEach((value, i) => {
        expect(Math.abs(codes[i]! * scale - value)).toBeLessThanOrEqual(0.5001 * scale)
      })
      expect(signed[scaleAt + 4]).toBe(codes.reduce((sum, code) => sum + code, 0))
    }
  }
})
