// Opens a checkpoint in safetensors: one file, or shards with an index. Only headers are read here; tensors are read by range, later.
// Files are untrusted: every length is held against the file's real size before memory is taken for it.
import { asGlmError, GlmError } from '../errors.ts'
import { exists, readJson, type Source } from './source.ts'
import type { Checkpoint, TensorEntry } from './tensor.ts'

const single = 'model.safetensors'
const index = 'model.safetensors.index.json'
const headerLimit = 100_000_000 // as in the reference implementation
const shardsAtOnce = 4

/** Bits of one element. */
const bits = new Map<string, number>([
  ...['F4'].map((name) => [name, 4] as const),
  ...['F6_E2M3', 'F6_E3M2'].map((name) => [name, 6] as const),
  ...['BOOL', 'U8', 'I8', 'F8_E4M3', 'F8_E5M2', 'F8_E8M0'].map((name) => [name, 8] as const),
  ...['U16', 'I16', 'F16', 'BF16'].map((name) => [name, 16] as const),
  ...['U32', 'I32', 'F32'].map((name) => [name, 32] as const),
  ...['U64', 'I64', 'F64', 'C64'].map((name) => [name, 64] as const),
])

/** Reads the headers of `model.safetensors`, or of the shards that `model.safetensors.index.json` names. */
export async function openCheckpoint(source: Source, signal?: AbortSignal): Promise<Checkpoint> {
  if (await exists(source, single, signal)) return openFile(source, single, signal)
  if (await exists(source, index, signal)) return openShards(source, signal)
  throw new GlmError('file_missing', `${source.name} has neither ${single} nor ${index}; give the folder of a safetensors model.`)
}

async function openFile(source: Source, file: string, signal?: AbortSignal): Promise<Checkpoint> {
  const size = await source.size(file, signal)
  const end = headerEnd(await source.read(file, 0, Math.min(8, size), signal), size, file)
  return { tensors: parseHeader(await source.read(file, 0, end, signal), size, file), bytes: size }
}

async function openShards(source: Source, signal?: AbortSignal): Promise<Checkpoint> {
  const wanted = parseIndex(await readJson(source, index, signal))
  const shards = [...new Set(wanted.values())]
  const opened = new Map<string, Checkpoint>()
  for (let at = 0; at < shards.length; at += shardsAtOnce) {
    const some = shards.slice(at, at + shardsAtOnce)
    await Promise.all(some.map(async (file) => opened.set(file, await openFile(source, file, signal))))
  }
  const tensors = new Map<string, TensorEntry>()
  for (const [name, file] of wanted) {
    const tensor = opened.get(file)?.tensors.get(name)
    if (!tensor)
      throw new GlmError('tensor_invalid', `${index} says that ${file} holds "${brief(name)}", but it does not; download both again.`)
    tensors.set(name, tensor)
  }
  return { tensors, bytes: [...opened.values()].reduce((sum, { bytes }) => sum + bytes, 0) }
}

/** Tensor name → shard. A shard is a plain file name beside the index, so it cannot lead anywhere else. */
export function parseIndex(json: unknown): Map<string, string> {
  const map = isObject(json) ? json.weight_map : undefined
  if (!isObject(map)) throw new GlmError('file_invalid', `${index} has no weight_map; download the model again.`)
  const wanted = Object.entries(map)
  for (const [name, file] of wanted) {
    if (typeof file !== 'string' || !/^[\w][\w.-]{0,200}\.safetensors$/.test(file)) {
      throw new GlmError('file_invalid', `${index} gives "${brief(name)}" no plain .safetensors file name; download the model again.`)
    }
  }
  return new Map(wanted as [string, string][])
}

/** Where the header ends, from the file's first eight bytes (a little-endian length). */
export function headerEnd(first: Uint8Array, fileSize: number, file: string): number {
  if (first.length < 8 || fileSize < 8)
    throw new GlmError('file_truncated', `${file} has no room for a safetensors header; download it again.`)
  const length = new DataView(first.buffer, first.byteOffset, 8).getBigUint64(0, true)
  if (length > BigInt(headerLimit)) throw new GlmError('file_invalid', `${file} is not safetensors: its header would have ${length} bytes.`)
  const end = 8 + Number(length)
  if (end > fileSize) throw new GlmError('file_truncated', `${file} ends inside its own header; download it again.`)
  return end
}

/**
 * The tensors of one file. `bytes` starts where the file starts and holds at least the header; `fileSize` is the size of the whole file.
 * Throws `file_truncated`, `file_invalid` or `tensor_invalid`.
 */
export function parseHeader(bytes: Uint8Array, fileSize: number, file: string): Map<string, TensorEntry> {
  const data = headerEnd(bytes, fileSize, file)
  if (data > bytes.length) throw new GlmError('file_truncated', `${file} ends inside its own header; download it again.`)
  const tensors = Object.entries(headerJson(bytes.subarray(8, data), file))
    .filter(([name]) => name !== '__metadata__')
    .map(([name, value]) => parseTensor(name, value, data, fileSize, file))
  checkOverlap(tensors, file)
  return new Map(tensors.map((tensor) => [tensor.name, tensor]))
}

function headerJson(bytes: Uint8Array, file: string): Record<string, unknown> {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch (error) {
    throw asGlmError(error, 'file_invalid', `${file} has a header that is not valid JSON; download it again. `)
  }
  if (!isObject(json)) throw new GlmError('file_invalid', `${file} has a header that is not a JSON object; download it again.`)
  return json
}

function parseTensor(name: string, value: unknown, data: number, fileSize: number, file: string): TensorEntry {
  const fail = (why: string) => new GlmError('tensor_invalid', `"${brief(name)}" in ${file} ${why}; download or convert it again.`)
  if (!isObject(value)) throw fail('is not described by an object')
  const { dtype, shape, data_offsets: offsets } = value
  const width = typeof dtype === 'string' ? bits.get(dtype) : undefined
  if (typeof dtype !== 'string' || width === undefined)
    throw fail(`has the unknown dtype ${typeof dtype === 'string' ? brief(dtype) : typeof dtype}`)
  if (!isSizes(shape)) throw fail('has no valid shape')
  if (!isSizes(offsets) || offsets.length !== 2 || offsets[0]! > offsets[1]!) throw fail('has no valid data_offsets')
  const [start, end] = [data + offsets[0]!, data + offsets[1]!]
  if (end > fileSize) {
    throw new GlmError('file_truncated', `${file} ends at byte ${fileSize}, but "${brief(name)}" ends at ${end}; download it again.`)
  }
  // Step by step: a 0 at the end must not hide an overflow before it.
  const count = shape.reduce((product, size) => (Number.isSafeInteger(product) ? product * size : Number.NaN), width)
  if (!Number.isSafeInteger(count)) throw fail('has a shape too large to be true')
  if (count !== (end - start) * 8) throw fail(`has ${end - start} bytes, which is not what its shape and dtype need`)
  return { name, dtype, shape, file, start, end }
}

/** Throws where two tensors share bytes. */
export function checkOverlap(tensors: TensorEntry[], file: string): void {
  const sorted = tensors.filter(({ start, end }) => end > start).sort((a, b) => a.start - b.start)
  for (const [at, { name, start }] of sorted.entries()) {
    const before = sorted[at - 1]
    if (before && before.end > start) {
      throw new GlmError(
        'file_invalid',
        `"${brief(before.name)}" and "${brief(name)}" share bytes of ${file}; download or convert it again.`,
      )
    }
  }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)

const isSizes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0)

const brief = (text: string) => (text.length > 120 ? `${text.slice(0, 120)}…` : text)
