// The tensors of a vision tower: their names in the checkpoint, and which matrix or vector on the GPU they become part of.
import type { Format, Matrix } from '../kernels/matrix.ts'
import type { Windows } from '../kernels/vision_windows.ts'
import type { Loader, MatrixPlan, VectorPlan } from '../weights/load.ts'
import type { Checkpoint } from '../weights/tensor.ts'
import { codingOf } from './codings.ts'
import type { VisionConfig } from './vision_config.ts'
import { namesOf } from './vision_names.ts'
import { VisionTensors } from './vision_tensors.ts'

/** Vectors of one buffer; where each begins, in f32, by our name for it. */
export interface VisionVectors {
  plans: VectorPlan[]
  length: number
  at: Readonly<Record<string, number>>
}

export interface VisionBlockPlan {
  qkv: MatrixPlan
  o: MatrixPlan
  /** Rows of gate and up alternate; or the first of two layers. */
  up: MatrixPlan
  down: MatrixPlan
  vectors: VisionVectors
}

export interface VisionPlan {
  /** The checkpoint with the tower's tensors as rows and columns: what the loader reads them by. */
  checkpoint: Checkpoint
  patch: MatrixPlan
  blocks: VisionBlockPlan[]
  downsample: MatrixPlan
  proj: MatrixPlan
  gateUp: MatrixPlan
  down: MatrixPlan
  /** Of patches, norms around the blocks, the merger; the two ends. */
  vectors: VisionVectors
  /** The table of positions, [side * side, hidden]. */
  table?: VectorPlan
}

export interface VisionBlock extends Pick<VisionBlockPlan, 'vectors'> {
  qkv: Matrix
  o: Matrix
  up: Matrix
  down: Matrix
  aux: GPUBuffer
}

export interface VisionWeights {
  plan: VisionPlan
  patch: Matrix
  blocks: VisionBlock[]
  downsample: Matrix
  proj: Matrix
  gateUp: Matrix
  down: Matrix
  aux: GPUBuffer
  table?: GPUBuffer
}

const pad = (length: number) => Math.ceil(length / 32) * 32

/** Finds every tensor of the tower; throws `tensor_invalid` where one is missing or has another shape. */
export function planVision(config: VisionConfig, from: Checkpoint): VisionPlan {
  const { hidden, text, inner, merge, temporal, patch, side } = config
  const found = new VisionTensors(from, namesOf(config.family))
  const values = 3 * temporal * patch * patch
  const kernel = temporal > 1 ? [3, temporal, patch, patch] : [3, patch, patch]
  const conv: Windows = { inputs: hidden, taps: merge * merge, stride: pad(hidden) }
  const plan: VisionPlan = {
    checkpoint: found.view,
    patch: single('vision patches', found.matrix('patch.weight', [hidden, ...kernel], values), hidden, values),
    blocks: Array.from({ length: config.layers }, (_, layer) => planBlock(config, found, layer)),
    downsample: single(
      'vision downsample',
      found.convolution('downsample.weight', [text, hidden, merge, merge], conv),
      text,
      conv.taps * conv.stride,
    ),
    proj: single('vision proj', found.matrix('merger.proj.weight', [text, text]), text, text),
    gateUp: paired('vision merger', found, ['merger.gate.weight', 'merger.up.weight'], inner, text),
    down: single('vision merger down', found.matrix('merger.down.weight', [text, inner]), text, inner),
    vectors: planVectors(config, found),
  }
  if (side > 0) {
    const tensor = found.vector('positions', [side * side, hidden])
    plan.table = { tensor, length: side * side * hidden, offset: 0 }
  }
  return plan
}

/** Makes room for the tower's weights in `loader`, which was given the plan's checkpoint; `fill` reads them with all others. */
export function loadVision(plan: VisionPlan, loader: Loader, weights: Format = 'q8'): VisionWeights {
  const matrix = (own: MatrixPlan) => loader.matrix(own, codingOf(own, plan.checkpoint, weights))
  const aux = ({ plans, length }: VisionVectors) => loader.vectors(plans, length)
  return {
    plan,
    patch: matrix(plan.patch),
    blocks: plan.blocks.map(({ vectors, qkv, o, up, down }) => ({
      vectors,
      qkv: matrix(qkv),
      o: matrix(o),
      up: matrix(up),
      down: matrix(down),
      aux: aux(vectors),
    })),
    downsample: matrix(plan.downsample),
    proj: matrix(plan.proj),
    gateUp: matrix(plan.gateUp),
    down: matrix(plan.down),
    aux: aux(plan.vectors),
    ...(plan.table ? { table: loader.vectors([plan.table], plan.table.length) } : {}),
  }
}

function planBlock(config: VisionConfig, found: VisionTensors, layer: number): VisionBlockPlan {
  const { hidden, mlp, gated } = config
  const name = (part: string) => `block.${layer}.${part}`
  return {
    qkv: planQkv(config, found, name),
    o: single('vision o', found.matrix(name('o.weight'), [hidden, hidden]), hidden, hidden),
    up: gated
      ? paired('vision gate_up', found, [name('gate.weight'), name('up.weight')], mlp, hidden)
      : single('vision up', found.matrix(name('up.weight'), [mlp, hidden]), mlp, hidden),
    down: single('vision down', found.matrix(name('down.weight'), [hidden, mlp]), hidden, mlp),
    vectors: planBlockVectors(config, found, name),
  }
}

/** Rows of q, of k and of v, one behind the other: one tensor in the file, or one for each. */
function planQkv({ hidden }: VisionConfig, found: VisionTensors, name: (part: string) => string): MatrixPlan {
  const whole = { name: 'vision qkv', rows: 3 * hidden, columns: hidden }
  const all = name('qkv.weight')
  if (found.names(all)) return single(whole.name, found.matrix(all, [whole.rows, hidden]), whole.rows, hidden)
  const pieces = ['q', 'k', 'v'].map((part, index) => {
    const tensor = found.matrix(name(`${part}.weight`), [hidden, hidden])
    return { tensor, from: 0, rows: hidden, offset: index * hidden, step: 1 }
  })
  return { ...whole, pieces }
}

function planBlockVectors(config: VisionConfig, found: VisionTensors, name: (part: string) => string): VisionVectors {
  const { hidden, headDim, mlp } = config
  const vectors = new Vectors(found, name)
  for (const norm of ['norm1', 'norm2']) vectors.norm(norm, hidden, config.norm)
  if (config.headNorm) for (const norm of ['q_norm', 'k_norm']) vectors.norm(norm, headDim, 'rms')
  if (config.bias) {
    vectors.together('qkv.bias', ['q.bias', 'k.bias', 'v.bias'], hidden)
    vectors.add('o.bias', hidden)
    if (config.gated) vectors.alternate('up.bias', ['gate.bias', 'up.bias'], mlp)
    else vectors.add('up.bias', mlp)
    vectors.add('down.bias', hidden)
  }
  return vectors.plan
}

function planVectors(config: VisionConfig, found: VisionTensors): VisionVectors {
  const { hidden, text } = config
  const vectors = new Vectors(found, (part) => part)
  vectors.add('patch.bias', hidden)
  if (config.embedNorm) vectors.norm('embed_norm', hidden, config.norm)
  vectors.norm('post_norm', hidden, config.norm)
  vectors.add('downsample.bias', text)
  vectors.norm('merger.norm', text, 'layer')
  if (config.ends) for (const end of ['begin', 'end']) vectors.add(end, text, [1, 1, text])
  return vectors.plan
}

const single = (name: string, tensor: string, rows: number, columns: number): MatrixPlan => ({
  name,
  rows,
  columns,
  pieces: [{ tensor, from: 0, rows, offset: 0, step: 1 }],
})

/** Rows of two tensors alternate, so that one thread holds both halves of a SwiGLU. */
function paired(name: string, found: VisionTensors, names: readonly string[], rows: number, columns: number): MatrixPlan {
  const pieces = names.map((own, offset) => ({ tensor: found.matrix(own, [rows, columns]), from: 0, rows, offset, step: 2 }))
  return { name, rows: 2 * rows, columns, pieces }
}

/** Vectors side by side, each from a multiple of 32 values on. */
class Vectors {
  readonly plan: VisionVectors & { at: Record<string, number> } = { plans: [], length: 0, at: {} }
  readonly #found: VisionTensors
  readonly #name: (part: string) => string

  constructor(found: VisionTensors, name: (part: string) => string) {
    this.#found = found
    this.#name = name
  }

  add(name: string, length: number, shape: readonly number[] = [length]): void {
    this.#put(name, length)
    this.plan.plans.push({ tensor: this.#found.vector(this.#name(name), shape), length, offset: this.plan.at[name]! })
  }

  norm(name: string, length: number, kind: VisionConfig['norm']): void {
    this.add(`${name}.weight`, length)
    if (kind === 'layer') this.add(`${name}.bias`, length)
  }

  /** One behind the other, as the rows of their matrix: one tensor in the file, or one for each. */
  together(name: string, parts: readonly string[], length: number): void {
    this.#put(name, parts.length * length)
    const offset = this.plan.at[name]!
    if (this.#found.names(this.#name(name))) {
      const tensor = this.#found.vector(this.#name(name), [parts.length * length])
      this.plan.plans.push({ tensor, length: parts.length * length, offset })
      return
    }
    parts.forEach((part, index) => {
      this.plan.plans.push({ tensor: this.#found.vector(this.#name(part), [length]), length, offset: offset + index * length })
    })
  }

  /** Values of each in turn. */
  alternate(name: string, parts: readonly string[], length: number): void {
    this.#put(name, parts.length * length)
    const offset = this.plan.at[name]!
    parts.forEach((part, to) => {
      const moves = [{ from: 0, count: length, to, step: parts.length }]
      this.plan.plans.push({ tensor: this.#found.vector(this.#name(part), [length]), length, offset, moves })
    })
  }

  #put(name: string, length: number): void {
    this.plan.at[name] = this.plan.length
    this.plan.length += pad(length)
  }
}
