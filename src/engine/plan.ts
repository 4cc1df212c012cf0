// What a model takes, told before a weight is read: bytes to download, bytes on the GPU, tensors too large for one binding, formats that fit.
import type { ModelPlan, PlannedFormat, PlannedTensor, PlanOptions } from '../api/plan.ts'
import type { KvFormat } from '../api/types.ts'
import { GlmError } from '../errors.ts'
import { logprobWords } from '../kernels/logprobs.ts'
import { type Coding, holds, scaled, splitRows } from '../kernels/matrix.ts'
import { packedWords } from '../kernels/pack8.ts'
import { pageSize, rowsLayout } from '../kernels/rows.ts'
import { codingOf } from '../model/codings.ts'
import type { Config } from '../model/config.ts'
import { auxLength, planEmbedding, planFinal, planHead, planLayer } from '../model/layout.ts'
import { defaultContext, padded, pageBytes, parametersOf, ring, roundingFrom, rowsShape, widestRow } from '../model/sizes.ts'
import { gigabytes } from '../weights/choose.ts'
import type { MatrixPlan, VectorPlan } from '../weights/load.ts'
import type { Checkpoint } from '../weights/tensor.ts'
import { planSight, type SightPlan, sightScratch, sightWeights, towerFormat } from './plan_seeing.ts'

/** What of a model's files a plan looks at. */
export interface PlanFiles {
  config: Config
  checkpoint: Checkpoint
  /** config.json of a model that has a tower. */
  sees?: Record<string, unknown>
}

/** What the machine is that the plan is for. */
export interface PlanMachine {
  /** Bytes of one binding, and of one buffer. */
  binding: number
  buffer?: number
  /** A CPU stands in for the GPU: it runs fewer rows at once. */
  software?: boolean
  /** Bytes of memory of the whole machine, where it tells. */
  memory?: number
}

interface Tensors {
  matrices: { name: string; plan: MatrixPlan }[]
  vectors: { name: string; plans: VectorPlan[] }[]
}

type Format = PlannedFormat['weights'] | 'f32'

/** Where neither the caller nor the machine says how much memory there is. */
const modestMemory = 4e9
const mostLayers = 1000

export function planModel(name: string, files: PlanFiles, options: PlanOptions, machine: PlanMachine): ModelPlan {
  const { config, checkpoint } = files
  checkOptions(options)
  // The headers may be hostile: the work is bounded.
  if (config.layers > mostLayers)
    throw new GlmError('config_unsupported', `${name} says it has ${config.layers} layers; download it again.`)
  const tensors = tensorsOf(config)
  const sight = sightOf(files)
  const faults = [...faultsOf(tensors, checkpoint), ...(sight.fault ? [sight.fault] : [])]
  const memory = memoryOf(options, machine)
  const sized = (weights: Format) => sizedAs(weights, { files, tensors, sight: sight.plan, options, machine })
  const sizes = (['f16', 'q8', 'q4', 'file'] as const).map((weights) => ({ weights, ...sized(weights) }))
  const formats = sizes.map(({ weights, gpu, all }) => ({ weights, bytes: gpu.total, fits: isHeld(all) && gpu.total <= memory.bytes }))
  const weights = options.weights === 'auto' ? best(formats, checkpoint) : (options.weights ?? 'file')
  const { gpu, all, context } = sized(weights)
  const plan: Omit<ModelPlan, 'verdict'> = {
    name,
    family: config.family,
    parameters: parametersOf(checkpoint),
    context,
    download: checkpoint.bytes,
    gpu,
    memory,
    tensors: all.filter(({ parts }) => parts !== 1),
    formats,
    weights,
    faults,
    fits: faults.length === 0 && isHeld(all) && gpu.total <= memory.bytes,
  }
  return { ...plan, verdict: verdictOf(plan, machine) }
}

function checkOptions({ weights = 'file', visionWeights, context, kv, memory }: PlanOptions): void {
  const known: readonly string[] = ['file', 'f32', 'f16', 'q8', 'q4', 'auto']
  towerFormat('file', visionWeights)
  if (!known.includes(weights)) throw wrong(`weights is ${JSON.stringify(weights)}; use auto, file, f32, f16, q8 or q4.`)
  if (context !== undefined && !(Number.isInteger(context) && context >= 2)) {
    throw wrong(`context is ${context}; use a whole number of positions from 2.`)
  }
  if (kv !== undefined && !['f32', 'f16', 'q8'].includes(kv)) throw wrong(`kv is ${JSON.stringify(kv)}; use f32, f16 or q8.`)
  if (memory !== undefined && !(memory > 0)) throw wrong(`memory is ${memory}; use a number of bytes.`)
}

const wrong = (sentence: string) => new GlmError('request_invalid', sentence)

function memoryOf({ memory }: PlanOptions, machine: PlanMachine): ModelPlan['memory'] {
  if (memory !== undefined) return { bytes: memory, given: true }
  // A browser's page shares the GPU, and often the memory, with all else that runs: half is left to that.
  return { bytes: machine.memory === undefined ? modestMemory : machine.memory / 2, given: false }
}

// ── tensors ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

function tensorsOf(config: Config): Tensors {
  const tensors: Tensors = { matrices: [{ name: 'embed', plan: planEmbedding(config) }], vectors: [] }
  for (let layer = 0; layer < config.layers; layer++) {
    const { vectors, ...matrices } = planLayer(config, layer)
    for (const matrix of Object.values(matrices)) tensors.matrices.push({ name: `layers.${layer}.${matrix.name}`, plan: matrix })
    tensors.vectors.push({ name: `layers.${layer}.aux`, plans: vectors })
  }
  if (!config.tied) tensors.matrices.push({ name: 'head', plan: planHead(config) })
  tensors.vectors.push({ name: 'norm', plans: planFinal(config) })
  return tensors
}

/** What the checkpoint lacks or has in another shape. */
function faultsOf({ matrices, vectors }: Tensors, checkpoint: Checkpoint): string[] {
  const wanted = new Map<string, number[]>()
  for (const { plan } of matrices) {
    for (const { tensor, from, rows } of plan.pieces)
      wanted.set(tensor, [Math.max(from + rows, wanted.get(tensor)?.[0] ?? 0), plan.columns])
  }
  for (const { tensor, length } of vectors.flatMap(({ plans }) => plans)) wanted.set(tensor, [length])
  const faults: string[] = []
  for (const [name, shape] of wanted) {
    const entry = checkpoint.tensors.get(name)
    if (!entry) faults.push(`it has no tensor ${name}; download it again.`)
    else if (entry.shape.join() !== shape.join()) {
      faults.push(`its tensor ${name} has shape [${entry.shape}] where config.json asks for [${shape}]; download it again.`)
    }
  }
  return faults
}

/** A tower that cannot be read is a fault like a tensor that is not there. */
function sightOf({ sees, checkpoint }: PlanFiles): { plan?: SightPlan; fault?: string } {
  if (!sees) return {}
  try {
    return { plan: planSight(sees, checkpoint) }
  } catch (error) {
    if (!(error instanceof GlmError)) throw error
    return { fault: error.message }
  }
}

const isHeld = (tensors: readonly PlannedTensor[]) => tensors.every(({ parts }) => parts > 0)

// ── bytes ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

interface Sizing {
  files: PlanFiles
  tensors: Tensors
  sight: SightPlan | undefined
  options: PlanOptions
  machine: PlanMachine
}

function sizedAs(
  weights: Format,
  { files, tensors, sight, options, machine }: Sizing,
): { gpu: ModelPlan['gpu']; all: PlannedTensor[]; context: number } {
  const { config, checkpoint } = files
  const limit = Math.min(machine.binding, machine.buffer ?? Infinity)
  const matrices = tensors.matrices.map(({ name, plan }): Coded => {
    const coding = codingOf(plan, checkpoint, weights)
    return { name, plan, coding, order: orderBytes(plan, checkpoint, coding) }
  })
  const tower = sight && sightWeights(sight, towerFormat(weights, options.visionWeights))
  const all = [
    ...[...matrices, ...(tower?.matrices ?? [])].map((matrix) => matrixAs(matrix, limit)),
    ...(tower ? [{ name: 'vision.aux', bytes: tower.vectorBytes, parts: 1 }] : []),
    ...tensors.vectors.map(({ name, plans }) => ({ name, bytes: auxLength(plans) * 4, parts: 1 })),
  ]
  const kv: KvFormat = options.kv ?? (options.exact || weights === 'f32' ? 'f32' : 'f16')
  const wanted = Math.min(options.context ?? defaultContext, config.context)
  const pages = Math.min(Math.ceil(wanted / pageSize), Math.floor(limit / pageBytes(config, kv)))
  const software = machine.software === true
  const rounding = !options.exact && software && parametersOf(checkpoint) >= roundingFrom
  const rounds = rounding && matrices.some(({ coding }) => scaled(coding.format))
  const ordered = matrices.some(({ order = 0 }) => order > 0)
  const gpu = {
    weights: all.reduce((sum, { bytes }) => sum + bytes, 0),
    kv: config.layers * pages * pageBytes(config, kv),
    scratch: scratchBytes(config, { limit, pages, kv, software, rounds, ordered }),
  }
  const seeing = sight ? sightScratch(sight, software) : 0
  const total = gpu.weights + gpu.kv + gpu.scratch + seeing
  return { gpu: { ...gpu, ...(sight && { seeing }), total }, all, context: Math.min(pages * pageSize, wanted) }
}

interface Coded {
  name: string
  plan: MatrixPlan
  coding: Coding
  /** Bytes of an order that its columns keep. */
  order?: number
}

function matrixAs({ name, plan, coding, order = 0 }: Coded, limit: number): PlannedTensor {
  const parts = splitRows(coding, plan.rows, plan.columns, limit)
  // What fits nowhere still has a size.
  const all = parts.length > 0 ? parts : splitRows(coding, plan.rows, plan.columns, Infinity)
  return { name, bytes: all.reduce((sum, { bytes }) => sum + bytes, order), parts: parts.length }
}

function orderBytes({ pieces }: MatrixPlan, { tensors }: Checkpoint, coding: Coding): number {
  const { blocks, order } = tensors.get(pieces[0]!.tensor) ?? {}
  return blocks && order && holds(coding, blocks.coding) ? order.byteLength : 0
}

interface Scratch {
  limit: number
  pages: number
  kv: KvFormat
  software: boolean
  /** Activations of prompts are packed as 8-bit codes. */
  rounds: boolean
  /** Inputs are brought into the order of a matrix's columns. */
  ordered: boolean
}

/** Activations, logits, the rotary table and the tables of rows: as decoder, runner and sampler make them for a chat. */
function scratchBytes(config: Config, { limit, pages, kv, software, rounds, ordered }: Scratch): number {
  const { hidden, heads, headDim, ffn, vocabulary, rotary } = config
  const shape = rowsShape(config, { limit, software, pages })
  const values =
    shape.rows * (padded(hidden) * (config.postNorms ? 4 : 1) + 2 * padded(heads * headDim) + padded(ffn)) +
    (ordered ? shape.rows * widestRow(config) : 0) +
    (rounds ? packedWords(shape.rows, Math.ceil(widestRow(config) / 32)) : 0) +
    shape.logits * vocabulary +
    (pages * pageSize + (config.sections ? shape.rows : 0)) * rotary +
    2 * rowsLayout(shape).words +
    3 * shape.slots * ring * (1 + logprobWords)
  return values * 4 + pageBytes(config, kv)
}

// ── words ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What files already quantised gain by more bits is nothing: they stay as they are where there is room. */
function best(formats: readonly PlannedFormat[], { quantised }: Checkpoint): PlannedFormat['weights'] {
  const order: PlannedFormat['weights'][] = quantised ? ['file', 'q4'] : ['f16', 'q8', 'q4']
  const found = order.find((weights) => formats.find((one) => one.weights === weights)?.fits)
  if (found) return found
  return formats.reduce((least, one) => (one.bytes < least.bytes ? one : least)).weights
}

function verdictOf(plan: Omit<ModelPlan, 'verdict'>, machine: PlanMachine): string {
  const { name, faults, tensors, weights, gpu, memory, context, download, fits } = plan
  if (faults.length > 0) {
    const others = faults.length - 1
    const more = others === 0 ? '' : ` There ${others === 1 ? 'is' : 'are'} ${others} more like this.`
    return `${name} cannot be loaded: ${faults[0]!}${more}`
  }
  const as = weights === 'file' ? 'as the file has them' : `as ${weights}`
  const unfit = tensors.find(({ parts }) => parts === 0)
  if (unfit)
    return `${name} does not fit: eight rows of ${unfit.name} ${as} are larger than one binding of this GPU; load it with weights q4.`
  const takes = `${gigabytes(gpu.total)} on the GPU with weights ${as} and ${context} positions`
  if (fits) return `${name} fits: ${gigabytes(download)} to download, and ${takes}, of ${allowed(memory, machine)}.`
  const other = plan.formats.find((one) => one.fits)
  const way = other
    ? `${other.weights} weights would take ${gigabytes(other.bytes)}`
    : 'ask for a smaller context, or choose a smaller model'
  return `${name} does not fit: it takes ${takes}, more than ${allowed(memory, machine)}; ${way}.`
}

function allowed({ bytes, given }: ModelPlan['memory'], machine: PlanMachine): string {
  if (given) return `${gigabytes(bytes)} that it may take`
  return `${gigabytes(bytes)} that are assumed here${machine.memory === undefined ? '' : " (half of this machine's memory)"}`
}
