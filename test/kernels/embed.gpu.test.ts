// The embedding lookup against its twin: exact, for every format, whole and in parts.
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { embed, embedGroups } from '../../src/kernels/embed.ts'
import type { Coding, Format } from '../../src/kernels/matrix.ts'
import { noToken } from '../../src/model/rows.ts'
import { embed as twin } from '../reference.ts'
import { Bench, expectWanted, numbers, untouched } from './run.ts'

let bench: Bench
beforeAll(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clear())

const shape = { rows: 8, logits: 2, slots: 1, pages: 1, ring: 1 }

async function check(
  format: Format | Coding,
  options: { vocabulary: number; width: number; cuts?: number[]; f16?: boolean; rolled?: boolean },
): Promise<void> {
  const { vocabulary, width, cuts, f16 = false, rolled = true } = options
  const { matrix, stored } = bench.matrix(format, numbers(vocabulary + width).array(vocabulary * width), vocabulary, width, cuts)
  const tokens = [vocabulary - 1, 0, 7, 8, vocabulary - 1, Math.floor(vocabulary / 2)].map((token) => Math.min(token, vocabulary - 1))
  const rows = bench.rows(shape)
  rows.write(
    tokens.map((token, position) => ({ token, position, slot: 0 })),
    [],
  )
  const stride = matrix.groups * 32
  const y = bench.poisoned('y', shape.rows * stride)
  for (const part of matrix.parts) {
    await bench.run(
      embed(matrix, part, shape, f16, rolled),
      { weights: part.buffer, y, rows: rows.buffer },
      embedGroups(matrix, shape.rows),
    )
  }
  const wanted = untouched(shape.rows * stride)
  const lines = twin(stored, tokens, width)
  tokens.forEach((_, row) => {
    wanted.values.fill(0, row * stride, (row + 1) * stride)
    wanted.values.set(lines.subarray(row * width, (row + 1) * width), row * stride)
  })
  expectWanted(await bench.words(y), wanted)
}

const formats: Format[] = ['f32', 'f16', 'q8', 'q4']

describe.each(formats)('%s', (format) => {
  it('whole, width a multiple of 32', () => check(format, { vocabulary: 40, width: 96 }))
  it('whole, odd vocabulary and width', () => check(format, { vocabulary: 37, width: 41 }))
  it('narrower than a group', () => check(format, { vocabulary: 5, width: 7 }))
  it('wider than a workgroup', () => check(format, { vocabulary: 9, width: 65 * 32 + 3 }))
  it('in three parts', () => check(format, { vocabulary: 37, width: 70, cuts: [16, 32] }))
  it('loops unrolled', () => check(format, { vocabulary: 37, width: 41, rolled: false }))
})

it('a scale for 16 values, and one for 128', async () => {
  await check({ format: 'q8', group: 16, centred: false }, { vocabulary: 37, width: 288 })
  await check({ format: 'q4', group: 128, centred: false }, { vocabulary: 37, width: 288, cuts: [16] })
})

it("f16 weights as the GPU's own f16", async ({ skip }) => {
  if (!bench.gpu.info.f16) skip()
  await check('f16', { vocabulary: 37, width: 41, f16: true })
  await check('f16', { vocabulary: 37, width: 70, cuts: [8], f16: true })
})

it('a row that is embedded already is left alone, wherever the table ends', async () => {
  for (const vocabulary of [24, 21]) {
    const { matrix } = bench.matrix('q8', numbers(1).array(vocabulary * 32), vocabulary, 32, [8])
    const rows = bench.rows(shape)
    rows.write(
      [noToken, vocabulary - 1, noToken, vocabulary].map((token, position) => ({ token, position, slot: 0 })),
      [],
    )
    const y = bench.poisoned('y', shape.rows * 32)
    for (const part of matrix.parts)
      await bench.run(
        embed(matrix, part, shape, false, true),
        { weights: part.buffer, y, rows: rows.buffer },
        embedGroups(matrix, shape.rows),
      )
    const words = await bench.words(y)
    expect([0, 1, 2, 3].map((row) => words.subarray(row * 32, row * 32 + 32).every((word) => word === 0x7fc07e5a))).toEqual([
      true,
      false,
      true,
      true,
    ])
  }
})

it('each part leaves the rows of the others alone', async () => {
  const { matrix } = bench.matrix('q4', numbers(1).array(24 * 32), 24, 32, [8, 16])
  const rows = bench.rows(shape)
  rows.write(
    [
      { token: 3, position: 0, slot: 0 },
      { token: 12, position: 1, slot: 0 },
      { token: 23, position: 2, slot: 0 },
    ],
    [],
  )
  const y = bench.poisoned('y', shape.rows * 32)
  const part = matrix.parts[1]!
  await bench.run(embed(matrix, part, shape, false, true), { weights: part.buffer, y, rows: rows.buffer }, embedGroups(matrix, shape.rows))
  const words = await bench.words(y)
  const written = Array.from({ length: shape.rows }, (_, row) =>
    words.subarray(row * 32, row * 32 + 32).some((word) => word !== 0x7fc07e5a),
  )
  expect(written).toEqual([false, true, false, false, false, false, false, false])
})
