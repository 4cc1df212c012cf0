// shaders/blocks against their references: what block_code and block_span say of every value of every window, and what repacking makes of them.
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Kernel } from '../../src/gpu/pipeline.ts'
import { files } from '../../src/kernels/files.ts'
import { type Coding, centresAt, plain, scaleGroups, scalesAt, splitRows } from '../../src/kernels/matrix.ts'
import { type WindowChunk, windowGroups, windowParameters } from '../../src/kernels/quantise.ts'
import { repack } from '../../src/kernels/repack.ts'
import { awqBlocks, compressedBlocks, ggufBlocks, gptqBlocks } from '../../src/weights/blocks.ts'
import { packedBlocks } from '../../src/weights/packed_blocks.ts'
import type { Blocks, TensorEntry, Window } from '../../src/weights/tensor.ts'
import {
  type Decoded,
  decodeAwq,
  decodeCompressed,
  decodeGguf,
  decodeGptq,
  decodePacked,
  ggufTypes,
  type PackedOptions,
  type PartOptions,
  randomGguf,
  randomParts,
} from '../reference/blocks.ts'
import { halfValue } from '../reference.ts'
import { Bench, decode, numbers, POISON } from './run.ts'

let bench: Bench
beforeAll(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clear())

/** A tensor as a file has it, and what it says. */
interface Stored {
  name: string
  rows: number
  columns: number
  blocks: Blocks
  /** The entry itself first. */
  parts: Record<string, Uint8Array>
  decoded: Decoded
  order?: Uint32Array<ArrayBuffer>
}

/** For every value of a window: code, scale, centre. */
const probe = `
@group(0) @binding(2) var<storage, read_write> y: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x / (window_groups() * 32u);
  let column = id.x % (window_groups() * 32u);
  if (row >= aux[0] || window_group() * 32u + column >= row_columns()) { return; }
  let span = block_span(aux[12] + row, column);
  y[id.x * 3u] = bitcast<u32>(block_code(aux[12] + row, column));
  y[id.x * 3u + 1u] = bitcast<u32>(span.x);
  y[id.x * 3u + 2u] = bitcast<u32>(span.y);
}`

/** Each part in a file of its own, with other bytes before and behind. */
function entryOf({ blocks, rows, columns, parts, order }: Stored): { entry: TensorEntry; files: Map<string, Uint8Array> } {
  const files = new Map<string, Uint8Array>()
  const all = Object.entries(parts).map(([name, bytes], index): [string, TensorEntry] => {
    const start = 6 + 10 * index
    const file = new Uint8Array(start + bytes.length + 40).fill(0xa7)
    file.set(bytes, start)
    files.set(name, file)
    return [name, { name, dtype: '', shape: [rows, columns], file: name, start, end: start + bytes.length }]
  })
  const [[, own]] = all as [[string, TensorEntry]]
  return { entry: { ...own, blocks, parts: Object.fromEntries(all.slice(1)), ...(order ? { order } : {}) }, files }
}

/** The bytes of a window as the loader stages them: each part at a multiple of 16, an order and its inverse as parts 3 and 4. */
function stage(stored: Stored, window: Window): { source: Uint32Array<ArrayBuffer>; at: number[] } {
  const { entry, files } = entryOf(stored)
  const read = stored.blocks.ranges(entry, window).map(({ file, start, end }) => {
    const { length } = stored.parts[file]!
    const first = file === entry.file ? entry.start : entry.parts![file]!.start
    expect(start >= first && end <= first + length && end >= start, `${file} ${start} ${end}`).toBe(true)
    return files.get(file)!.slice(start, end)
  })
  if (stored.order) {
    const places = new Uint32Array(stored.order.length)
    stored.order.forEach((input, place) => {
      places[input] = place
    })
    while (read.length < 3) read.push(new Uint8Array(0))
    read.push(new Uint8Array(stored.order.buffer), new Uint8Array(places.buffer))
  }
  const at: number[] = []
  let size = 0
  for (const { length } of read) {
    at.push(size)
    size += Math.ceil(length / 16) * 16
  }
  const bytes = new Uint8Array(Math.max(16, size)).fill(0xa7)
  read.forEach((part, index) => {
    bytes.set(part, at[index]!)
  })
  return { source: new Uint32Array(bytes.buffer), at }
}

const constantsOf = (stored: Stored) => stored.blocks.constants?.(entryOf(stored).entry) ?? {}

function chunkOf(window: Window, parts: number[], first: number, rows: number, destination: number): WindowChunk {
  return { rows, first, destination, step: 1, tensor: 0, window, parts }
}

/** Runs the probe over a window and holds every value of it against the reference. */
async function expectWindow(stored: Stored, window: Window): Promise<void> {
  const { blocks, columns, decoded } = stored
  const { source, at } = stage(stored, window)
  const kernel: Kernel = {
    name: `probe ${blocks.name}`,
    files: [...files('window', 'bytes'), ...blocks.files, { name: 'probe', source: probe }],
    bindings: { y: 'write', aux: 'read', source: 'read' },
    constants: constantsOf(stored),
  }
  const first = Math.min(1, window.rows - 1)
  const chunk = chunkOf(window, at, first, window.rows - first, 0)
  const y = bench.poisoned('y', chunk.rows * window.groups * 96)
  const aux = bench.buffer('aux', windowParameters(chunk, blocks.coding, columns, stored.rows))
  await bench.run(kernel, { y, aux, source: bench.buffer('source', source) }, [Math.ceil((chunk.rows * window.groups * 32) / 64)])
  const words = await bench.words(y)
  const codes = new Int32Array(words.buffer)
  const floats = new Float32Array(words.buffer)
  const wide = Math.ceil(columns / decoded.group)
  const wrong: string[] = []
  for (let i = 0; i < chunk.rows * window.groups * 32; i++) {
    const row = window.row + first + Math.floor(i / (window.groups * 32))
    const column = window.group * 32 + (i % (window.groups * 32))
    const own = [codes[i * 3], floats[i * 3 + 1], floats[i * 3 + 2]] as [number, number, number]
    if (column >= columns) {
      if (words[i * 3] !== POISON) wrong.push(`column ${column} is beyond the row`)
      continue
    }
    const span = row * wide + Math.floor(column / decoded.group)
    const [code, scale, centre] = [decoded.codes[row * columns + column]!, decoded.scales[span]!, decoded.centres[span]!]
    // Scales take no rounding; a centre is a difference of two numbers that have none.
    const bound = 2 ** -23 * (16 * Math.abs(scale) + Math.abs(centre))
    if (own[0] !== code || own[1] !== scale || !(Math.abs(own[2] - centre) <= bound) || (!blocks.coding.centred && own[2] !== 0))
      wrong.push(`[${row}, ${column}] is ${own}, wanted ${[code, scale, centre]}`)
  }
  expect(wrong.slice(0, 6), `${wrong.length} of ${blocks.name} are wrong`).toEqual([])
}

/** Codes, scales and centres of a part in the weight layout. */
function read(coding: Coding, words: Uint32Array, rows: number, columns: number) {
  const groups = Math.ceil(columns / 32)
  const halves = new Uint16Array(words.buffer)
  const wide = scaleGroups(coding, groups)
  const block = (row: number, group: number) => Math.floor(row / 8) * groups + group
  return {
    code(row: number, column: number): number {
      const [own, i] = [block(row, column >> 5), column & 31]
      if (coding.format === 'q4') return ((words[(own * 8 + (row % 8)) * 4 + (i >> 3)]! >>> (8 * (i & 3) + (i & 4))) & 15) - 8
      return (words[((own * 2 + (i >> 4)) * 8 + (row % 8)) * 4 + ((i >> 2) & 3)]! << (24 - 8 * (i & 3))) >> 24
    },
    half(from: number, row: number, column: number): number {
      return halfValue(halves[from * 8 + (Math.floor(row / 8) * wide + Math.floor(column / coding.group)) * 8 + (row % 8)]!)
    },
    scales: scalesAt(coding, groups, rows),
    centres: centresAt(coding, groups, rows),
  }
}

/** Brings all windows into one part. */
async function convert(stored: Stored, to: Coding, windows: Window[]): Promise<Uint32Array> {
  const { blocks, rows, columns, order } = stored
  const words = new Uint32Array(splitRows(to, rows, columns, Number.MAX_SAFE_INTEGER)[0]!.bytes / 4)
  words.fill(POISON, 0, scalesAt(to, Math.ceil(columns / 32), rows) * 4)
  const y = bench.buffer('y', words)
  const status = bench.buffer('status', new Uint32Array(2))
  const kernel = repack({ ...blocks, constants: constantsOf(stored), sorted: order !== undefined }, to)
  for (const window of windows) {
    const { source, at } = stage(stored, window)
    const chunk = chunkOf(window, at, 0, window.rows, window.row)
    const aux = bench.buffer('aux', windowParameters(chunk, to, columns, rows))
    await bench.run(kernel, { y, aux, source: bench.buffer('source', source), status }, windowGroups(chunk))
  }
  expect((await bench.words(status))[0]).toBe(0)
  return bench.words(y)
}

async function expectRepacked(stored: Stored, windows: Window[]): Promise<void> {
  const { blocks, rows, columns, decoded } = stored
  const { super: _, ...coding } = blocks.coding
  const own = read(coding, await convert(stored, coding, windows), rows, columns)
  const wide = Math.ceil(columns / decoded.group)
  const wrong: string[] = []
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < Math.ceil(columns / 32) * 32; column++) {
      if (column >= columns) {
        if (own.code(row, column) !== 0) wrong.push(`[${row}, ${column}] is not 0`)
        continue
      }
      const span = row * wide + Math.floor(column / decoded.group)
      const [scale, centre] = [decoded.scales[span]!, decoded.centres[span]!]
      const ownScale = own.half(own.scales, row, column)
      const ownCentre = blocks.coding.centred ? own.half(own.centres, row, column) : 0
      const near = (a: number, b: number) => Math.abs(a - b) <= 2 ** -11 * Math.abs(b) * 1.001 + 2 ** -25
      const good = own.code(row, column) === decoded.codes[row * columns + column] && near(ownScale, scale)
      if (!good || !(near(ownCentre, centre) || Math.abs(ownCentre - centre) <= 2 ** -20 * Math.abs(scale)))
        wrong.push(`[${row}, ${column}] is ${[own.code(row, column), ownScale, ownCentre]}, wanted scale ${scale}, centre ${centre}`)
    }
  }
  expect(wrong.slice(0, 6), `${wrong.length} of ${blocks.name} are wrong`).toEqual([])
}

/** Where scales stay whole numbers no value changes, nor where eight bits keep what four would. */
async function expectExact(stored: Stored, windows: Window[]): Promise<void> {
  const { blocks, rows, columns, decoded } = stored
  for (const coding of [blocks.coding, { format: 'q8', group: 16, centred: true, super: true } as const]) {
    const own = decode(coding, await convert(stored, coding, windows), rows, columns)
    const far = decoded.values.findIndex((value, at) => !(Math.abs(own[at]! - value) <= 2 ** -20 * Math.abs(value) + 2 ** -26))
    expect(far, `${own[far]} instead of ${decoded.values[far]}`).toBe(-1)
  }
}

const seed = (name: string) => numbers([...name].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7))

function gguf(type: string, rows: number, columns: number): Stored {
  const codes = randomGguf(type, rows, columns, seed(type).uniform)
  return { name: type, rows, columns, blocks: ggufBlocks[type]!, parts: { codes }, decoded: decodeGguf(type, codes, rows, columns) }
}

function shuffled(columns: number): Uint32Array<ArrayBuffer> {
  const { uniform } = numbers(columns)
  const turn = Array.from({ length: columns }, (_, i) => [uniform(), i] as const).sort(([a], [b]) => a - b)
  return Uint32Array.from(turn, ([, i]) => i)
}

function gptq(rows: number, columns: number, options: PartOptions): Stored {
  const { qweight, qzeros, scales } = randomParts.gptq(rows, columns, options, seed('gptq').uniform) as Record<string, Uint8Array>
  const { group, symmetric = false, v2 = false } = options
  const parts = { qweight: qweight!, scales: scales!, ...(symmetric ? {} : { qzeros: qzeros! }) }
  const blocks = gptqBlocks({ group, symmetric, v2 })
  const decoded = decodeGptq(parts, rows, columns, options)
  return { name: blocks.name, rows, columns, blocks, parts, decoded, ...(options.order ? { order: Uint32Array.from(options.order) } : {}) }
}

function awq(rows: number, columns: number, options: PartOptions): Stored {
  const parts = randomParts.awq(rows, columns, options, seed('awq').uniform)
  const blocks = awqBlocks(options)
  return { name: blocks.name, rows, columns, blocks, parts, decoded: decodeAwq(parts, rows, columns, options) }
}

function compressed(rows: number, columns: number, options: PartOptions): Stored {
  const { weight, scale, zero } = randomParts.compressed(rows, columns, options, seed('compressed').uniform) as Record<string, Uint8Array>
  const { group, symmetric = false, bf16 = false } = options
  const parts = { weight: weight!, scale: scale!, ...(symmetric ? {} : { zero: zero! }) }
  const blocks = compressedBlocks({ group, symmetric, bf16 })
  const decoded = decodeCompressed(parts, rows, columns, options)
  return { name: blocks.name, rows, columns, blocks, parts, decoded, ...(options.order ? { order: Uint32Array.from(options.order) } : {}) }
}

function packed(rows: number, columns: number, options: PackedOptions & { group: 32 | 64 | 128 }): Stored {
  const { codes, scales, centres } = randomParts.packed(rows, columns, options, seed('packed').uniform) as Record<string, Uint8Array>
  const parts = { codes: codes!, scales: scales!, ...(options.centred ? { centres: centres! } : {}) }
  const blocks = packedBlocks(options)
  return { name: blocks.name, rows, columns, blocks, parts, decoded: decodePacked(parts, rows, columns, options) }
}

/** Whole rows: several windows, one of a single row, one that begins within eight. */
function byRows({ rows, columns }: Stored): Window[] {
  const groups = Math.ceil(columns / 32)
  if (rows < 8) return [{ row: 0, rows, group: 0, groups }]
  return [
    { row: 0, rows: 5, group: 0, groups },
    { row: 5, rows: 1, group: 0, groups },
    { row: 6, rows: rows - 6, group: 0, groups },
  ]
}

/** All rows of some columns: the first step, then three at a time. */
function bySteps({ rows, columns, blocks, order }: Stored): Window[] {
  const groups = Math.ceil(columns / 32)
  if (order) return [{ row: 0, rows, group: 0, groups }]
  const step = blocks.step!
  const windows = [{ row: 0, rows, group: 0, groups: Math.min(step, groups) }]
  for (let group = step; group < groups; group += 3 * step)
    windows.push({ row: 0, rows, group, groups: Math.min(3 * step, groups - group) })
  return windows
}

const cases: Stored[] = [
  ...Object.entries(ggufTypes).map(([type, { values }]) => gguf(type, 13, values === 32 ? 96 : 512)),
  gguf('Q4_0', 1, 32),
  gguf('Q6_K', 1, 256),
  gptq(24, 320, { group: 128 }),
  gptq(13, 96, { group: 32, v2: true }),
  gptq(8, 192, { group: 192, symmetric: true }),
  // A window of a type with odd groups may begin and end within one.
  gptq(8, 192, { group: 96 }),
  awq(8, 192, { group: 96 }),
  gptq(24, 160, { group: 64, order: shuffled(160) }),
  gptq(16, 96, { group: 32, symmetric: true, order: shuffled(96) }),
  awq(24, 320, { group: 128 }),
  awq(8, 96, { group: 32 }),
  compressed(13, 136, { group: 128, bf16: true }),
  compressed(21, 96, { group: 32 }),
  compressed(13, 192, { group: 192, symmetric: true }),
  compressed(13, 96, { group: 32, order: shuffled(96) }),
  compressed(13, 160, { group: 64, symmetric: true, order: shuffled(160) }),
  packed(13, 100, { bits: 4, group: 32, centred: false }),
  packed(13, 200, { bits: 4, group: 128, centred: true }),
  packed(13, 100, { bits: 8, group: 64, centred: false }),
  packed(1, 40, { bits: 8, group: 32, centred: true }),
]
const windowsOf = (stored: Stored) => (stored.blocks.step ? bySteps : byRows)(stored)
const titled = cases.map((stored) => ({
  title: `${stored.name}, [${stored.rows}, ${stored.columns}]${stored.order ? ', sorted' : ''}`,
  stored,
}))

describe.each(titled)('$title', ({ stored }) => {
  it('has the codes, scales and centres of the file in every window', async () => {
    for (const window of windowsOf(stored)) await expectWindow(stored, window)
  })

  it('is repacked without loss', async () => {
    await expectRepacked(stored, windowsOf(stored))
    if (stored.blocks.coding.super) await expectExact(stored, windowsOf(stored))
  })
})

it.each(titled.filter(({ stored }) => stored.order))('$title: values coded anew stand in their own places', async ({ stored }) => {
  const { rows, columns, decoded, order } = stored
  const own = decode('f32', await convert(stored, plain('f32'), windowsOf(stored)), rows, columns)
  const wide = Math.ceil(columns / 32) * 32
  for (let row = 0; row < rows; row++) {
    for (let place = 0; place < columns; place++) {
      const wanted = decoded.values[row * columns + place]!
      expect(Math.abs(own[row * wide + order![place]!]! - wanted), `[${row}, ${place}]`).toBeLessThanOrEqual(
        2 ** -20 * Math.abs(wanted) + 1e-9,
      )
    }
  }
})
