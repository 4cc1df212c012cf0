// Weights made on the GPU against the reference quantisers: bits where they are determined, squared error where two scales are as good.
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Format, plain } from '../../src/kernels/matrix.ts'
import { plainChunk, quantise, type SourceType, windowGroups, windowParameters } from '../../src/kernels/quantise.ts'
import { bf16Value, dequantise4, dequantise8, halfBits, halfValue, quantise4, quantise8, roundHalf } from '../reference.ts'
import { Bench, decode, layoutWords, numbers, POISON } from './run.ts'

let bench: Bench
beforeAll(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clear())

const f32Bits = (value: number) => new Uint32Array(Float32Array.of(value).buffer)[0]!

/** Values as a file stores them, and what those stand for. */
function store(from: SourceType, values: ArrayLike<number>): { source: Uint32Array<ArrayBuffer>; stored: Float64Array } {
  if (from === 'F32') {
    const floats = Float32Array.from(values)
    return { source: new Uint32Array(floats.buffer), stored: Float64Array.from(floats) }
  }
  const halves = new Uint16Array(Math.ceil(values.length / 2) * 2).fill(0x7fc0) // an odd end is NaN, and must not be read
  for (let i = 0; i < values.length; i++) halves[i] = from === 'F16' ? halfBits(values[i]!) : f32Bits(values[i]!) >>> 16
  const stored = Float64Array.from({ length: values.length }, (_, i) => (from === 'F16' ? halfValue : bf16Value)(halves[i]!))
  return { source: new Uint32Array(halves.buffer), stored }
}

interface Chunk {
  values: ArrayLike<number>
  rows: number
  destination?: number
  step?: number
}

/** Quantises chunks into one poisoned part (its scales zero, as a new buffer's are); tensor i is chunk i. */
async function run(from: SourceType, to: Format, columns: number, partRows: number, chunks: Chunk[]) {
  const words = new Uint32Array(layoutWords(to, partRows, columns))
  const codes = to === 'q4' || to === 'q8' ? Math.ceil(partRows / 8) * Math.ceil(columns / 32) * (to === 'q4' ? 32 : 64) : words.length
  words.fill(POISON, 0, codes)
  const y = bench.buffer('y', words)
  const status = bench.buffer('status', new Uint32Array(chunks.length + 2))
  const stored: Float64Array[] = []
  for (const [tensor, { values, rows, destination = 0, step = 1 }] of chunks.entries()) {
    const file = store(from, values)
    stored.push(file.stored)
    const chunk = plainChunk({ rows, destination, step, tensor }, columns)
    const aux = bench.buffer('aux', windowParameters(chunk, plain(to), columns, partRows))
    await bench.run(quantise(from, plain(to)), { y, aux, source: bench.buffer('source', file.source), status }, windowGroups(chunk))
  }
  const after = await bench.words(y)
  return {
    words: after,
    values: decode(to, after, partRows, columns),
    stored,
    status: Array.from((await bench.words(status)).subarray(0, chunks.length)),
  }
}

const froms: SourceType[] = ['F32', 'F16', 'BF16']
const formats: Format[] = ['f32', 'f16', 'q8', 'q4']
const pairs = froms.flatMap((from) => formats.map((to) => [from, to] as const))

/** Exact for f32 and f16; for q8 and q4 each group's squared error is within 1 % of the twin's, and no value is further off than max / 7. */
function expectRows(to: Format, own: Float64Array, stored: Float64Array, columns: number): void {
  const padded = Math.ceil(columns / 32) * 32
  for (let row = 0; row * columns < stored.length; row++) {
    const line = stored.subarray(row * columns, (row + 1) * columns)
    const got = own.subarray(row * padded, (row + 1) * padded)
    expect(
      got.subarray(columns).every((value) => value === 0),
      `padding of row ${row}`,
    ).toBe(true)
    if (to === 'f32' || to === 'f16') {
      expect(Array.from(got.subarray(0, columns)), `row ${row}`).toEqual(Array.from(to === 'f32' ? line : line.map(roundHalf)))
      continue
    }
    const wanted = to === 'q8' ? dequantise8(quantise8(line), columns) : dequantise4(quantise4(line), columns)
    for (let start = 0; start < columns; start += 32) {
      const part = line.subarray(start, start + 32)
      const largest = Math.max(...part.map(Math.abs))
      const error = (values: Float64Array) => part.reduce((sum, value, i) => sum + (values[start + i]! - value) ** 2, 0)
      // Of scales that fit equally well (a group of one value) either may stay: they differ by their rounding to f16.
      const rounding = to === 'q4' ? 2 ** -11 : 1e-6
      expect(error(got), `group at ${start} of row ${row}`).toBeLessThanOrEqual(
        error(wanted) * 1.01 + rounding ** 2 * error(new Float64Array(got.length)),
      )
      part.forEach((value, i) => {
        expect(Math.abs(got[start + i]! - value)).toBeLessThanOrEqual(largest / (to === 'q4' ? 7 : 127))
      })
    }
  }
}

describe.each(pairs)('%s to %s', (from, to) => {
  // A CPU adapter compiles each shape for seconds: the odd one for every pair, the others for one pair of each format.
  it.each(
    from === 'F32'
      ? [
          [12, 45],
          [9, 64],
          [16, 7],
        ]
      : [[12, 45]],
  )('%i rows of %i', async (rows = 0, columns = 0) => {
    const random = numbers(rows * columns)
    const values = random.array(rows * columns).map((value, i) => value * 10 ** ((Math.floor(i / 32) % 5) - 2))
    values.fill(0, 0, Math.min(columns, 32)) // a group of zeros
    const { values: own, stored, status, words } = await run(from, to, columns, rows, [{ values, rows }])
    expectRows(to, own, stored[0]!, columns)
    expect(status).toEqual([0])
    // Rows that only fill the last block of eight keep what was there.
    if (rows % 8 !== 0 && to === 'f32')
      expect(words.subarray(0, layoutWords(to, rows, columns)).filter((word) => word === POISON).length).toBe(
        (8 - (rows % 8)) * Math.ceil(columns / 32) * 32,
      )
  })

  it('interleaves two tensors, in chunks, and flags the right one', async () => {
    const columns = 45
    const random = numbers(7)
    const [gate, up, rest] = [random.array(4 * columns), random.array(6 * columns), random.array(2 * columns)]
    const good = await run(from, to, columns, 12, [
      { values: gate, rows: 4, destination: 0, step: 2 },
      { values: up, rows: 6, destination: 1, step: 2 },
      { values: rest, rows: 2, destination: 8, step: 2 },
    ])
    const all = new Float64Array(12 * columns)
    const put = (stored: Float64Array, destination: number) => {
      for (let row = 0; row * columns < stored.length; row++)
        all.set(stored.subarray(row * columns, (row + 1) * columns), (destination + 2 * row) * columns)
    }
    put(good.stored[0]!, 0)
    put(good.stored[1]!, 1)
    put(good.stored[2]!, 8)
    expectRows(to, good.values, all, columns)
    expect(good.status).toEqual([0, 0, 0])
    for (const bad of [Number.NaN, Infinity, -Infinity]) {
      const broken = up.slice()
      broken[broken.length - 1] = bad
      const chunks = [
        { values: gate, rows: 4 },
        { values: broken, rows: 6, destination: 4 },
        { values: rest, rows: 2, destination: 10 },
      ]
      expect((await run(from, to, columns, 12, chunks)).status, String(bad)).toEqual([0, 1, 0])
    }
  })
})

const interesting = [
  0,
  -0,
  1,
  -1,
  65504,
  -65504,
  65519,
  65519.996,
  2 ** -14,
  2 ** -24,
  -(2 ** -24),
  2 ** -25,
  -(2 ** -25),
  1.5 * 2 ** -24,
  2.5 * 2 ** -24,
  1.001 * 2 ** -25,
  0.999 * 2 ** -25,
  2 ** -26,
  1e-10,
  -1e-30,
  1 + 2 ** -11,
  1 + 3 * 2 ** -11,
  1 + 2 ** -11 + 2 ** -20,
  2047.5,
  2048.5,
  2049.5,
  4095.9,
  1023.5 * 2 ** -24,
  1023.75 * 2 ** -24,
  1022.5 * 2 ** -24,
  0.1,
  -0.3,
  1 / 3,
].map(Math.fround)

it("f16 has the reference's bits for ties, subnormals and the largest values", async () => {
  const random = numbers(3)
  const values = [
    ...interesting,
    ...Array.from({ length: 2000 }, () => Math.fround(random.normal() * 2 ** (random.uniform() * 44 - 30))),
  ].filter((value) => Math.abs(value) < 65520)
  const { words, status } = await run('F32', 'f16', values.length, 1, [{ values, rows: 1 }])
  const halves = new Uint16Array(words.buffer)
  const bits = values.map((_, i) => halves[((i >> 5) * 8 + ((i & 31) >> 2)) * 8 * 4 + (i & 3)]!)
  expect(bits).toEqual(values.map(halfBits))
  expect(status).toEqual([0])
})

it('f16 flags what it cannot hold', async () => {
  for (const value of [65520, -65520, 1e30, 3.4e38]) {
    expect(
      (
        await run('F32', 'f16', 5, 2, [
          { values: [1, 2, 3, 4, 5], rows: 1 },
          { values: [1, value, 3, 4, 5], rows: 1, destination: 1 },
        ])
      ).status,
      `${value}`,
    ).toEqual([0, 1])
    expect((await run('F32', 'f32', 5, 1, [{ values: [1, value, 3, 4, 5], rows: 1 }])).status).toEqual([0])
  }
})

it.each(['q8', 'q4'] as const)('%s: what is on the grid comes back exactly', async (to) => {
  const random = numbers(11)
  const [low, high] = to === 'q8' ? [-127, 127] : [-8, 7]
  const rows = 40
  const values = new Float64Array(rows * 64)
  for (let group = 0; group < rows * 2; group++) {
    const scale = roundHalf(2 ** (random.uniform() * 12 - 12)) * (to === 'q4' && group % 2 === 0 ? -1 : 1)
    for (let i = 0; i < 32; i++) values[group * 32 + i] = Math.round(low + random.uniform() * (high - low)) * scale
    values[group * 32 + (group % 32)] = (group % 3 === 0 ? high : low) * scale
  }
  const { values: own, status } = await run('F32', to, 64, rows, [{ values, rows }])
  expect(Array.from(own, (value) => value + 0)).toEqual(Array.from(values, (value) => value + 0))
  expect(status).toEqual([0])
})

it('every combination of files compiles', async () => {
  await Promise.all(pairs.map(([from, to]) => bench.compile(quantise(from, plain(to)))))
})
