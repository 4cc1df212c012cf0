// Whether every tensor of a model fits a GPU's bindings, told from headers alone: nothing is loaded.
import type { WeightsFormat } from '../api/types.ts'
import { formatFor, type ModelFiles } from '../engine/checkpoint.ts'
import { type Format, splitRows } from '../kernels/matrix.ts'
import { pageSize } from '../kernels/rows.ts'
import type { Config } from '../model/config.ts'
import { pageBytes } from '../model/decoder.ts'
import { auxLength, planEmbedding, planFinal, planHead, planLayer } from '../model/layout.ts'
import type { MatrixPlan, VectorPlan } from '../weights/load.ts'

/** A tensor on the GPU: the bytes it takes, and the parts it is split into; 0 where it fits in none. */
export interface Fitted {
  name: string
  bytes: number
  parts: number
}

export interface Fit {
  name: string
  family: string
  fits: boolean
  format: Format
  /** Every format whose tensors all fit. */
  formats: Format[]
  /** Of all weights, and of keys and values of one position. */
  bytes: number
  kvBytes: number
  tensors: Fitted[]
  /** Tensors that the checkpoint lacks or has in another shape, as sentences. */
  faults: string[]
}

interface Plan {
  matrices: { name: string; plan: MatrixPlan }[]
  vectors: { name: string; plans: VectorPlan[] }[]
}

export function fitModel(files: ModelFiles, options: { name: string; weights?: WeightsFormat; binding: number }): Fit {
  const { config } = files
  const { binding } = options
  const format = formatFor(options.weights)
  const plan = planModel(config)
  const tensors = tensorsOf(plan, format, binding)
  const faults = faultsOf(plan, files)
  const holds = (tensors: Fitted[]) => tensors.every(({ parts }) => parts > 0)
  return {
    name: options.name,
    family: config.family,
    fits: faults.length === 0 && holds(tensors),
    format,
    formats: (['q4', 'q8', 'f16', 'f32'] as const).filter((one) => holds(tensorsOf(plan, one, binding))),
    bytes: tensors.reduce((sum, { bytes }) => sum + bytes, 0),
    kvBytes: (config.layers * pageBytes(config, format === 'f32' ? 'f32' : 'f16')) / pageSize,
    tensors,
    faults,
  }
}

function planModel(config: Config): Plan {
  const plan: Plan = { matrices: [{ name: 'embed', plan: planEmbedding(config) }], vectors: [] }
  for (let layer = 0; layer < config.layers; layer++) {
    const { vectors, ...matrices } = planLayer(config, layer)
    for (const matrix of Object.values(matrices)) plan.matrices.push({ name: `layers.${layer}.${matrix.name}`, plan: matrix })
    plan.vectors.push({ name: `layers.${layer}.aux`, plans: vectors })
  }
  if (!config.tied) plan.matrices.push({ name: 'head', plan: planHead(config) })
  plan.vectors.push({ name: 'norm', plans: planFinal(config) })
  return plan
}

function tensorsOf({ matrices, vectors }: Plan, format: Format, binding: number): Fitted[] {
  return [
    ...matrices.map(({ name, plan }) => {
      const parts = splitRows(format, plan.rows, plan.columns, binding)
      return { name, bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0), parts: parts.length }
    }),
    ...vectors.map(({ name, plans }) => ({ name, bytes: auxLength(plans) * 4, parts: 1 })),
  ]
}

function faultsOf({ matrices, vectors }: Plan, { checkpoint }: ModelFiles): string[] {
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
