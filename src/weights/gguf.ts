// Opens a GGUF: one file, or parts named -00001-of-0000N.gguf. Only headers are read here, in growing ranges; tensors are read by range, later.
// Files are untrusted: every count is held against the file's real size before memory is taken for it, and each of them costs bytes of the file.
import { GlmError } from '../errors.ts'
import { checkOverlap } from './safetensors.ts'
import type { Source } from './source.ts'
import type { TensorEntry } from './tensor.ts'

/** A value of the metadata. 64-bit integers are numbers, rounded where a double must; arrays of numbers keep their own width. */
export type GgufValue = number | boolean | string | GgufNumbers | GgufValue[]
export type GgufNumbers =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array
  | BigUint64Array
  | BigInt64Array

export interface Gguf {
  version: number
  /** Of the first part. */
  metadata: Map<string, GgufValue>
  /** By the names of the file. */
  tensors: Map<string, TensorEntry>
  /** Of all parts together. */
  bytes: number
  /** Parts in their order. */
  files: string[]
}

/** Counts what the parser does: one for each value, and one for each 64 bytes of a string or list. */
export interface Steps {
  count: number
}

/** By number: name, values in a block, bytes of a block. */
const types = new Map<number, readonly [string, number, number]>([
  [0, ['F32', 1, 4]],
  [1, ['F16', 1, 2]],
  [2, ['Q4_0', 32, 18]],
  [3, ['Q4_1', 32, 20]],
  [6, ['Q5_0', 32, 22]],
  [7, ['Q5_1', 32, 24]],
  [8, ['Q8_0', 32, 34]],
  [9, ['Q8_1', 32, 36]],
  [10, ['Q2_K', 256, 84]],
  [11, ['Q3_K', 256, 110]],
  [12, ['Q4_K', 256, 144]],
  [13, ['Q5_K', 256, 176]],
  [14, ['Q6_K', 256, 210]],
  [15, ['Q8_K', 256, 292]],
  [16, ['IQ2_XXS', 256, 66]],
  [17, ['IQ2_XS', 256, 74]],
  [18, ['IQ3_XXS', 256, 98]],
  [19, ['IQ1_S', 256, 50]],
  [20, ['IQ4_NL', 32, 18]],
  [21, ['IQ3_S', 256, 110]],
  [22, ['IQ2_S', 256, 82]],
  [23, ['IQ4_XS', 256, 136]],
  [24, ['I8', 1, 1]],
  [25, ['I16', 1, 2]],
  [26, ['I32', 1, 4]],
  [27, ['I64', 1, 8]],
  [28, ['F64', 1, 8]],
  [29, ['IQ1_M', 256, 56]],
  [30, ['BF16', 1, 2]],
  [34, ['TQ1_0', 256, 54]],
  [35, ['TQ2_0', 256, 66]],
  [39, ['MXFP4', 32, 17]],
  [40, ['NVFP4', 64, 36]],
  [41, ['Q1_0', 128, 18]],
  [42, ['Q2_0', 64, 18]],
])

const magic = 0x46554747 // GGUF
const firstRead = 2 ** 20
const limits = { header: 2 ** 27, string: 2 ** 24, keys: 2 ** 16, tensors: 2 ** 16, arrays: 2 ** 16, depth: 3, parts: 999 }

/** Reads the header of `file`; of a split model any part may be named. Throws `file_missing`, `file_truncated`, `file_invalid`, `tensor_invalid`. */
export async function openGguf(source: Source, file: string, signal?: AbortSignal): Promise<Gguf> {
  checkPath(file)
  const named = await openPart(source, file, signal)
  const count = named.metadata.get('split.count') ?? 1
  if (count === 1) return named
  const names = partNames(file, count)
  const first = names[0] === file ? named : await openPart(source, names[0]!, signal)
  const parts: Gguf[] = []
  for (const [at, name] of names.entries()) {
    const part = at === 0 ? first : name === file ? named : await openPart(source, name, signal)
    const { metadata } = part
    if (metadata.get('split.no') !== at || metadata.get('split.count') !== count) {
      throw new GlmError('file_invalid', `${name} says that it is another part than its name says; download all parts again.`)
    }
    parts.push(part)
  }
  return join(parts)
}

function join(parts: Gguf[]): Gguf {
  const [first] = parts as [Gguf]
  const tensors = new Map<string, TensorEntry>()
  for (const part of parts) {
    for (const [name, tensor] of part.tensors) {
      if (tensors.has(name))
        throw new GlmError('file_invalid', `"${brief(name)}" is in two parts of ${first.files[0]}; download all parts again.`)
      tensors.set(name, tensor)
    }
  }
  const expected = first.metadata.get('split.tensors.count')
  if (expected !== undefined && expected !== tensors.size) {
    throw new GlmError(
      'file_invalid',
      `The parts of ${first.files[0]} hold ${tensors.size} tensors instead of ${expected}; download all again.`,
    )
  }
  return { ...first, tensors, bytes: parts.reduce((sum, part) => sum + part.bytes, 0), files: parts.flatMap((part) => part.files) }
}

/** Parts stand beside the one that was named, and are named like it: the file's contents lead nowhere. */
function partNames(file: string, count: GgufValue): string[] {
  const [, stem, , total] = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/s.exec(file) ?? []
  if (stem === undefined || Number(total) !== count || !Number.isInteger(count) || count < 1 || count > limits.parts) {
    throw new GlmError('file_invalid', `${brief(file)} is a part of a model and needs its own name, like model-00001-of-00003.gguf.`)
  }
  return Array.from({ length: count }, (_, at) => `${stem}-${String(at + 1).padStart(5, '0')}-of-${total}.gguf`)
}

function checkPath(file: string): void {
  const out = /^[/\\]|[\0\\]|:\/\//.test(file) || file.split('/').some((step) => step === '..' || step === '.' || step === '')
  if (out || !/\.gguf$/i.test(file))
    throw new GlmError('file_invalid', `"${brief(file)}" is not the path of a .gguf file in the model's folder.`)
}

/** A header has no length of its own: ranges grow until one holds it. */
async function openPart(source: Source, file: string, signal?: AbortSignal): Promise<Gguf> {
  const size = await source.size(file, signal)
  const most = Math.min(size, limits.header)
  let bytes = await source.read(file, 0, Math.min(most, firstRead), signal)
  for (;;) {
    const header = parseGguf(bytes, size, file)
    if (typeof header !== 'number') return header
    const end = Math.min(most, Math.max(header, bytes.length * 2))
    const more = await source.read(file, bytes.length, end, signal)
    const all = new Uint8Array(end)
    all.set(bytes)
    all.set(more, bytes.length)
    bytes = all
  }
}

/**
 * The header of one file. `bytes` starts where the file starts; `fileSize` is the size of the whole file. Where the header goes on behind
 * `bytes`, the answer is how many bytes of the file are needed at least. Throws `file_truncated`, `file_invalid` or `tensor_invalid`.
 */
export function parseGguf(bytes: Uint8Array, fileSize: number, file: string, steps: Steps = { count: 0 }): Gguf | number {
  try {
    const cursor = new Cursor(bytes, fileSize, file, steps)
    const { version, tensorCount, keyCount } = parseStart(cursor)
    const metadata = new Map<string, GgufValue>()
    for (let at = 0; at < keyCount; at++) {
      const key = cursor.string()
      if (metadata.has(key)) throw cursor.invalid(`has the key "${brief(key)}" twice`)
      metadata.set(key, cursor.value(cursor.u32(), 0))
    }
    const infos = Array.from({ length: tensorCount }, () => parseInfo(cursor))
    const tensors = place(infos, cursor, alignmentOf(cursor, metadata))
    return { version, metadata, tensors, bytes: fileSize, files: [file] }
  } catch (error) {
    if (error instanceof Short) return error.needed
    throw error
  }
}

function parseStart(cursor: Cursor): { version: number; tensorCount: number; keyCount: number } {
  if (cursor.size < 24) throw cursor.truncated()
  if (cursor.u32() !== magic) throw cursor.invalid('is not GGUF: it does not begin with its mark')
  const version = cursor.u32()
  if (version > 0 && version % 65536 === 0) throw cursor.invalid('is big-endian, which is not supported')
  if (version !== 2 && version !== 3) throw cursor.invalid(`is GGUF of version ${version}; versions 2 and 3 are supported`)
  const tensorCount = cursor.length(24) // a name's length, dims, type and offset
  const keyCount = cursor.length(13)
  if (tensorCount > limits.tensors || keyCount > limits.keys) throw cursor.invalid(`claims ${tensorCount} tensors and ${keyCount} keys`)
  return { version, tensorCount, keyCount }
}

interface Info {
  name: string
  shape: number[]
  type: number
  offset: number
}

function parseInfo(cursor: Cursor): Info {
  const name = cursor.string()
  const dimensions = cursor.u32()
  if (dimensions > 4)
    throw new GlmError('tensor_invalid', `"${brief(name)}" in ${cursor.file} has ${dimensions} dimensions; convert it again.`)
  // Innermost first in the file.
  const shape = Array.from({ length: dimensions }, () => cursor.u64()).reverse()
  return { name, shape, type: cursor.u32(), offset: cursor.u64() }
}

function alignmentOf(cursor: Cursor, metadata: Map<string, GgufValue>): number {
  const value = metadata.get('general.alignment') ?? 32
  if (typeof value !== 'number' || value < 1 || value > 2 ** 20 || !Number.isInteger(Math.log2(value))) {
    throw cursor.invalid('has a general.alignment that is no power of two')
  }
  return value
}

/** Absolute ranges, each inside the file and of the size that type and shape need, none over another. */
function place(infos: Info[], { at, size: fileSize, file }: Cursor, alignment: number): Map<string, TensorEntry> {
  const data = Math.ceil(at / alignment) * alignment
  const tensors = new Map<string, TensorEntry>()
  for (const { name, shape, type, offset } of infos) {
    const fail = (why: string) => new GlmError('tensor_invalid', `"${brief(name)}" in ${file} ${why}; download or convert it again.`)
    if (tensors.has(name)) throw fail('is there twice')
    if (offset % alignment !== 0) throw fail(`begins at ${offset}, which is not a multiple of ${alignment}`)
    // Of a type that has no entry only the name is known; it is refused when somebody wants it.
    const [dtype, block, size] = types.get(type) ?? [`ggml type ${type}`, 1, 0]
    if ((shape.at(-1) ?? 1) % block !== 0) throw fail(`has rows that are not whole blocks of ${dtype}`)
    const count = shape.reduce((product, length) => product * length, 1)
    // A 0 among them must not hide an overflow.
    const most = shape.reduce((product, length) => product * Math.max(1, length), size)
    const bytes = (count / block) * size
    if (!Number.isSafeInteger(count) || !Number.isSafeInteger(most)) throw fail('has a shape too large to be true')
    const start = data + offset
    const end = start + bytes
    if (!(end <= fileSize))
      throw new GlmError('file_truncated', `${file} ends at byte ${fileSize}, but "${brief(name)}" ends at ${end}; download it again.`)
    tensors.set(name, { name, dtype, shape, file, start, end })
  }
  checkOverlap([...tensors.values()], file)
  return tensors
}

/** The header goes on behind the bytes at hand. */
class Short extends Error {
  readonly needed: number

  constructor(needed: number) {
    super()
    this.needed = needed
  }
}

/** Reads little-endian values one after the other. */
class Cursor {
  at = 0
  readonly size: number
  readonly file: string
  private readonly bytes: Uint8Array
  private readonly view: DataView
  private readonly steps: Steps
  private readonly text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  private arrays = 0

  constructor(bytes: Uint8Array, size: number, file: string, steps: Steps) {
    this.bytes = bytes
    this.size = size
    this.file = file
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.steps = steps
  }

  invalid = (why: string) => new GlmError('file_invalid', `${this.file} ${why}; download or convert it again.`)
  truncated = () => new GlmError('file_truncated', `${this.file} ends inside its own header; download it again.`)

  /** Moves over `length` bytes and says where they begin. */
  private take(length: number): number {
    const from = this.at
    const end = from + length
    if (end > this.size) throw this.truncated()
    if (end > limits.header) throw this.invalid(`has a header of more than ${limits.header} bytes`)
    if (end > this.bytes.length) throw new Short(end)
    this.at = end
    this.steps.count += 1 + (length >> 6)
    return from
  }

  u32 = () => this.view.getUint32(this.take(4), true)

  u64(): number {
    const value = this.view.getBigUint64(this.take(8), true)
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.invalid(`has a length or offset of ${value}`)
    return Number(value)
  }

  /** A count of things of which each takes `least` bytes behind it. */
  length(least: number): number {
    const count = this.u64()
    if (count * least > this.size - this.at) throw this.truncated()
    return count
  }

  string(): string {
    const length = this.length(1)
    if (length > limits.string) throw this.invalid(`has a string of ${length} bytes`)
    const from = this.take(length)
    try {
      return this.text.decode(this.bytes.subarray(from, from + length))
    } catch {
      throw this.invalid('has a string that is not UTF-8')
    }
  }

  value(type: number, depth: number): GgufValue {
    if (type === 8) return this.string()
    if (type === 9) return this.array(depth)
    if (type === 7) return this.bool()
    const { bytes, read } = this.numbers(type)
    return Number(read(this.view, this.take(bytes)))
  }

  private numbers(type: number) {
    return numbers.get(type) ?? fail(this.invalid(`has a value of the unknown type ${type}`))
  }

  private bool(): boolean {
    const value = this.view.getUint8(this.take(1))
    if (value > 1) throw this.invalid(`has a truth value of ${value}`)
    return value === 1
  }

  private array(depth: number): GgufValue {
    const type = this.u32()
    if (depth >= limits.depth) throw this.invalid('has lists too deep in one another')
    if (++this.arrays > limits.arrays) throw this.invalid('has too many lists')
    // Only strings and lists have a length of their own in front.
    if (type === 7 || type === 8 || type === 9) {
      const count = this.length(type === 7 ? 1 : type === 8 ? 8 : 12)
      const values: GgufValue[] = []
      for (let at = 0; at < count; at++) values.push(this.value(type, depth + 1))
      return values
    }
    const { bytes, list } = this.numbers(type)
    const count = this.length(bytes)
    const from = this.take(count * bytes)
    return new list(this.bytes.slice(from, from + count * bytes).buffer)
  }
}

interface NumberType {
  bytes: number
  read: (view: DataView, at: number) => number | bigint
  list: new (buffer: ArrayBuffer) => GgufNumbers
}

/** By number. Lists are copied as they stand: every engine that runs this is little-endian. */
const numbers = new Map<number, NumberType>([
  [0, { bytes: 1, read: (view, at) => view.getUint8(at), list: Uint8Array }],
  [1, { bytes: 1, read: (view, at) => view.getInt8(at), list: Int8Array }],
  [2, { bytes: 2, read: (view, at) => view.getUint16(at, true), list: Uint16Array }],
  [3, { bytes: 2, read: (view, at) => view.getInt16(at, true), list: Int16Array }],
  [4, { bytes: 4, read: (view, at) => view.getUint32(at, true), list: Uint32Array }],
  [5, { bytes: 4, read: (view, at) => view.getInt32(at, true), list: Int32Array }],
  [6, { bytes: 4, read: (view, at) => view.getFloat32(at, true), list: Float32Array }],
  [10, { bytes: 8, read: (view, at) => view.getBigUint64(at, true), list: BigUint64Array }],
  [11, { bytes: 8, read: (view, at) => view.getBigInt64(at, true), list: BigInt64Array }],
  [12, { bytes: 8, read: (view, at) => view.getFloat64(at, true), list: Float64Array }],
])

function fail(error: GlmError): never {
  throw error
}

const brief = (text: string) => (text.length > 120 ? `${text.slice(0, 120)}…` : text)
