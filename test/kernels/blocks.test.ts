// The references of coded types against gguf-py and against words packed in Python, and what ranges() asks for.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { awqBlocks, compressedBlocks, ggufBlocks, gptqBlocks } from '../../src/weights/blocks.ts'
import { packedBlocks } from '../../src/weights/packed_blocks.ts'
import type { TensorEntry } from '../../src/weights/tensor.ts'
import {
  type Decoded,
  decodeAwq,
  decodeCompressed,
  decodeGguf,
  decodeGptq,
  decodePacked,
  ggufTypes,
  type PartOptions,
  randomGguf,
  randomParts,
} from '../reference/blocks.ts'
import { numbers } from './run.ts'

interface Golden {
  rows: number
  columns: number
  values: string
}

const golden: {
  gguf: Record<string, Golden & { bytes: string }>
  parts: Record<string, Golden & { method: 'gptq' | 'awq' | 'compressed'; options: PartOptions; parts: Record<string, string> }>
} = JSON.parse(readFileSync(new URL('../fixtures/blocks/blocks.json', import.meta.url), 'utf8'))

const bytesOf = (base64: string) => new Uint8Array(Buffer.from(base64, 'base64'))
const floatsOf = (base64: string) => new Float32Array(bytesOf(base64).buffer)
const decoders = { gptq: decodeGptq, awq: decodeAwq, compressed: decodeCompressed }

/** Codes, scales and centres give the values, to a few roundings of f32 on the way. */
function expectValues(own: Decoded, wanted: ArrayLike<number>, rows: number, columns: number): void {
  const groups = Math.ceil(columns / own.group)
  expect([own.codes.length, own.scales.length, own.centres.length]).toEqual([rows * columns, rows * groups, rows * groups])
  const wrong: string[] = []
  for (let i = 0; i < rows * columns; i++) {
    const at = Math.floor(i / columns) * groups + Math.floor((i % columns) / own.group)
    const [code, scale, centre] = [own.codes[i]!, own.scales[at]!, own.centres[at]!]
    const bound = 3 * 2 ** -24 * (64 * Math.abs(scale) + Math.abs(centre))
    const good = Math.abs(own.values[i]! - wanted[i]!) <= bound && Math.abs(code * scale + centre - own.values[i]!) <= bound
    if (!good) wrong.push(`[${i}] is ${own.values[i]} = ${code} * ${scale} + ${centre}, wanted ${wanted[i]}`)
  }
  expect(wrong.slice(0, 8), `${wrong.length} are wrong`).toEqual([])
}

it.each(Object.entries(golden.gguf))('%s as gguf-py reads it', (type, { rows, columns, bytes, values }) => {
  expectValues(decodeGguf(type, bytesOf(bytes), rows, columns), floatsOf(values), rows, columns)
})

it.each(Object.entries(golden.parts))('%s as packed from its codes', (_, { method, rows, columns, options, parts, values }) => {
  const own = Object.fromEntries(Object.entries(parts).map(([name, base64]) => [name, bytesOf(base64)]))
  expectValues(decoders[method](own, rows, columns, options), floatsOf(values), rows, columns)
})

it('random blocks are valid, and a twin tells one bit from another', () => {
  const { uniform } = numbers(1)
  for (const type of Object.keys(ggufTypes)) {
    const bytes = randomGguf(type, 2, 256, uniform)
    const own = decodeGguf(type, bytes, 2, 256)
    expect(own.values.every(Number.isFinite), type).toBe(true)
    expectValues(own, own.values, 2, 256)
    bytes[bytes.length - 20]! ^= 1
    expect(decodeGguf(type, bytes, 2, 256).values, type).not.toEqual(own.values)
  }
})

it('our packed form: byte b of a word has columns b and b + 4', () => {
  const scales = new Uint8Array([0, 0x3c, 0, 0x40]) // 1 and 2
  const codes = new Uint8Array(32)
  codes.set([0x98, 0xba, 0xdc, 0xfe])
  const own = decodePacked({ codes, scales }, 1, 40, { bits: 4, group: 32, centred: false })
  expect(Array.from(own.codes.subarray(0, 9))).toEqual([0, 2, 4, 6, 1, 3, 5, 7, -8])
  expect(own.values[39]).toBe(-16)
  const options = { bits: 8, group: 64, centred: true } as const
  const parts = randomParts.packed(3, 100, options, numbers(2).uniform)
  expectValues(decodePacked(parts, 3, 100, options), decodePacked(parts, 3, 100, options).values, 3, 100)
  expect(decodePacked(parts, 3, 100, options).codes[105]).toBe(new Int8Array(parts.codes!.buffer)[128 + 5])
})

describe('ranges', () => {
  const part = (name: string, start: number): TensorEntry => ({ name, dtype: 'I32', shape: [], file: `${name}.bin`, start, end: 0 })
  const entry = (shape: number[], ...parts: string[]): TensorEntry => ({
    ...part('codes', 1000),
    shape,
    parts: Object.fromEntries(parts.map((name, i) => [name, part(name, 100 * (i + 1))])),
  })
  const read = (blocks: (typeof ggufBlocks)[string], of: TensorEntry, row: number, rows: number, group: number, groups: number) =>
    blocks.ranges(of, { row, rows, group, groups }).map(({ file, start, end }) => [file.replace('.bin', ''), start, end])

  it('of rows that stand one behind the other', () => {
    expect(read(ggufBlocks.Q5_0!, entry([9, 96]), 2, 3, 0, 3)).toEqual([['codes', 1000 + 2 * 66, 1000 + 5 * 66]])
    expect(read(ggufBlocks.Q6_K!, entry([9, 512]), 8, 1, 0, 16)).toEqual([['codes', 1000 + 8 * 420, 1000 + 9 * 420]])
    const packed = entry([9, 100], 'scales', 'centres')
    expect(read(packedBlocks({ bits: 4, group: 64, centred: true }), packed, 1, 2, 0, 4)).toEqual([
      ['codes', 1064, 1192],
      ['scales', 104, 112],
      ['centres', 204, 212],
    ])
    expect(read(packedBlocks({ bits: 8, group: 32, centred: false }), packed, 1, 2, 0, 4)).toEqual([
      ['codes', 1128, 1384],
      ['scales', 108, 124],
    ])
  })

  it('of zeros that eight rows share', () => {
    const blocks = compressedBlocks({ group: 32, symmetric: false, bf16: false })
    expect(read(blocks, entry([20, 96], 'scale', 'zero'), 7, 3, 0, 3)).toEqual([
      ['codes', 1000 + 7 * 48, 1000 + 10 * 48],
      ['scale', 100 + 7 * 6, 100 + 10 * 6],
      ['zero', 200, 200 + 2 * 12],
    ])
    expect(read(compressedBlocks({ group: 96, symmetric: true, bf16: false }), entry([20, 96], 'scale'), 8, 1, 0, 3)).toEqual([
      ['codes', 1384, 1432],
      ['scale', 116, 118],
    ])
  })

  it('of what is stored by columns', () => {
    const own = entry([24, 320], 'scales', 'qzeros')
    const gptq = gptqBlocks({ group: 128, symmetric: false })
    expect([gptq.step, gptq.coding]).toEqual([4, { format: 'q4', group: 128, centred: true }])
    expect(read(gptq, own, 0, 24, 4, 8)).toEqual([
      ['codes', 1000 + 16 * 96, 1000 + 40 * 96],
      ['scales', 100 + 48, 100 + 3 * 48],
      ['qzeros', 200 + 12, 200 + 3 * 12],
    ])
    expect(read(gptqBlocks({ group: 32, symmetric: true }), own, 0, 24, 1, 1)).toEqual([
      ['codes', 1000 + 4 * 96, 1000 + 8 * 96],
      ['scales', 148, 196],
    ])
    expect(read(awqBlocks({ group: 64 }), own, 0, 24, 2, 2)).toEqual([
      ['codes', 1000 + 64 * 12, 1000 + 128 * 12],
      ['scales', 148, 196],
      ['qzeros', 212, 224],
    ])
  })

  it('a row with one scale is cut within its group', () => {
    const blocks = gptqBlocks({ group: 320, symmetric: true })
    expect([blocks.step, blocks.coding.group]).toEqual([2, 64])
    expect(read(blocks, entry([24, 320], 'scales'), 0, 24, 2, 4)[1]).toEqual(['scales', 100, 148])
  })
})
