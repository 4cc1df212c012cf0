// Types whose values are codes, as their publishers describe them, in f64: GGUF's blocks, GPTQ, AWQ, compressed-tensors and our packed form.
import { bf16Value, halfBits, halfValue } from './formats.ts'

/** [rows, columns] with value = code * scale + centre, a scale and a centre for each `group` columns of a row. */
export interface Decoded {
  group: number
  codes: Int8Array
  scales: Float64Array
  centres: Float64Array
  /** What the publisher's own formula gives. */
  values: Float64Array
}

interface Block {
  codes: number[]
  scales: number[]
  centres: number[]
  values: number[]
}

interface BlockType {
  /** Values and bytes of a block, values of a scale. */
  values: number
  bytes: number
  group: number
  /** Where f16 stand in a block. */
  halves: number[]
  read(bytes: Uint8Array): Block
}

const half = (bytes: Uint8Array, at: number): number => halfValue(bytes[at]! | (bytes[at + 1]! << 8))
const word = (bytes: Uint8Array, at: number): number => new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true)
const signed = (byte: number): number => (byte << 24) >> 24
const upTo = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i))

/** 32 nibbles of 16 bytes: low ones, then high ones. */
const nibbles = (bytes: Uint8Array, at: number): number[] => upTo(32, (i) => (i < 16 ? bytes[at + i]! & 15 : bytes[at + i - 16]! >> 4))

/** value = d * q + m, where q has `middle` in its middle. */
function affine(q: number[], d: number, m: number, middle: number): Block {
  return { codes: q.map((one) => one - middle), scales: [d], centres: [m + middle * d], values: q.map((one) => d * one + m) }
}

const fifth = (bytes: Uint8Array, at: number, low: number[]): number[] => low.map((one, i) => one + 16 * ((word(bytes, at) >>> i) & 1))

/** Q4_K and Q5_K: `q` of 256 values, d and dmin first, then twelve bytes of scales and minima. */
function kBlock(bytes: Uint8Array, q: number[], middle: number): Block {
  const s = bytes.subarray(4, 16)
  const pairs = upTo(8, (g): [number, number] =>
    g < 4 ? [s[g]! & 63, s[g + 4]! & 63] : [(s[g + 4]! & 15) | ((s[g - 4]! >> 6) << 4), (s[g + 4]! >> 4) | ((s[g]! >> 6) << 4)],
  )
  const groups = pairs.map(([scale, minimum], g) =>
    affine(q.slice(g * 32, (g + 1) * 32), half(bytes, 0) * scale, -half(bytes, 2) * minimum, middle),
  )
  const all = <Key extends keyof Block>(key: Key) => groups.flatMap((group) => group[key])
  return { codes: all('codes'), scales: all('scales'), centres: all('centres'), values: all('values') }
}

/** Each 32 bytes: low nibbles are a group, high ones the next. */
const kNibbles = (bytes: Uint8Array, at: number): number[] =>
  upTo(256, (i) => (bytes[at + Math.floor(i / 64) * 32 + (i % 32)]! >> (i % 64 < 32 ? 0 : 4)) & 15)

function q6k(bytes: Uint8Array): Block {
  const q: number[] = []
  for (const part of [0, 1]) {
    const ql = bytes.subarray(part * 64)
    const qh = bytes.subarray(128 + part * 32)
    const quarter = (make: (l: number) => number) => q.push(...upTo(32, make))
    quarter((l) => (ql[l]! & 15) | ((qh[l]! & 3) << 4))
    quarter((l) => (ql[l + 32]! & 15) | (((qh[l]! >> 2) & 3) << 4))
    quarter((l) => (ql[l]! >> 4) | (((qh[l]! >> 4) & 3) << 4))
    quarter((l) => (ql[l + 32]! >> 4) | (((qh[l]! >> 6) & 3) << 4))
  }
  const scales = upTo(16, (i) => half(bytes, 208) * signed(bytes[192 + i]!))
  const codes = q.map((one) => one - 32)
  return { codes, scales, centres: scales.map(() => 0), values: codes.map((code, i) => scales[i >> 4]! * code) }
}

const symmetric = (codes: number[], d: number): Block => ({ codes, scales: [d], centres: [0], values: codes.map((code) => d * code) })

export const ggufTypes: Readonly<Record<string, BlockType>> = {
  Q4_0: {
    values: 32,
    bytes: 18,
    group: 32,
    halves: [0],
    read: (b) =>
      symmetric(
        nibbles(b, 2).map((q) => q - 8),
        half(b, 0),
      ),
  },
  Q4_1: { values: 32, bytes: 20, group: 32, halves: [0, 2], read: (b) => affine(nibbles(b, 4), half(b, 0), half(b, 2), 8) },
  Q5_0: {
    values: 32,
    bytes: 22,
    group: 32,
    halves: [0],
    read: (b) =>
      symmetric(
        fifth(b, 2, nibbles(b, 6)).map((q) => q - 16),
        half(b, 0),
      ),
  },
  Q5_1: { values: 32, bytes: 24, group: 32, halves: [0, 2], read: (b) => affine(fifth(b, 4, nibbles(b, 8)), half(b, 0), half(b, 2), 16) },
  Q8_0: {
    values: 32,
    bytes: 34,
    group: 32,
    halves: [0],
    read: (b) =>
      symmetric(
        upTo(32, (i) => signed(b[2 + i]!)),
        half(b, 0),
      ),
  },
  Q4_K: { values: 256, bytes: 144, group: 32, halves: [0, 2], read: (b) => kBlock(b, kNibbles(b, 16), 8) },
  Q5_K: {
    values: 256,
    bytes: 176,
    group: 32,
    halves: [0, 2],
    read: (b) =>
      kBlock(
        b,
        kNibbles(b, 48).map((low, i) => low + 16 * ((b[16 + (i % 32)]! >> (i >> 5)) & 1)),
        16,
      ),
  },
  Q6_K: { values: 256, bytes: 210, group: 16, halves: [208], read: q6k },
}

/** Rows of whole blocks, one behind the other. */
export function decodeGguf(type: string, bytes: Uint8Array, rows: number, columns: number): Decoded {
  const { values, bytes: size, group, read } = ggufTypes[type]!
  const blocks = upTo((rows * columns) / values, (i) => read(bytes.slice(i * size, (i + 1) * size)))
  return {
    group,
    codes: Int8Array.from(blocks.flatMap((block) => block.codes)),
    scales: Float64Array.from(blocks.flatMap((block) => block.scales)),
    centres: Float64Array.from(blocks.flatMap((block) => block.centres)),
    values: Float64Array.from(blocks.flatMap((block) => block.values)),
  }
}

type Uniform = () => number

const randomBytes = (length: number, uniform: Uniform) => Uint8Array.from({ length }, () => Math.floor(uniform() * 256))

/** An f16 of either sign around 0.01, now and then 0 or subnormal. */
function randomHalf(uniform: Uniform): number {
  const size = uniform() < 0.1 ? Math.floor(uniform() * 3) * 2 ** -24 : 2 ** (uniform() * 8 - 10)
  return halfBits(uniform() < 0.5 ? size : -size)
}

const randomHalves = (length: number, uniform: Uniform): Uint8Array =>
  new Uint8Array(Uint16Array.from({ length }, () => randomHalf(uniform)).buffer)

/** Rows of blocks whose bits are random and whose f16 are finite. */
export function randomGguf(type: string, rows: number, columns: number, uniform: Uniform): Uint8Array {
  const { values, bytes: size, halves } = ggufTypes[type]!
  const bytes = randomBytes(((rows * columns) / values) * size, uniform)
  for (let block = 0; block < bytes.length; block += size) for (const at of halves) bytes.set(randomHalves(1, uniform), block + at)
  return bytes
}

export interface PartOptions {
  group: number
  symmetric?: boolean
  /** GPTQ: zeros are stored as they are. */
  v2?: boolean
  /** compressed-tensors: scales are BF16. */
  bf16?: boolean
  /** Column k of what is decoded is the file's column order[k]; groups are of the columns so sorted. */
  order?: ArrayLike<number>
}

type Parts = Record<string, Uint8Array>

/** value = (q - zero) * scale, whatever says where q, zero and scale stand. */
function decodeWith(
  rows: number,
  columns: number,
  { group, order }: PartOptions,
  code: (row: number, column: number) => number,
  zero: (row: number, group: number) => number,
  scale: (row: number, group: number) => number,
): Decoded {
  const groups = Math.ceil(columns / group)
  const codes = new Int8Array(rows * columns)
  const values = new Float64Array(rows * columns)
  const scales = Float64Array.from({ length: rows * groups }, (_, i) => scale(Math.floor(i / groups), i % groups))
  const zeros = Float64Array.from({ length: rows * groups }, (_, i) => zero(Math.floor(i / groups), i % groups))
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const q = code(row, order?.[column] ?? column)
      const own = row * groups + Math.floor(column / group)
      codes[row * columns + column] = q - 8
      values[row * columns + column] = (q - zeros[own]!) * scales[own]!
    }
  }
  return { group, codes, scales, centres: scales.map((one, i) => (8 - zeros[i]!) * one), values }
}

/** Nibble k of the int32 at `index`. */
const nibble = (bytes: Uint8Array, index: number, k: number): number => (word(bytes, index * 4) >>> (4 * k)) & 15

/** qweight [in / 8, out], qzeros [in / g, out / 8], scales f16 [in / g, out]. */
export function decodeGptq({ qweight, qzeros, scales }: Parts, rows: number, columns: number, options: PartOptions): Decoded {
  return decodeWith(
    rows,
    columns,
    options,
    (row, column) => nibble(qweight!, Math.floor(column / 8) * rows + row, column % 8),
    (row, group) =>
      options.symmetric ? 8 : (nibble(qzeros!, group * Math.ceil(rows / 8) + Math.floor(row / 8), row % 8) + (options.v2 ? 0 : 1)) % 16,
    (row, group) => half(scales!, (group * rows + row) * 2),
  )
}

/** Which nibble of a word holds row j of its eight. */
const awqNibble = [0, 4, 1, 5, 2, 6, 3, 7]

/** qweight [in, out / 8], qzeros [in / g, out / 8], scales f16 [in / g, out]. */
export function decodeAwq({ qweight, qzeros, scales }: Parts, rows: number, columns: number, options: PartOptions): Decoded {
  const at = (bytes: Uint8Array, line: number, row: number) => nibble(bytes, line * (rows / 8) + Math.floor(row / 8), awqNibble[row % 8]!)
  return decodeWith(
    rows,
    columns,
    options,
    (row, column) => at(qweight!, column, row),
    (row, group) => at(qzeros!, group, row),
    (row, group) => half(scales!, (group * rows + row) * 2),
  )
}

/** weight [out, in / 8], zero [out / 8, in / g], scale f16 or bf16 [out, in / g]. */
export function decodeCompressed({ weight, zero, scale }: Parts, rows: number, columns: number, options: PartOptions): Decoded {
  const groups = Math.ceil(columns / options.group)
  return decodeWith(
    rows,
    columns,
    options,
    (row, column) => nibble(weight!, row * Math.ceil(columns / 8) + Math.floor(column / 8), column % 8),
    (row, group) => (options.symmetric ? 8 : nibble(zero!, Math.floor(row / 8) * groups + group, row % 8)),
    (row, group) => {
      const at = (row * groups + group) * 2
      return options.bf16 ? bf16Value(scale![at]! | (scale![at + 1]! << 8)) : half(scale!, at)
    },
  )
}

export interface PackedOptions {
  bits: 4 | 8
  group: number
  centred: boolean
}

/** codes u32 [rows, words], scales and centres f16 [rows, groups]: our packed form. */
export function decodePacked(
  { codes: bytes, scales, centres }: Parts,
  rows: number,
  columns: number,
  { bits, group, centred }: PackedOptions,
): Decoded {
  const groups = Math.ceil(columns / group)
  const wide = groups * group
  const each = { group, scales: new Float64Array(rows * groups), centres: new Float64Array(rows * groups) }
  for (let i = 0; i < rows * groups; i++) {
    each.scales[i] = half(scales!, i * 2)
    each.centres[i] = centred ? half(centres!, i * 2) : 0
  }
  const codes = new Int8Array(rows * columns)
  const values = new Float64Array(rows * columns)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const place = row * wide + column
      // Eight columns to a word: byte b has column b below and column b + 4 above.
      const byte = bytes![bits === 8 ? place : Math.floor(place / 8) * 4 + (place % 4)]!
      const code = bits === 8 ? signed(byte) : ((byte >> (place & 4)) & 15) - 8
      const own = row * groups + Math.floor(column / group)
      codes[row * columns + column] = code
      values[row * columns + column] = code * each.scales[own]! + each.centres[own]!
    }
  }
  return { ...each, codes, values }
}

/** Parts with random codes and zeros, and finite scales. */
export const randomParts = {
  gptq(rows: number, columns: number, { group }: PartOptions, uniform: Uniform): Parts {
    const groups = Math.ceil(columns / group)
    return {
      qweight: randomBytes(Math.ceil(columns / 8) * rows * 4, uniform),
      qzeros: randomBytes(groups * Math.ceil(rows / 8) * 4, uniform),
      scales: randomHalves(groups * rows, uniform),
    }
  },
  awq(rows: number, columns: number, { group }: PartOptions, uniform: Uniform): Parts {
    const groups = Math.ceil(columns / group)
    return {
      qweight: randomBytes((columns * rows) / 2, uniform),
      qzeros: randomBytes((groups * rows) / 2, uniform),
      scales: randomHalves(groups * rows, uniform),
    }
  },
  compressed(rows: number, columns: number, { group, bf16 }: PartOptions, uniform: Uniform): Parts {
    const groups = Math.ceil(columns / group)
    // As BF16 these bits are other numbers, finite too: the exponent is not all ones.
    const scale = randomHalves(rows * groups, uniform)
    if (bf16) for (let i = 1; i < scale.length; i += 2) scale[i] = (scale[i]! & 0x80) | 0x3c
    return {
      weight: randomBytes(rows * Math.ceil(columns / 8) * 4, uniform),
      zero: randomBytes(Math.ceil(rows / 8) * groups * 4, uniform),
      scale,
    }
  },
  packed(rows: number, columns: number, { bits, group }: PackedOptions, uniform: Uniform): Parts {
    const groups = Math.ceil(columns / group)
    return {
      codes: randomBytes((rows * groups * group * bits) / 8, uniform),
      scales: randomHalves(rows * groups, uniform),
      centres: randomHalves(rows * groups, uniform),
    }
  },
}
