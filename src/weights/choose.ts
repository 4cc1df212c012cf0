// Of the files of a folder or repository: which models lie in it, told by file names alone, and which of them to take.
import { GlmError } from '../errors.ts'
import type { Source } from './source.ts'

export interface ListedFile {
  path: string
  size: number
}

/** One model of several in a place: a GGUF with its splits, or a folder of safetensors. */
export interface Variant {
  /** `Q4_K_M`, `F16`, `safetensors`, …; a file's name where it says no type. */
  label: string
  /** The first is the one that is opened. */
  files: string[]
  bytes: number
  /** Of one weight, nominally; undefined where names do not tell. */
  bits?: number
}

export interface ChooseOptions {
  /** Bytes that the weights may take on the GPU: the best that fits is taken. Without: 4 bits. */
  memory?: number
  /** A label or a file, as the user names it. */
  want?: string
}

export interface Chosen {
  variant: Variant
  /** One sentence: what was chosen, and why. */
  why: string
  /** All there are, best first. */
  variants: Variant[]
}

/** Types that we load, worst first: bits of a weight in the file, and on the GPU, where 5 and 6 bits stand as 8, and 4 may have a centre. */
const types: Record<string, { bits: number; gpu: number }> = {
  Q4_0: { bits: 4.5, gpu: 4.5 },
  Q4_1: { bits: 5, gpu: 5 },
  Q4_K_S: { bits: 4.6, gpu: 5 },
  Q4_K: { bits: 4.85, gpu: 5.6 },
  Q4_K_M: { bits: 4.85, gpu: 5.6 },
  Q4_K_L: { bits: 5.2, gpu: 5.8 },
  Q5_0: { bits: 5.5, gpu: 8.5 },
  Q5_1: { bits: 6, gpu: 9 },
  Q5_K_S: { bits: 5.55, gpu: 9 },
  Q5_K: { bits: 5.7, gpu: 9 },
  Q5_K_M: { bits: 5.7, gpu: 9 },
  Q5_K_L: { bits: 5.9, gpu: 9 },
  Q6_K: { bits: 6.6, gpu: 9 },
  Q6_K_L: { bits: 6.8, gpu: 9 },
  Q8_0: { bits: 8.5, gpu: 8.5 },
  F16: { bits: 16, gpu: 16 },
  safetensors: { bits: 16, gpu: 16 },
  BF16: { bits: 16, gpu: 16 },
  F32: { bits: 32, gpu: 32 },
}

const order = Object.keys(types)

/** What is taken where nobody says otherwise, most wanted first. */
const wished = ['Q4_K_M', 'Q4_K', 'Q4_0', 'Q4_K_S', 'Q4_1', 'Q4_K_L']

/** The type at the end of a name, as converters write it; `FP16` is F16. */
const typeMark = /(?:^|[-._])((?:UD-)?(?:I?Q\d\w*|TQ\d\w*|MXFP4\w*|BF16|FP?16|FP?32))$/i
const splitMark = /-(\d{5})-of-(\d{5})$/
/** GGUFs beside a model: image towers, importance matrices, adapters. */
const beside = /mmproj|imatrix|(?:^|[-._])lora(?:[-._]|$)/i

/** Every model among the files that can be loaded, best first. */
export function listVariants(files: readonly ListedFile[]): Variant[] {
  const folder = safetensorsOf(files)
  const rank = ({ label }: Variant) => order.indexOf(label)
  return [...ggufsOf(files), ...(folder ? [folder] : [])].sort((a, b) => rank(b) - rank(a) || (a.files[0]! < b.files[0]! ? -1 : 1))
}

function ggufsOf(files: readonly ListedFile[]): Variant[] {
  const models = new Map<string, { files: ListedFile[]; of: number }>()
  for (const file of files) {
    const stem = /^(.*)\.gguf$/i.exec(file.path)?.[1]
    if (stem === undefined || beside.test(stem.slice(stem.lastIndexOf('/') + 1))) continue
    const split = splitMark.exec(stem)
    const key = split ? `${stem.slice(0, split.index)} of ${split[2]}` : stem
    const model = models.get(key) ?? { files: [], of: split ? Number(split[2]) : 1 }
    model.files.push(file)
    models.set(key, model)
  }
  return [...models.values()].flatMap((model) => variantOf(model.files, model.of) ?? [])
}

/** Undefined for a type that we do not load, and for splits that are not all there. */
function variantOf(files: ListedFile[], of: number): Variant | undefined {
  const sorted = files.sort((a, b) => (a.path < b.path ? -1 : 1))
  const numbers = sorted.map(({ path }) => Number(splitMark.exec(path.slice(0, -5))?.[1] ?? 1))
  if (sorted.length !== of || numbers.some((number, index) => number !== index + 1)) return undefined
  const stem = sorted[0]!.path.slice(sorted[0]!.path.lastIndexOf('/') + 1, -5).replace(splitMark, '')
  const mark = typeMark.exec(stem)?.[1]?.toUpperCase().replace('FP', 'F')
  const type = mark === undefined ? undefined : Object.hasOwn(types, mark) ? types[mark] : null
  if (type === null) return undefined
  const common = { files: sorted.map(({ path }) => path), bytes: sum(sorted) }
  return type && mark ? { label: mark, ...common, bits: type.bits } : { label: stem, ...common }
}

/** A folder as Hugging Face lays it out. */
function safetensorsOf(files: readonly ListedFile[]): Variant | undefined {
  const top = files.filter(({ path }) => !path.includes('/'))
  const has = (name: string) => top.some(({ path }) => path === name)
  const weights = top.filter(({ path }) => path.endsWith('.safetensors'))
  if (!has('config.json') || !(has('model.safetensors') || (has('model.safetensors.index.json') && weights.length > 0))) return undefined
  const used = has('model.safetensors') ? weights.filter(({ path }) => path === 'model.safetensors') : weights
  return { label: 'safetensors', files: ['config.json', ...used.map(({ path }) => path)], bytes: sum(used), bits: 16 }
}

const sum = (files: readonly ListedFile[]) => files.reduce((total, { size }) => total + size, 0)

/** Bytes that a variant takes on the GPU when it is kept as it is. */
export const gpuBytes = ({ label, bytes, bits }: Variant): number => {
  const type = Object.hasOwn(types, label) ? types[label]! : undefined
  return type && bits ? Math.ceil((bytes * type.gpu) / bits) : bytes
}

/** Throws `request_invalid` where what is wanted is not there, `file_missing` where nothing is. */
export function chooseVariant(variants: readonly Variant[], { memory, want }: ChooseOptions = {}): Chosen {
  const all = [...variants]
  if (all.length === 0) {
    const why = 'no GGUF of a type that is supported, and no safetensors with a config.json'
    throw new GlmError('file_missing', `There is ${why} in it; choose another conversion of the model.`)
  }
  if (want !== undefined) return { variant: wanted(all, want), why: `${want} is what was asked for.`, variants: all }
  const [only] = all
  if (all.length === 1) return { variant: only!, why: `${named(only!)} is the only one there.`, variants: all }
  if (memory !== undefined) return { ...fitting(all, memory), variants: all }
  const variant = smallest(all)
  const others = all.filter((one) => one !== variant).map(({ label }) => label)
  return { variant, why: `${named(variant)} was chosen: ${reason(variant)}. There are also ${others.join(', ')}.`, variants: all }
}

function wanted(all: Variant[], want: string): Variant {
  const same = (text: string) => text.toLowerCase() === want.toLowerCase()
  const found = all.find(({ files }) => files.includes(want)) ?? all.find(({ label }) => same(label))
  if (found) return found
  throw new GlmError('request_invalid', `There is no ${JSON.stringify(want)}; there are ${all.map(({ label }) => label).join(', ')}.`)
}

function fitting(all: Variant[], memory: number): { variant: Variant; why: string } {
  const variant = all.find((one) => gpuBytes(one) <= memory)
  const limit = `${gigabytes(memory)} of memory`
  if (variant) return { variant, why: `${named(variant)} was chosen: the best of ${all.length} whose weights fit ${limit}.` }
  const least = all.reduce((best, one) => (gpuBytes(one) < gpuBytes(best) ? one : best))
  return { variant: least, why: `${named(least)} was chosen: none of ${all.length} fits ${limit}, and it takes least.` }
}

/** 4 bits; else what takes the fewest bytes. */
function smallest(all: Variant[]): Variant {
  for (const label of wished) {
    const found = all.find((one) => one.label === label)
    if (found) return found
  }
  return all.reduce((best, one) => (one.bytes < best.bytes ? one : best))
}

const reason = ({ label }: Variant) =>
  wished.includes(label) ? 'four bits a weight are a good balance of size and quality' : 'it is the smallest'

const named = ({ label, bytes }: Variant) => `${label} (${gigabytes(bytes)})`

export const gigabytes = (bytes: number) =>
  bytes < 5e6 ? `${(bytes / 1e6).toFixed(1)} MB` : bytes < 1e9 ? `${Math.round(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(2)} GB`

/**
 * Names the GGUF of a place that holds several models, or one: what comes back has an `entry`. A place that names its own file, cannot be listed or
 * is a folder of safetensors stays as it is.
 */
export async function narrow(
  source: Source,
  options: ChooseOptions & { signal?: AbortSignal } = {},
): Promise<{ source: Source; chosen?: Chosen }> {
  if (source.entry !== undefined || !source.list) return { source }
  const variants = listVariants(await source.list(options.signal))
  const folder = variants.find(({ label }) => label === 'safetensors')
  // What lies here already costs no download: the folder is what was named.
  if (variants.length === 0 || (folder && (source.local || variants.length === 1) && options.want === undefined)) return { source }
  const chosen = chooseVariant(variants, options)
  const [entry] = chosen.variant.files
  if (chosen.variant.label === 'safetensors') return { source, chosen }
  return { source: { ...source, name: `${source.name}/${entry}`, entry: entry! }, chosen }
}
