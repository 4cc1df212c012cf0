// The GLM text decoder: every architecture of families.ts, recorded as dispatches over rows.
//   h = embed[token]
//   per layer:  h += Wo attention(rope(Wqkv norm(h)))      glm4: the sum is normed before it is added
//               h += Wdown swiglu(Wgate_up norm(h))        glm4: likewise
//   logits = Whead norm(h)
import type { Buffers } from '../gpu/buffers.ts'
import type { Gpu } from '../gpu/device.ts'
import type { Kernel, Pipelines, Slot } from '../gpu/pipeline.ts'
import { type Dispatch, prepare, type Recording } from '../gpu/recorder.ts'
import { attention, attentionGroups, partialsLength, stretches } from '../kernels/attention.ts'
import { attentionMerge, mergeGroups } from '../kernels/attention_merge.ts'
import { dot8 } from '../kernels/dot8.ts'
import { embed, embedGroups } from '../kernels/embed.ts'
import { gemm, gemmOut, gemmTile } from '../kernels/gemm.ts'
import { gemm8, gemm8Shapes } from '../kernels/gemm8.ts'
import { type KvFormat, type LinearOptions, linearGroups, type Norm } from '../kernels/linear.ts'
import { matmul, outputsOf } from '../kernels/matmul.ts'
import type { Matrix } from '../kernels/matrix.ts'
import { addNorm } from '../kernels/norm.ts'
import { pack8, packedWords } from '../kernels/pack8.ts'
import { pageSize, type RowsShape } from '../kernels/rows.ts'
import { solo } from '../kernels/solo.ts'
import type { VectorPlan } from '../weights/load.ts'
import { type Choices, together } from './choices.ts'
import type { Config } from './config.ts'
import { type LayerPlan, postMlpNorm, vectorOffset } from './layout.ts'
import { ropeTable } from './rope.ts'
import type { Row, Rows } from './rows.ts'
import type { Seen } from './seen.ts'
import { padded, pageBytes, widestRow } from './sizes.ts'

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
  /** Norms of the head's kernel. */
  final: { vectors: readonly VectorPlan[]; aux: GPUBuffer }
  layers: LayerWeights[]
  /** Brings inputs into a matrix's own order (kernels/gather.ts); there where one has an order. */
  gather?: (columns: number) => Kernel
}

/** Whether a matrix keeps an order of its own. */
export const isOrdered = ({ head, layers }: Weights): boolean =>
  [head, ...layers.flatMap(({ qkv, o, gateUp, down }) => [qkv, o, gateUp, down])].some(({ order }) => order)

export interface DecoderOptions {
  config: Config
  weights: Weights
  gpu: Gpu
  buffers: Buffers
  pipelines: Pipelines
  /** How keys and values are stored. */
  kv: KvFormat
  choices: Choices
  /** Pages in the pool of each layer. */
  pages: number
  shape: RowsShape
}

type Bound = Partial<Record<Slot, GPUBuffer>>
/** Rows of one prompt, neighbours in their sequence; or a row of each of several sequences, far where one is past the first stretch of attention. */
/** Kernels for few rows, by the name of a choice. */
const few = { dot8, matmul, solo }

export type PassKind = 'prefill' | 'decode' | 'decode far'
/** What one pass runs over at most. */
type Pass = { rows: Rows; capacity: number; kind: PassKind }
/** Which buffer holds h, and the norm that the raw rows behind it still wait for. */
type Stream = { at: number; pending?: string | undefined }
type Linear = Pick<LinearOptions, 'matrix' | 'input' | 'output'> & { rows?: 'logits' }
export type Step = { kernel: Kernel; buffers: Bound; groups: readonly [number, number?, number?] }

export class Decoder {
  readonly logits: GPUBuffer
  readonly kv: GPUBuffer[]
  readonly #options: DecoderOptions
  readonly #rope: GPUBuffer
  /**
   * The residual stream, [rows, hidden]. Families with norms behind have two: a kernel reads h and what the one before left unnormed, [h rows][raw rows],
   * and writes their sum to the other.
   */
  readonly #h: readonly GPUBuffer[]
  readonly #q: GPUBuffer // [rows, heads * headDim]
  readonly #attended: GPUBuffer // [rows, heads * headDim]
  readonly #act: GPUBuffer // [rows, ffn]
  readonly #gathered: GPUBuffer | undefined // [rows, widest], the input of a matrix whose columns keep an order of their own
  #packed: GPUBuffer | undefined // [rows], a prompt's activations as 8-bit codes, once they are wanted
  #partials: GPUBuffer | undefined // [slots, stretches, heads, headDim and two sums], once a sequence is that long

  constructor(options: DecoderOptions) {
    this.#options = options
    const { config, buffers, shape, pages, kv, gpu } = options
    const rows = (label: string, width: number, times = 1) => buffers.make(label, times * shape.rows * padded(width) * 4)
    const h = rows('h', config.hidden, config.postNorms ? 2 : 1)
    this.#h = [h, config.postNorms ? rows('h', config.hidden, 2) : h]
    this.#q = rows('q', config.heads * config.headDim)
    this.#attended = rows('attended', config.heads * config.headDim)
    this.#act = rows('act', config.ffn)
    if (isOrdered(options.weights)) this.#gathered = rows('gathered', widestRow(config))
    this.logits = buffers.make('logits', shape.logits * config.vocabulary * 4)
    this.kv = options.weights.layers.map((_, layer) => buffers.make(`kv ${layer}`, pages * pageBytes(config, kv)))
    const table = ropeTable(config, pages * pageSize)
    // Behind the positions, with M-RoPE: a line for each row of a prompt that shows something.
    this.#rope = buffers.make('rope', table.byteLength + (config.sections ? shape.rows * config.rotary * 4 : 0))
    gpu.device.queue.writeBuffer(this.#rope, 0, table)
  }

  /** The dispatches of one pass over up to `capacity` rows, with logits for up to `logits` of them, and then `sampling`. */
  async record(rows: Rows, capacity: number, logits: number, sampling: readonly Step[], kind: PassKind): Promise<Recording> {
    const pass = { rows, capacity, kind }
    const { config, weights } = this.#options
    const stream: Stream = { at: 0 }
    const steps: Step[] = [...this.#embed(rows, capacity)]
    for (let layer = 0; layer < config.layers; layer++) steps.push(...this.#layer(pass, stream, layer))
    if (logits > 0) {
      const { vectors, aux } = weights.final
      const input = this.#norm(stream, vectors, 'model.norm.weight', false)
      const output = { kind: 'store', stride: config.vocabulary } as const
      const bound = { x: this.#h[stream.at]!, y: this.logits, aux }
      steps.push(...this.#matmul({ ...pass, capacity: logits }, { matrix: weights.head, input, output, rows: 'logits' }, bound))
      steps.push(...sampling)
    }
    return Promise.all(steps.map((step) => this.#prepare(step)))
  }

  /** Brings what a prompt shows into the next pass over `rows` of it. */
  show(seen: Seen, rows: Row[]): void {
    const { gpu, config, pages } = this.#options
    seen.show(rows, { device: gpu.device, config, h: this.#h[0]!, rope: this.#rope, line: pages * pageSize })
  }

  /** Where the parts of a page stand in a layer's pool: in q8 codes come first, of all pages, then scales. */
  get pageStretches(): { offset: number; bytes: number }[] {
    const { config, kv, pages } = this.#options
    const bytes = pageBytes(config, kv)
    if (kv !== 'q8') return [{ offset: 0, bytes }]
    const codes = (bytes * 8) / 9
    return [
      { offset: 0, bytes: codes },
      { offset: pages * codes, bytes: bytes - codes },
    ]
  }

  /** Lets go of compiled pipelines; recordings keep theirs. */
  forget(): void {
    this.#options.pipelines.clear()
  }

  async #prepare({ kernel, buffers, groups }: Step): Promise<Dispatch> {
    const { gpu, pipelines } = this.#options
    return prepare(gpu.device, await pipelines.get(kernel), buffers, groups)
  }

  #embed(rows: Rows, capacity: number): Step[] {
    const { gpu, weights } = this.#options
    return weights.embed.parts.map((part) => ({
      kernel: embed(weights.embed, part, rows.shape, gpu.info.f16, gpu.info.software),
      buffers: { weights: part.buffer, y: this.#h[0]!, rows: rows.buffer },
      groups: embedGroups(weights.embed, capacity),
    }))
  }

  #layer(pass: Pass, stream: Stream, layer: number): Step[] {
    const { config, weights, kv, pages } = this.#options
    const { plan, qkv, o, gateUp, down, aux } = weights.layers[layer]!
    const { heads, kvHeads, headDim, rotary } = config
    const stride = padded(heads * headDim)
    const pool = this.kv[layer]!
    const bias = vectorOffset(plan.vectors, 'q_proj.bias')
    return [
      ...this.#normed(pass, stream, qkv, plan, 'input_layernorm.weight', {
        output: { kind: 'qkv', stride, heads, kvHeads, headDim, rotary, bias, kv, pages },
        bound: { y: this.#q, aux, rope: this.#rope, kv: pool },
      }),
      ...this.#attend(pass, pool),
      ...this.#residual(pass, stream, o, this.#attended, layer, `model.layers.${layer}.post_self_attn_layernorm.weight`),
      ...this.#normed(pass, stream, gateUp, plan, 'post_attention_layernorm.weight', {
        output: { kind: 'swiglu', stride: padded(config.ffn) },
        bound: { y: this.#act, aux },
      }),
      ...this.#residual(pass, stream, down, this.#act, layer, postMlpNorm(layer)),
    ]
  }

  /** Keys and values of a page are read once for the rows of a prompt's tile, and for the query heads that share them. */
  #attend({ rows, capacity, kind }: Pass, pool: GPUBuffer): Step[] {
    const { config, kv, pages, gpu } = this.#options
    const { heads, kvHeads, headDim } = config
    const split = kind === 'decode far'
    const tile = kind === 'prefill' ? 8 : 1
    const options = {
      heads,
      kvHeads,
      headDim,
      stride: padded(heads * headDim),
      kv,
      pages,
      tile,
      split,
      shape: rows.shape,
      rolled: gpu.info.software,
    }
    const buffers = { x: this.#q, rows: rows.buffer, kv: pool }
    const kernel = attention(options)
    if (!split) return [{ kernel, buffers: { ...buffers, y: this.#attended }, groups: attentionGroups(options, capacity) }]
    const { buffers: own, shape } = this.#options
    this.#partials ??= own.make('partials', partialsLength({ heads, headDim, shape }, shape.slots) * 4)
    const { x, y } = { x: this.#partials, y: this.#attended }
    return [
      { kernel, buffers: { ...buffers, y: x }, groups: attentionGroups(options, capacity, stretches(pages * pageSize)) },
      { kernel: attentionMerge(options), buffers: { x, y, rows: rows.buffer }, groups: mergeGroups(options, capacity) },
    ]
  }

  /** W norm(h), where h may still have to be summed: then the sum goes to the other buffer. */
  #normed(
    pass: Pass,
    stream: Stream,
    matrix: Matrix,
    plan: LayerPlan,
    name: string,
    to: { output: LinearOptions['output']; bound: Bound },
  ): Step[] {
    const input = this.#norm(stream, plan.vectors, name, true)
    const x = this.#h[stream.at]!
    if (!stream.pending) return this.#matmul(pass, { matrix, input, output: to.output }, { ...to.bound, x })
    stream.at = 1 - stream.at
    stream.pending = undefined
    return this.#matmul(pass, { matrix, input, output: to.output }, { ...to.bound, x, next: this.#h[stream.at]! })
  }

  #norm(stream: Stream, vectors: readonly VectorPlan[], name: string, keep: boolean): Norm {
    const { config, shape } = this.#options
    const norm: Norm = { width: config.hidden, eps: config.eps, gamma: vectorOffset(vectors, name)! }
    if (stream.pending) norm.sandwich = { postGamma: vectorOffset(vectors, stream.pending)!, raw: shape.rows * padded(config.hidden), keep }
    return norm
  }

  /** h += W x, or h += norm(W x) in families with norms behind: by the kernel that reads h next, or by one of its own. */
  #residual(pass: Pass, stream: Stream, matrix: Matrix, x: GPUBuffer, layer: number, postNorm: string): Step[] {
    const { config, weights, choices, shape } = this.#options
    const stride = padded(config.hidden)
    const h = this.#h[stream.at]!
    if (!config.postNorms) return this.#matmul(pass, { matrix, input: 'plain', output: { kind: 'add', stride } }, { x, y: h })
    if (choices.fused) {
      stream.pending = postNorm
      const offset = shape.rows * stride
      return this.#matmul(pass, { matrix, input: 'plain', output: { kind: 'store', stride, offset } }, { x, y: h })
    }
    const { plan, aux } = weights.layers[layer]!
    const norm = { width: config.hidden, eps: config.eps, gamma: vectorOffset(plan.vectors, postNorm)! }
    const raw = this.#h[1 - stream.at]!
    return [
      ...this.#matmul(pass, { matrix, input: 'plain', output: { kind: 'store', stride } }, { x, y: raw }),
      {
        kernel: addNorm(norm, pass.rows.shape),
        buffers: { x: raw, y: h, aux, rows: pass.rows.buffer },
        groups: [1, pass.capacity],
      },
    ]
  }

  /** One dispatch per part of the matrix; prompts whose activations are rounded are packed first. */
  #matmul(pass: Pass, options: Linear, bound: Bound): Step[] {
    const { columns, order } = options.matrix
    if (!order) return this.#multiply(pass, options, bound)
    const { gather } = this.#options.weights
    const y = this.#gathered!
    const gathering = {
      kernel: gather!(columns),
      buffers: { x: bound.x, y, rows: pass.rows.buffer, source: order } as Bound,
      groups: [Math.ceil(columns / 64), options.rows === 'logits' ? pass.rows.shape.rows : pass.capacity] as const,
    }
    return [gathering, ...this.#multiply(pass, options, { ...bound, x: y })]
  }

  #multiply(pass: Pass, options: Linear, bound: Bound): Step[] {
    const { choices, gpu, buffers: own, config, shape } = this.#options
    const { matrix, input, rows = 'all' as const } = options
    const prefill = pass.kind === 'prefill' && rows === 'all' ? choices.prefill(matrix) : 'matmul'
    if (prefill === 'matmul') return this.#few(pass, options, bound)
    // CPU adapters compile for a second: one size of tile serves all.
    const tile = gpu.info.software ? 32 : gemmTile(pass.capacity)
    if (prefill === 'gemm') return this.#parts(pass, options, bound, gemmOut, tile, (own) => gemm({ ...own, tile }))
    this.#packed ??= own.make('packed', packedWords(shape.rows, Math.ceil(widestRow(config) / 32)) * 4)
    const how = { tile, ...gemm8Shapes[prefill === 'gemm8 wide' ? 'wide' : gpu.info.software ? 'widest' : 'square'] }
    const { x, next, ...others } = bound
    const packing = { groups: matrix.groups, input: input as 'plain' | Norm, rows, shape: pass.rows.shape, rolled: gpu.info.software }
    const buffers = { ...others, x, y: this.#packed, rows: pass.rows.buffer, ...(next ? { next } : {}) } as Bound
    return [
      { kernel: pack8(packing), buffers, groups: [1, pass.capacity] },
      ...this.#parts(pass, options, { ...others, x: this.#packed }, how.out, tile, (own) => gemm8({ ...own, ...how })),
    ]
  }

  /** Few rows: each weight is read once for up to eight of them. */
  #few(pass: Pass, options: Linear, bound: Bound): Step[] {
    const { choices } = this.#options
    const { matrix, output } = options
    // Keys and values that are rounded in groups need threads that share.
    const shares = output.kind === 'qkv' && output.kv === 'q8'
    const choice = choices.decode(matrix)
    const { kernel, ...how } = shares && choice.kernel === 'solo' ? together : choice
    const tile = pass.capacity === 1 ? 1 : pass.capacity <= 4 ? 4 : 8
    // Totals of a tile stand in workgroup memory.
    if (how.threads * tile * how.stripes > 2048) how.stripes = 1
    return this.#parts(pass, options, bound, outputsOf(how), tile, (own) => few[kernel]({ ...own, tile, ...how }))
  }

  #parts(
    { rows, capacity }: Pass,
    options: Linear,
    bound: Bound,
    out: number,
    tile: number,
    make: (options: LinearOptions) => Kernel,
  ): Step[] {
    const { info } = this.#options.gpu
    return options.matrix.parts.map((part) => ({
      kernel: make({ ...options, part, rows: options.rows ?? 'all', shape: rows.shape, f16: info.f16, rolled: info.software }),
      buffers: { ...bound, weights: part.buffer, rows: rows.buffer },
      groups: linearGroups(part, capacity, tile, out),
    }))
  }
}
