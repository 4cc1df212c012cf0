// Our packed form, read: safetensors in which codes, scales and centres of a tensor stand apart, and a manifest that says what they are. A tensor
// may stand in several stretches of rows (`NAME.codes@ROW`). Files are untrusted: every part is held against the shape that the manifest gives.
import { GlmError } from '../errors.ts'
import { gather } from '../kernels/gather.ts'
import { type Coding, type Format, plain, scaled } from '../kernels/matrix.ts'
import { quantise, type SourceType } from '../kernels/quantise.ts'
import { convert } from './convert.ts'
import { packedBlocks, rowsOf } from './packed_blocks.ts'
import { exists, readJson, type Source } from './source.ts'
import type { Blocks, Checkpoint, TensorEntry } from './tensor.ts'

export const manifestFile = 'glm-webgpu.json'
export const packedSettings = { quant_method: 'glm-webgpu', version: 1 } as const

/** What a tensor is stored as: codes, or plain numbers as the file had them. */
export type PackedFormat = 'q4' | 'q8' | 'f32' | 'f16' | 'bf16'

/** A tensor in the manifest. */
export interface PackedTensor {
  shape: number[]
  format: PackedFormat
  /** Of codes only. */
  group?: Coding['group']
  centred?: boolean
  /** Columns stand in an order of their own, `NAME.order`. */
  ordered?: boolean
  /** Plain numbers that are never cut by rows: of a tower, in whatever dimensions. */
  whole?: true
  /** Relative root-mean-square error that quantising cost. */
  error?: number
}

export interface PackedShard {
  file: string
  bytes: number
  sha256?: string
}

export interface PackedManifest {
  version: typeof packedSettings.version
  source: { name: string; revision?: string; sha256?: string }
  licence?: string
  shards: PackedShard[]
  tensors: Record<string, PackedTensor>
}

/** Words of codes that a row takes, its last scale padded. */
export const codeWords = (columns: number, { format, group }: Pick<Coding, 'format' | 'group'>): number =>
  (Math.ceil(columns / group) * group * (format === 'q4' ? 4 : 8)) / 32

export const dtypeOf: Record<Exclude<PackedFormat, 'q4' | 'q8'>, SourceType> = { f32: 'F32', f16: 'F16', bf16: 'BF16' }
const groups: readonly unknown[] = [16, 32, 64, 128]
const widest = 2 ** 20
const readsAtOnce = 8

/** Rows `row`.. of a tensor, its parts beside each other; plain numbers are the part `values`. */
interface Stretch {
  row: number
  rows: number
  parts: Record<string, TensorEntry>
}

/** `raw` has the tensors under the file's names, `settings` is config.json's quantization_config. */
export async function packedCheckpoint(source: Source, raw: Checkpoint, settings: unknown, signal?: AbortSignal): Promise<Checkpoint> {
  const { quant_method: method, version } = (settings ?? {}) as Record<string, unknown>
  if (method !== packedSettings.quant_method || version !== packedSettings.version) {
    throw new GlmError(
      'config_unsupported',
      `config.json says ${brief(method)} of version ${brief(version)}; this package reads ${packedSettings.quant_method} of version ${packedSettings.version}.`,
    )
  }
  if (!(await exists(source, manifestFile, signal)))
    throw new GlmError('file_missing', `${source.name} has no ${manifestFile}: it was not packed to the end; pack the model again.`)
  const { shards, tensors } = parsePacked(await readJson(source, manifestFile, signal))
  await Promise.all(shards.map((shard) => checkShard(source, shard, signal)))
  const entries = packedEntries(raw.tensors, tensors)
  for (let at = 0; at < entries.length; at += readsAtOnce) {
    const ordered = entries.slice(at, at + readsAtOnce).filter(({ parts }) => parts?.order)
    await Promise.all(ordered.map((entry) => readOrder(source, entry, signal)))
  }
  return {
    tensors: new Map(entries.map((entry) => [entry.name, entry])),
    bytes: raw.bytes,
    quantised: true,
    convert: packedConvert,
    ...(entries.some(({ order }) => order) ? { gather } : {}),
  }
}

/** The tensors of a manifest, of the parts that shards have. */
export function packedEntries(raw: ReadonlyMap<string, TensorEntry>, tensors: ReadonlyMap<string, PackedTensor>): TensorEntry[] {
  const found = stretches(raw)
  for (const name of found.keys()) if (!tensors.has(name)) throw fault(name, `is not in ${manifestFile}`)
  return [...tensors].map(([name, tensor]) => entryOf(name, tensor, found.get(name) ?? []))
}

/** As `convert`, for plain numbers in stretches too. */
export const packedConvert: NonNullable<Checkpoint['convert']> = (entry, to) =>
  scaled(entry.blocks!.coding.format) ? convert(entry, to) : quantise(entry.dtype as SourceType, to)

/** The parts of a manifest that reading needs; its JSON may be anything. */
export function parsePacked(json: unknown): { shards: PackedShard[]; tensors: Map<string, PackedTensor> } {
  const fail = (why: string) => new GlmError('file_invalid', `${manifestFile} ${why}; pack or download the model again.`)
  if (!isFields(json) || json.version !== packedSettings.version || !Array.isArray(json.shards) || !isFields(json.tensors))
    throw fail(`is no manifest of version ${packedSettings.version}`)
  const shards = json.shards.map((shard): PackedShard => {
    const { file, bytes, sha256 } = isFields(shard) ? shard : {}
    if (typeof file !== 'string' || !/^\w[\w.-]{0,200}\.safetensors$/.test(file)) throw fail(`has no plain file name in ${brief(shard)}`)
    if (!Number.isSafeInteger(bytes) || (bytes as number) < 8) throw fail(`gives ${file} ${brief(bytes)} bytes`)
    if (sha256 !== undefined && !(typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256))) throw fail(`gives ${file} no valid sha256`)
    return { file, bytes: bytes as number, ...(sha256 === undefined ? {} : { sha256 }) }
  })
  const tensors = Object.entries(json.tensors).map(([name, value]): [string, PackedTensor] => {
    const { shape, format, group, centred = false, ordered = false } = isFields(value) ? value : {}
    if (!isShape(shape)) throw fail(`gives "${short(name)}" no valid shape`)
    if (format === 'f32' || format === 'f16' || format === 'bf16') return [name, { shape, format }]
    if (format !== 'q4' && format !== 'q8') throw fail(`gives "${short(name)}" the format ${brief(format)}`)
    if (!groups.includes(group) || typeof centred !== 'boolean' || typeof ordered !== 'boolean' || shape.length !== 2 || shape[1]! > widest)
      throw fail(`does not say how "${short(name)}" is coded`)
    return [name, { shape, format, group: group as Coding['group'], centred, ordered }]
  })
  return { shards, tensors: new Map(tensors) }
}

async function checkShard(source: Source, { file, bytes }: PackedShard, signal?: AbortSignal): Promise<void> {
  const size = await source.size(file, signal)
  if (size !== bytes)
    throw new GlmError('file_invalid', `${file} has ${size} bytes, and ${manifestFile} says ${bytes}; download or pack the model again.`)
}

const partName = /^(.+?)(?:\.(codes|scales|centres|order))?(?:@(\d{1,10}))?$/s

/** The stretches of every tensor, in the order of their rows. */
function stretches(raw: ReadonlyMap<string, TensorEntry>): Map<string, Stretch[]> {
  const found = new Map<string, Map<number, Stretch>>()
  for (const entry of raw.values()) {
    const [, name, part = 'values', from = '0'] = partName.exec(entry.name) ?? []
    if (name === undefined) throw fault(entry.name, 'has no name')
    const of = found.get(name) ?? new Map<number, Stretch>()
    const row = Number(from)
    const stretch = of.get(row) ?? { row, rows: 0, parts: {} }
    if (Object.hasOwn(stretch.parts, part)) throw fault(name, `has its ${part} twice`)
    stretch.parts[part] = entry
    if (part !== 'order') stretch.rows = entry.shape[0] ?? 0
    found.set(name, of.set(row, stretch))
  }
  return new Map([...found].map(([name, of]) => [name, [...of.values()].sort((a, b) => a.row - b.row)]))
}

/** One entry for all stretches, every part of them checked. */
function entryOf(name: string, tensor: PackedTensor, all: readonly Stretch[]): TensorEntry {
  const { shape, format } = tensor
  const coding = codingOf(tensor)
  const rest = shape.slice(1)
  let next = 0
  for (const { row, rows, parts } of all) {
    if (row !== next || rows < 1) throw fault(name, `has no rows from ${next} on`)
    next += rows
    const wanted = partsOf(tensor, rows, row === 0)
    for (const [part, { dtype, shape: own }] of Object.entries(wanted)) {
      const entry = Object.hasOwn(parts, part) ? parts[part]! : undefined
      if (!entry) throw fault(name, `has no ${part} from row ${row} on`)
      if (entry.dtype !== dtype || entry.shape.join() !== own.join())
        throw fault(entry.name, `is ${entry.dtype} [${entry.shape}], not ${dtype} [${own}]`)
    }
    if (Object.keys(parts).length > Object.keys(wanted).length) throw fault(name, `has parts that ${manifestFile} does not tell of`)
  }
  if (next !== shape[0]) throw fault(name, `has ${next} rows of ${shape[0]}`)
  const [first] = all
  const { values, codes, ...parts } = first!.parts
  const entry: TensorEntry = { ...(codes ?? values)!, name, shape: [shape[0]!, ...rest] }
  const cuts = all.slice(1).map(({ row }) => row)
  if (cuts.length > 0) entry.cuts = cuts
  if (codes) Object.assign(entry, { parts, blocks: inStretches(blocksOf(coding), all) })
  else if (cuts.length > 0) {
    if (rest.length === 0) throw fault(name, 'is a vector in stretches')
    entry.blocks = inStretches(plainBlocks(format as keyof typeof dtypeOf), all)
  }
  return entry
}

/** Dtype and shape of each part of a stretch. */
export function partsOf(tensor: PackedTensor, rows: number, first: boolean): Record<string, { dtype: string; shape: number[] }> {
  const { format, shape, group, centred, ordered } = tensor
  if (format !== 'q4' && format !== 'q8') return { values: { dtype: dtypeOf[format], shape: [rows, ...shape.slice(1)] } }
  const columns = shape[1]!
  const spans = { dtype: 'F16', shape: [rows, Math.ceil(columns / group!)] }
  return {
    codes: { dtype: 'U32', shape: [rows, codeWords(columns, { format, group: group! })] },
    scales: spans,
    ...(centred ? { centres: spans } : {}),
    ...(ordered && first ? { order: { dtype: 'U32', shape: [columns] } } : {}),
  }
}

const codingOf = ({ format, group, centred }: PackedTensor): Coding =>
  group === undefined
    ? plain(format === 'bf16' ? 'f16' : (format as Format))
    : { format: format as Format, group, centred: centred === true }

const blocksOf = ({ format, group, centred }: Coding): Blocks => packedBlocks({ bits: format === 'q4' ? 4 : 8, group, centred })

/** Plain numbers whose stretches stand in several files. */
const plainBlocks = (format: keyof typeof dtypeOf): Blocks => ({
  name: `plain ${format}`,
  coding: plain(format === 'f32' ? 'f32' : 'f16'),
  files: [],
  ranges: (entry, window) => [rowsOf(entry, window, (entry.end - entry.start) / entry.shape[0]!)],
})

/** Bytes of a window are those of the stretch that its rows are in. */
function inStretches(blocks: Blocks, all: readonly Stretch[]): Blocks {
  return {
    ...blocks,
    ranges(entry, window) {
      const { row, rows, parts } = all.findLast((stretch) => stretch.row <= window.row)!
      const { values, codes, ...others } = parts
      const own = { ...(codes ?? values)!, shape: [rows, ...entry.shape.slice(1)], parts: others }
      return blocks.ranges(own, { ...window, row: window.row - row })
    },
  }
}

async function readOrder(source: Source, entry: TensorEntry, signal?: AbortSignal): Promise<void> {
  const { file, start, end } = entry.parts!.order!
  const order = new Uint32Array((await source.read(file, start, end, signal)).slice().buffer)
  const seen = new Uint8Array(order.length)
  for (const input of order) {
    if (input >= seen.length || seen[input]) throw fault(entry.name, 'has an order that is none')
    seen[input] = 1
  }
  entry.order = order
}

const isFields = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
const isShape = (value: unknown): value is number[] => Array.isArray(value) && value.length >= 1 && value.length <= 5 && value.every(isSize)
const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= 2 ** 31
const fault = (name: string, why: string) =>
  new GlmError('tensor_invalid', `"${short(name)}" ${why}; download the model again, or pack it again.`)
const short = (text: string) => (text.length > 120 ? `${text.slice(0, 120)}…` : text)
const brief = (value: unknown) => short(String(JSON.stringify(value)))
