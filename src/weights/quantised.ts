// A checkpoint in 4-bit safetensors (GPTQ, AWQ, compressed-tensors): tensors that stand together for one matrix become one entry under its name.
// What a file leaves unquantised stays as it is. Files are untrusted: every part is held against the shape that the codes have.
import { GlmError } from '../errors.ts'
import type { Kernel } from '../gpu/pipeline.ts'
import { gather } from '../kernels/gather.ts'
import type { Coding } from '../kernels/matrix.ts'
import { repack } from '../kernels/repack.ts'
import { awqBlocks, compressedBlocks, gptqBlocks } from './blocks.ts'
import { parseScheme, type Scheme } from './scheme.ts'
import type { Source } from './source.ts'
import type { Blocks, Checkpoint, TensorEntry } from './tensor.ts'

/** What a module's tensors are called behind its name. */
const suffixes = {
  gptq: { codes: 'qweight', scales: 'scales', zeros: 'qzeros', groups: 'g_idx' },
  awq: { codes: 'qweight', scales: 'scales', zeros: 'qzeros', groups: undefined },
  compressed: { codes: 'weight_packed', scales: 'weight_scale', zeros: 'weight_zero_point', groups: 'weight_g_idx' },
} as const

const everySuffix = /^(.+)\.(qweight|qzeros|scales|g_idx|weight_(?:packed|scale|zero_point|g_idx|shape))$/
const columnsLimit = 2 ** 20
const readsAtOnce = 8

/** A quantised matrix as the file holds it. */
interface Module {
  name: string
  codes: TensorEntry
  scales: TensorEntry
  zeros: TensorEntry | undefined
  groups: TensorEntry | undefined
  rows: number
  columns: number
  /** Columns that share a scale. */
  group: number
}

/** `raw` has the tensors under the file's names, `settings` is config.json's quantization_config. */
export async function openQuantised(source: Source, raw: Checkpoint, settings: unknown, signal?: AbortSignal): Promise<Checkpoint> {
  const scheme = parseScheme(settings)
  const modules = modulesOf(raw.tensors, scheme)
  const tensors = new Map([...raw.tensors].filter(([name]) => !everySuffix.test(name)))
  for (let at = 0; at < modules.length; at += readsAtOnce) {
    const some = modules.slice(at, at + readsAtOnce)
    const orders = await Promise.all(some.map((module) => orderOf(source, scheme, module, signal)))
    some.forEach((module, index) => {
      const name = `${module.name}.weight`
      if (tensors.has(name)) throw fault(name, 'is stored twice, quantised and not')
      tensors.set(name, entryOf(name, scheme, module, orders[index]))
    })
  }
  return { ...raw, tensors, quantised: true, convert, gather }
}

/** Every module that is quantised, its parts checked. */
function modulesOf(tensors: Map<string, TensorEntry>, scheme: Scheme): Module[] {
  const names = suffixes[scheme.method]
  const known = new Set<string | undefined>([...Object.values(names), scheme.method === 'compressed' ? 'weight_shape' : 'g_idx'])
  const modules = new Map<string, Module>()
  for (const tensor of tensors.keys()) {
    const [, name, suffix] = everySuffix.exec(tensor) ?? []
    if (name === undefined) continue
    if (!known.has(suffix)) throw fault(tensor, `is no part of what quantization_config describes`)
    if (suffix === names.codes) modules.set(name, moduleOf(name, tensors, scheme))
    else if (!tensors.has(`${name}.${names.codes}`)) throw fault(tensor, `has no ${names.codes} beside it`)
  }
  if (modules.size === 0) throw new GlmError('tensor_invalid', `config.json says ${scheme.method}, but no tensor ends in ${names.codes}.`)
  return [...modules.values()]
}

function moduleOf(name: string, tensors: Map<string, TensorEntry>, scheme: Scheme): Module {
  const names = suffixes[scheme.method]
  const codes = tensors.get(`${name}.${names.codes}`)!
  const { rows, columns } = sizeOf(codes, scheme)
  const group = groupOf(codes, scheme, columns)
  const across = columns / group
  const part = (suffix: string, dtypes: readonly string[], shape: readonly number[]) => {
    const entry = tensors.get(`${name}.${suffix}`)
    if (!entry) throw fault(codes.name, `has no ${suffix} beside it`)
    return expect(entry, dtypes, shape)
  }
  const { method, symmetric, ordered } = scheme
  const packed = Math.ceil(rows / 8)
  const scales = method === 'compressed' ? part(names.scales, ['F16', 'BF16'], [rows, across]) : part(names.scales, ['F16'], [across, rows])
  const zeros = symmetric ? undefined : part(names.zeros, ['I32'], method === 'compressed' ? [packed, across] : [across, packed])
  if (method === 'compressed') part('weight_shape', ['I32', 'I64'], [2])
  // GPTQ always writes it; compressed-tensors only where it says something.
  const groups = ordered && tensors.has(`${name}.${names.groups}`) ? part(names.groups!, ['I32'], [columns]) : undefined
  if (method === 'gptq' && ordered && !groups) throw fault(codes.name, `has no ${names.groups} beside it`)
  return { name, codes, scales, zeros, groups, rows, columns, group }
}

/** [out, in] of the matrix that the codes make. */
function sizeOf(codes: TensorEntry, { method }: Scheme): { rows: number; columns: number } {
  const [first, second] = codes.shape
  if (codes.dtype !== 'I32' || codes.shape.length !== 2)
    throw fault(codes.name, `is ${codes.dtype} [${codes.shape}], not I32 in two dimensions`)
  const sizes = {
    gptq: { rows: second!, columns: first! * 8 },
    awq: { rows: second! * 8, columns: first! },
    compressed: { rows: first!, columns: second! * 8 },
  }
  const { rows, columns } = sizes[method]
  if (rows < 1 || columns < 1 || columns > columnsLimit) throw fault(codes.name, `has the shape [${codes.shape}], which no matrix here has`)
  if (method === 'gptq' && rows % 8 !== 0) throw fault(codes.name, `has ${rows} outputs, not a multiple of 8`)
  return { rows, columns }
}

function groupOf(codes: TensorEntry, { group }: Scheme, columns: number): number {
  const size = group === -1 ? columns : group
  // The narrowest that a scale can have on the GPU.
  if (size % 32 !== 0) throw fault(codes.name, `has ${columns} inputs, not a multiple of 32`)
  if (columns % size !== 0) throw fault(codes.name, `has ${columns} inputs, not a multiple of its group_size ${size}`)
  return size
}

function expect(entry: TensorEntry, dtypes: readonly string[], shape: readonly number[]): TensorEntry {
  if (!dtypes.includes(entry.dtype)) throw fault(entry.name, `is stored as ${entry.dtype}, not ${dtypes.join(' or ')}`)
  if (entry.shape.join() !== shape.join()) throw fault(entry.name, `has shape [${entry.shape}], where its codes ask for [${shape}]`)
  return entry
}

/** The order that makes columns of a group neighbours; undefined where they are. */
async function orderOf(source: Source, { method }: Scheme, module: Module, signal?: AbortSignal): Promise<TensorEntry['order']> {
  const { groups, columns, group } = module
  if (!groups) return undefined
  const bytes = await source.read(groups.file, groups.start, groups.end, signal)
  const of = new Int32Array(bytes.slice().buffer)
  // What compressed-tensors writes before it knows.
  if (method === 'compressed' && of.every((value) => value === -1)) return undefined
  const next = Uint32Array.from({ length: columns / group }, (_, index) => index * group)
  const order = new Uint32Array(columns)
  of.forEach((value, column) => {
    const place = next[value]
    if (place === undefined || place >= (value + 1) * group) throw fault(groups.name, `does not give each group ${group} columns`)
    order[place] = column
    next[value] = place + 1
  })
  return order.every((column, place) => column === place) ? undefined : order
}

function entryOf(name: string, scheme: Scheme, module: Module, order: TensorEntry['order']): TensorEntry {
  const { codes, scales, zeros, rows, columns } = module
  const parts =
    scheme.method === 'compressed' ? { scale: scales, ...(zeros && { zero: zeros }) } : { scales, ...(zeros && { qzeros: zeros }) }
  return { ...codes, name, shape: [rows, columns], blocks: blocksOf(scheme, module), parts, ...(order && { order }) }
}

function blocksOf({ method, symmetric, lessOne }: Scheme, { group, scales }: Module): Blocks {
  if (method === 'gptq') return gptqBlocks({ group, symmetric, v2: !lessOne })
  if (method === 'awq') return awqBlocks({ group })
  return compressedBlocks({ group, symmetric, bf16: scales.dtype === 'BF16' })
}

function convert(entry: TensorEntry, to: Coding): Kernel {
  const { name, files, coding, constants } = entry.blocks!
  return repack({ name, files, coding, constants: constants?.(entry) ?? {}, sorted: entry.order !== undefined }, to)
}

const fault = (name: string, why: string) => new GlmError('tensor_invalid', `"${brief(name)}" ${why}; download or convert the model again.`)

const brief = (text: string) => (text.length > 120 ? `${text.slice(0, 120)}…` : text)
