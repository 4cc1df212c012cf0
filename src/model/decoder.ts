// The GLM text decoder: every architecture of families.ts, recorded as dispatches over rows.
//   h = embed[token]
//   per layer:  h += Wo attention(rope(Wqkv norm(h)))      glm4: the sum is normed before it is added
//               h += Wdown swiglu(Wgate_up norm(h))        glm4: likewise
//   logits = Whead norm(h)
import type { Buffers } from '../gpu/buffers.ts'
import type { Gpu } from '../gpu/device.ts'
import type { Kernel, Pipelines, Slot } from '../gpu/pipeline.ts'
import { type Dispatch, prepare, type Recording } from '../gpu/recorder.ts'
import { attention } from '../kernels/attention.ts'
import { embed, embedGroups } from '../kernels/embed.ts'
import { type MatmulOptions, matmul, matmulGroups, type Norm } from '../kernels/matmul.ts'
import type { Matrix } from '../kernels/matrix.ts'
import { addNorm } from '../kernels/norm.ts'
import { pageSize, type RowsShape } from '../kernels/rows.ts'
import { sample } from '../kernels/sample.ts'
import type { Config } from './config.ts'
import { type LayerPlan, vectorOffset } from './layout.ts'
import { ropeTable } from './rope.ts'
import type { Rows } from './rows.ts'

export interface LayerWeights {
  plan: LayerPlan
  qkv: Matrix
  o: Matrix
  gateUp: Matrix
  down: Matrix
  aux: GPUBuffer
}

export interface Weights {
  embed: Matrix
  head: Matrix
  norm: GPUBuffer
  layers: LayerWeights[]
}

export interface DecoderOptions {
  config: Config
  weights: Weights
  gpu: Gpu
  buffers: Buffers
  pipelines: Pipelines
  /** How keys and values are stored. */
  kv: 'f32' | 'f16'
  /** Pages in the pool of each layer. */
  pages: number
  shape: RowsShape
}

type Bound = Partial<Record<Slot, GPUBuffer>>
type Step = { kernel: Kernel; buffers: Bound; groups: readonly [number, number?, number?] }

const padded = (width: number) => Math.ceil(width / 32) * 32

/** f32 values of scratch that one row takes at its widest: what bounds the rows of a pass. */
export const widestRow = (config: Config): number =>
  Math.max(padded(config.ffn), padded(config.heads * config.headDim), padded(config.hidden))

/** Bytes of keys and values of one page in one layer. */
export const pageBytes = (config: Config, kv: 'f32' | 'f16'): number =>
  2 * config.kvHeads * pageSize * config.headDim * (kv === 'f32' ? 4 : 2)

export class Decoder {
  readonly logits: GPUBuffer
  readonly kv: GPUBuffer[]
  readonly #options: DecoderOptions
  readonly #rope: GPUBuffer
  readonly #h: GPUBuffer // [rows, hidden], the residual stream
  readonly #q: GPUBuffer // [rows, heads * headDim]
  readonly #attended: GPUBuffer // [rows, heads * headDim]
  readonly #act: GPUBuffer // [rows, ffn]
  readonly #raw: GPUBuffer // [rows, hidden], before a post-norm

  constructor(options: DecoderOptions) {
    this.#options = options
    const { config, buffers, shape, pages, kv, gpu } = options
    const rows = (label: string, width: number) => buffers.make(label, shape.rows * padded(width) * 4)
    this.#h = rows('h', config.hidden)
    this.#q = rows('q', config.heads * config.headDim)
    this.#attended = rows('attended', config.heads * config.headDim)
    this.#act = rows('act', config.ffn)
    this.#raw = config.postNorms ? rows('raw', config.hidden) : this.#h
    this.logits = buffers.make('logits', shape.logits * config.vocabulary * 4)
    this.kv = options.weights.layers.map((_, layer) => buffers.make(`kv ${layer}`, pages * pageBytes(config, kv)))
    const table = ropeTable(config, pages * pageSize)
    this.#rope = buffers.make('rope', table.byteLength)
    gpu.device.queue.writeBuffer(this.#rope, 0, table)
  }

  /** The dispatches of one pass over up to `capacity` rows, with logits (and the next token) for up to `logits` of them. */
  async record(rows: Rows, capacity: number, logits: number, sampled: boolean): Promise<Recording> {
    const { config, weights } = this.#options
    const steps: Step[] = [...this.#embed(rows, capacity)]
    for (let layer = 0; layer < config.layers; layer++) steps.push(...this.#layer(rows, capacity, layer))
    if (logits > 0) {
      const norm = { width: config.hidden, eps: config.eps, gamma: 0 }
      steps.push(
        ...this.#matmul(
          rows,
          logits,
          {
            matrix: weights.head,
            input: norm,
            output: { kind: 'store', stride: config.vocabulary },
            rows: 'logits',
          },
          { x: this.#h, y: this.logits, aux: weights.norm },
        ),
      )
      if (sampled)
        steps.push({ kernel: sample(config.vocabulary, rows.shape), buffers: { x: this.logits, rows: rows.buffer }, groups: [logits] })
    }
    return Promise.all(steps.map((step) => this.#prepare(step)))
  }

  async #prepare({ kernel, buffers, groups }: Step): Promise<Dispatch> {
    const { gpu, pipelines } = this.#options
    return prepare(gpu.device, await pipelines.get(kernel), buffers, groups)
  }

  #embed(rows: Rows, capacity: number): Step[] {
    const { gpu, weights } = this.#options
    return weights.embed.parts.map((part) => ({
      kernel: embed(weights.embed, part, rows.shape, gpu.info.f16, gpu.info.software),
      buffers: { weights: part.buffer, y: this.#h, rows: rows.buffer },
      groups: embedGroups(weights.embed, capacity),
    }))
  }

  #layer(rows: Rows, capacity: number, layer: number): Step[] {
    const { config, weights, kv } = this.#options
    const { plan, qkv, o, gateUp, down, aux } = weights.layers[layer]!
    const { heads, kvHeads, headDim, rotary } = config
    const norm = (name: string): Norm => ({ width: config.hidden, eps: config.eps, gamma: vectorOffset(plan, name)! })
    const stride = padded(heads * headDim)
    const pool = this.kv[layer]!
    return [
      ...this.#matmul(
        rows,
        capacity,
        {
          matrix: qkv,
          input: norm('input_layernorm.weight'),
          output: { kind: 'qkv', stride, heads, kvHeads, headDim, rotary, bias: vectorOffset(plan, 'q_proj.bias'), kv },
        },
        { x: this.#h, y: this.#q, aux, rope: this.#rope, kv: pool },
      ),
      {
        kernel: attention({ heads, kvHeads, headDim, stride, kv, shape: rows.shape, rolled: this.#options.gpu.info.software }),
        buffers: { x: this.#q, y: this.#attended, rows: rows.buffer, kv: pool },
        groups: [heads, capacity],
      },
      ...this.#residual(rows, capacity, o, this.#attended, layer, 'post_self_attn_layernorm.weight'),
      ...this.#matmul(
        rows,
        capacity,
        {
          matrix: gateUp,
          input: norm('post_attention_layernorm.weight'),
          output: { kind: 'swiglu', stride: padded(config.ffn) },
        },
        { x: this.#h, y: this.#act, aux },
      ),
      ...this.#residual(rows, capacity, down, this.#act, layer, 'post_mlp_layernorm.weight'),
    ]
  }

  /** h += W x, or h += norm(W x) in families with norms behind. */
  #residual(rows: Rows, capacity: number, matrix: Matrix, x: GPUBuffer, layer: number, postNorm: string): Step[] {
    const { config, weights } = this.#options
    const stride = padded(config.hidden)
    if (!config.postNorms)
      return this.#matmul(rows, capacity, { matrix, input: 'plain', output: { kind: 'add', stride } }, { x, y: this.#h })
    const { plan, aux } = weights.layers[layer]!
    const norm = { width: config.hidden, eps: config.eps, gamma: vectorOffset(plan, postNorm)! }
    return [
      ...this.#matmul(rows, capacity, { matrix, input: 'plain', output: { kind: 'store', stride } }, { x, y: this.#raw }),
      { kernel: addNorm(norm, rows.shape), buffers: { x: this.#raw, y: this.#h, aux, rows: rows.buffer }, groups: [1, capacity] },
    ]
  }

  /** One dispatch per part of the matrix. */
  #matmul(
    rows: Rows,
    capacity: number,
    options: Pick<MatmulOptions, 'matrix' | 'input' | 'output'> & { rows?: 'logits' },
    bound: Bound,
  ): Step[] {
    const { gpu } = this.#options
    const tile = capacity === 1 ? 1 : capacity <= 4 ? 4 : 8
    const lanes = gpu.info.software ? 1 : Math.min(8, 2 ** Math.ceil(Math.log2(options.matrix.groups)))
    return options.matrix.parts.map((part) => ({
      kernel: matmul({
        ...options,
        part,
        tile,
        lanes,
        rows: options.rows ?? 'all',
        shape: rows.shape,
        f16: gpu.info.f16,
        rolled: gpu.info.software,
      }),
      buffers: { ...bound, weights: part.buffer, rows: rows.buffer },
      groups: matmulGroups(part, capacity, tile, lanes),
    }))
  }
}
