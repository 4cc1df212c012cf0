// What the kernel tests share: one device, buffers full of poison, and the weight layout of shaders/README.md written and read on the host.
import { expect } from 'vitest'
import { Buffers, readBack } from '../../src/gpu/buffers.ts'
import { dawn } from '../../src/gpu/dawn.ts'
import { type Gpu, openGpu } from '../../src/gpu/device.ts'
import { type Kernel, Pipelines, type Slot } from '../../src/gpu/pipeline.ts'
import { play, prepare } from '../../src/gpu/recorder.ts'
import {
  type Coding,
  centresAt,
  type Format,
  type Matrix,
  plain,
  scaled,
  scaleGroups,
  scalesAt,
  superGroups,
} from '../../src/kernels/matrix.ts'
import { type RowsShape, rowsLayout } from '../../src/kernels/rows.ts'
import { Rows } from '../../src/model/rows.ts'
import { dequantise4, dequantise8, halfBits, halfValue, quantise4, quantise8, roundHalf } from '../reference.ts'

/** NaN as one f32 and as two f16. */
export const POISON = 0x7fc07e5a

// Dawn crashes when its objects are collected: everything stays reachable for as long as the process lives.
const held = globalThis as { glmKernelBench?: Promise<Bench> }

export class Bench {
  readonly gpu: Gpu
  readonly #pipelines: Pipelines
  readonly #buffers: Buffers

  constructor(gpu: Gpu) {
    this.gpu = gpu
    this.#pipelines = new Pipelines(gpu)
    this.#buffers = new Buffers(gpu)
  }

  static open(): Promise<Bench> {
    held.glmKernelBench ??= dawn().then(async (gpu) => new Bench(await openGpu(gpu)))
    return held.glmKernelBench
  }

  buffer(label: string, data: Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer>): GPUBuffer {
    const buffer = this.#buffers.make(label, data.byteLength)
    this.gpu.device.queue.writeBuffer(buffer, 0, data)
    return buffer
  }

  poisoned(label: string, words: number): GPUBuffer {
    return this.buffer(label, new Uint32Array(words).fill(POISON))
  }

  /** A rows buffer, poisoned but for its header. */
  rows(shape: RowsShape): Rows {
    const words = new Uint32Array(rowsLayout(shape).words).fill(POISON)
    words.fill(0, 0, 8)
    return new Rows(shape, this.buffer('rows', words), this.gpu.device.queue)
  }

  compile(kernel: Kernel) {
    return this.#pipelines.get(kernel)
  }

  async run(kernel: Kernel, buffers: Partial<Record<Slot, GPUBuffer>>, groups: readonly [number, number?, number?]): Promise<void> {
    const compiled = await this.compile(kernel)
    const { device } = this.gpu
    device.pushErrorScope('validation')
    const encoder = device.createCommandEncoder()
    const pass = encoder.beginComputePass()
    play(pass, [prepare(device, compiled, buffers, groups)])
    pass.end()
    device.queue.submit([encoder.finish()])
    const error = await device.popErrorScope()
    if (error) throw new Error(`${kernel.name}: ${error.message}`)
  }

  async words(buffer: GPUBuffer): Promise<Uint32Array<ArrayBuffer>> {
    return new Uint32Array(await readBack(this.gpu.device, buffer))
  }

  /** Frees what the test made. */
  clear(): void {
    this.#buffers.close()
  }

  /** A matrix on the GPU, cut before the rows in `cuts` (multiples of 8), and its values as the format keeps them. */
  matrix(
    coding: Format | Coding,
    values: Float64Array,
    rows: number,
    columns: number,
    cuts: number[] = [],
  ): { matrix: Matrix; stored: Float64Array } {
    const stored = new Float64Array(rows * columns)
    const parts = [0, ...cuts].map((offset, index) => {
      const own = (cuts[index] ?? rows) - offset
      const encoded = encode(coding, values.subarray(offset * columns, (offset + own) * columns), own, columns)
      stored.set(encoded.stored, offset * columns)
      return { buffer: this.buffer('weights', encoded.words), offset, rows: own }
    })
    return { matrix: { ...asCoding(coding), name: 'weights', rows, columns, groups: Math.ceil(columns / 32), parts }, stored }
  }
}

/** Words of one vector, and vectors that hold 32 weights of a row. */
const layouts = { f32: { words: 4, vectors: 8 }, f16: { words: 2, vectors: 8 }, q8: { words: 4, vectors: 2 }, q4: { words: 4, vectors: 1 } }

/** Where word `word` of a row's group stands: [rows / 8][groups][vector][8 rows][words of a vector]. */
function place(format: Format, groups: number, row: number, group: number, word: number): number {
  const { words, vectors } = layouts[format]
  const block = Math.floor(row / 8) * groups + group
  return ((block * vectors + Math.floor(word / words)) * 8 + (row % 8)) * words + (word % words)
}

export const asCoding = (coding: Format | Coding): Coding => (typeof coding === 'string' ? plain(coding) : coding)

/** Where a row's f16 for one scale stands behind `at` (vec4), in halves of a word: eight rows together. */
const halfPlace = (coding: Coding, at: number, groups: number, row: number, index: number): number =>
  at * 8 + (Math.floor(row / 8) * scaleGroups(coding, groups) + index) * 8 + (row % 8)

export function layoutWords(coding: Format | Coding, rows: number, columns: number): number {
  const own = asCoding(coding)
  const groups = Math.ceil(columns / 32)
  const halves = Math.ceil(rows / 8) * scaleGroups(own, groups) * 4
  if (own.super) return scalesAt(own, groups, rows) * 4 + halves + Math.ceil(rows / 8) * superGroups(groups) * 8
  return scalesAt(own, groups, rows) * 4 + halves * (own.centred ? 2 : 1)
}

/** A row in a coding that is not plain: codes as they are kept, scales and centres, and what they stand for. */
function codedRow(line: Float64Array, { format, group, centred }: Coding) {
  const count = Math.ceil(line.length / 32) * 32
  const most = format === 'q4' ? 7 : 127
  const codes = new Int8Array(count)
  const scales = new Float64Array(Math.ceil(count / group))
  const centres = new Float64Array(scales.length)
  const values = new Float64Array(line.length)
  for (let index = 0; index < scales.length; index++) {
    const own = line.subarray(index * group, (index + 1) * group)
    if (own.length === 0) continue
    const centre = centred ? roundHalf((Math.max(...own) + Math.min(...own)) / 2 + 0.3) : 0
    const scale = roundHalf(Math.max(...own.map((value) => Math.abs(value - centre))) / most)
    scales[index] = scale
    centres[index] = centre
    own.forEach((value, i) => {
      const code = Math.round((value - centre) / scale)
      codes[index * group + i] = code
      values[index * group + i] = code * scale + centre
    })
  }
  return { codes, scales, centres, values }
}

/** Rows in the weight layout; rows that only fill a block of eight are poison. */
export function encode(coded: Format | Coding, values: Float64Array, rows: number, columns: number) {
  const coding = asCoding(coded)
  const { format } = coding
  const groups = Math.ceil(columns / 32)
  const words = new Uint32Array(layoutWords(coding, rows, columns)).fill(POISON)
  const halves = new Uint16Array(words.buffer)
  const stored = new Float64Array(rows * columns)
  const own = new Uint8Array(groups * 128) // one row as bytes, group after group
  for (let row = 0; row < rows; row++) {
    const line = values.subarray(row * columns, (row + 1) * columns)
    const bytes = own.subarray(0, groups * layouts[format].words * layouts[format].vectors * 4).fill(0)
    let scales: Float64Array | undefined
    let centres: Float64Array | undefined
    if (format === 'f32') {
      const floats = new Float32Array(bytes.buffer)
      floats.set(line)
      stored.set(floats.subarray(0, columns), row * columns)
    } else if (format === 'f16') {
      new Uint16Array(bytes.buffer).set(Array.from(line, halfBits))
      stored.set(line.map(roundHalf), row * columns)
    } else if (coding.group !== 32 || coding.centred) {
      const own = codedRow(line, coding)
      bytes.set(format === 'q8' ? new Uint8Array(own.codes.buffer) : nibbles(own.codes, 8))
      scales = own.scales
      centres = own.centres
      stored.set(own.values, row * columns)
    } else if (format === 'q8') {
      const quantised = quantise8(line)
      bytes.set(new Uint8Array(quantised.codes.buffer))
      scales = quantised.scales
      stored.set(dequantise8(quantised, columns), row * columns)
    } else {
      const quantised = quantise4(line)
      bytes.set(nibbles(quantised.codes, 0))
      scales = quantised.scales
      stored.set(dequantise4(quantised, columns), row * columns)
    }
    const source = new Uint32Array(own.buffer)
    const perGroup = layouts[format].words * layouts[format].vectors
    for (let group = 0; group < groups; group++) {
      for (let word = 0; word < perGroup; word++) words[place(format, groups, row, group, word)] = source[group * perGroup + word]!
    }
    scales?.forEach((scale, index) => {
      halves[halfPlace(coding, scalesAt(coding, groups, rows), groups, row, index)] = halfBits(scale)
      if (coding.centred) halves[halfPlace(coding, centresAt(coding, groups, rows), groups, row, index)] = halfBits(centres![index]!)
    })
  }
  return { words, stored }
}

/** Byte b of a word: code b in the low nibble, code b + 4 in the high one. */
function nibbles(codes: ArrayLike<number>, zero: number): Uint8Array {
  return Uint8Array.from({ length: codes.length / 2 }, (_, i) => {
    const first = (i >> 2) * 8 + (i & 3)
    return (codes[first]! + zero) | ((codes[first + 4]! + zero) << 4)
  })
}

/** The values [rows, groups * 32] in a buffer in the weight layout. */
export function decode(coded: Format | Coding, words: Uint32Array, rows: number, columns: number): Float64Array {
  const coding = asCoding(coded)
  const { format, group: each, centred } = coding
  const groups = Math.ceil(columns / 32)
  const halves = new Uint16Array(words.buffer)
  const floats = new Float32Array(words.buffer)
  const values = new Float64Array(rows * groups * 32)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < groups * 32; column++) {
      const group = column >> 5
      const i = column & 31
      const at = (word: number) => place(format, groups, row, group, word)
      const half = (at: number) => halfValue(halves[halfPlace(coding, at, groups, row, Math.floor(column / each))]!)
      const pair = centresAt(coding, groups, rows) * 8 + ((row >> 3) * superGroups(groups) + (column >> 8)) * 16 + (row & 7) * 2
      const small = halves[halfPlace(coding, scalesAt(coding, groups, rows), groups, row, Math.floor(column / each))]!
      let scale = scaled(format) ? half(scalesAt(coding, groups, rows)) : 1
      let centre = centred && !coding.super ? half(centresAt(coding, groups, rows)) : 0
      if (coding.super) {
        scale = halfValue(halves[pair]!) * ((small << 24) >> 24)
        centre = (format === 'q4' ? 8 * scale : 0) - halfValue(halves[pair + 1]!) * (small >> 8)
      }
      let value: number
      if (format === 'f32') value = floats[at(i)]!
      else if (format === 'f16') value = halfValue(halves[at(i >> 1) * 2 + (i & 1)]!)
      else if (format === 'q8') value = ((words[at(i >> 2)]! << (24 - 8 * (i & 3))) >> 24) * scale
      else value = (((words[at(i >> 3)]! >>> (8 * (i & 3) + (i & 4))) & 15) - 8) * scale
      values[row * groups * 32 + column] = value + centre
    }
  }
  return values
}

/** Deterministic numbers: `uniform()` in [0, 1), `normal()`, and a row-major array of normals. */
export function numbers(seed: number) {
  let state = seed >>> 0
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())
  /** Normals that f32 holds. */
  const array = (length: number, scale = 1) => Float64Array.from({ length }, () => Math.fround(normal() * scale))
  return { uniform, normal, array }
}

/** What a buffer must hold: a value within a bound, or (NaN) the poison that was there. */
export interface Wanted {
  values: Float64Array
  bounds: Float64Array
}

export const untouched = (length: number): Wanted => ({
  values: new Float64Array(length).fill(Number.NaN),
  bounds: new Float64Array(length),
})

export function expectWanted(words: Uint32Array, { values, bounds }: Wanted, as: 'f32' | 'f16' = 'f32'): void {
  const raw = as === 'f32' ? words : new Uint16Array(words.buffer)
  const floats = new Float32Array(words.buffer)
  const poison = (index: number) => (as === 'f32' ? POISON : index % 2 === 0 ? POISON & 0xffff : POISON >>> 16)
  const wrong: string[] = []
  for (let index = 0; index < values.length; index++) {
    const own = as === 'f32' ? floats[index]! : halfValue(raw[index]!)
    const good = Number.isNaN(values[index]!) ? raw[index] === poison(index) : Math.abs(own - values[index]!) <= bounds[index]!
    if (!good) wrong.push(`[${index}] is ${own} (${raw[index]!.toString(16)}), wanted ${values[index]} ± ${bounds[index]}`)
  }
  expect(wrong.slice(0, 8), `${wrong.length} of ${values.length} are wrong`).toEqual([])
}
