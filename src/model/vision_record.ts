// A vision tower as dispatches over chunks of patches, recorded once for a room and played for every picture that fits it:
//   h = patches W (normed, plus positions)
//   per block:  h += Wo attention(turned(Wqkv norm(h)));  h += Wdown mlp(norm(h))
//   per token:  W of merge x merge patches of norm(h) → linear → LayerNorm → GELU → SwiGLU
// In brackets what not every family has (vision_config.ts).
import type { Gpu } from '../gpu/device.ts'
import type { Kernel, Pipelines, Slot } from '../gpu/pipeline.ts'
import { type Dispatch, prepare } from '../gpu/recorder.ts'
import { layerNorm } from '../kernels/layernorm.ts'
import type { Matrix } from '../kernels/matrix.ts'
import { seeAttention } from '../kernels/see_attention.ts'
import { seePositions } from '../kernels/see_positions.ts'
import { seeTurn, seeTurnGroups } from '../kernels/see_turn.ts'
import { type SeeInput, type SeeOutput, visionLinear, visionLinearGroups } from '../kernels/vision_linear.ts'
import type { VisionConfig } from './vision_config.ts'
import type { VisionBlock, VisionVectors, VisionWeights } from './vision_layout.ts'
import { grain, type Room, valuesOf } from './vision_room.ts'

type Bound = Partial<Record<Slot, GPUBuffer | GPUBufferBinding>>

/** A dispatch over as many rows as a chunk has. */
interface Step {
  kernel: Kernel
  buffers: Bound
  groups(rows: number): readonly [number, number?]
  /** Floating-point operations. */
  work(rows: number): number
  /** The rows are tokens, `merge`² patches each. */
  tokens?: boolean
}

export type Run = Omit<Step, 'kernel' | 'buffers'> & { dispatch: Dispatch }

/** What chunks do one after the other, or all queries of the batch against its keys: a dispatch for each place it may begin at. */
export type Stage = { name: 'patches' | 'before' | 'behind' | 'tokens'; chunks: Run[][] } | { name: 'attention'; places: Dispatch[] }

export interface RecordOptions {
  gpu: Gpu
  pipelines: Pipelines
  config: VisionConfig
  weights: VisionWeights
}

export async function recordTower(options: RecordOptions, room: Room): Promise<Stage[]> {
  const { gpu, pipelines, config, weights } = options
  const { heads, headDim } = config
  const chunks = Array.from({ length: room.chunks }, (_, chunk) => new Chunk(options, room, chunk))
  const ready = async ({ kernel, buffers, ...run }: Step): Promise<Run> => ({
    ...run,
    dispatch: prepare(gpu.device, await pipelines.get(kernel), buffers, [0]),
  })
  const stage = async (name: 'patches' | 'before' | 'behind' | 'tokens', steps: (chunk: Chunk) => Step[]): Promise<Stage> => ({
    name,
    chunks: await Promise.all(chunks.map((chunk) => Promise.all(steps(chunk).map(ready)))),
  })
  const attention = await pipelines.get(seeAttention({ heads, headDim, rolled: gpu.info.software }))
  const places = Array.from({ length: Math.ceil(room.size.tiles / grain) }, (_, index) =>
    prepare(gpu.device, attention, { x: room.k, y: room.q, source: room.v, rows: room.table('attention', index) }, [0]),
  )
  const stages = [await stage('patches', (chunk) => chunk.patches())]
  for (const block of weights.blocks) {
    stages.push(await stage('before', (chunk) => chunk.before(block)))
    stages.push({ name: 'attention', places })
    stages.push(await stage('behind', (chunk) => chunk.behind(block)))
  }
  stages.push(await stage('tokens', (chunk) => chunk.tokens()))
  return stages
}

const pad = (width: number) => Math.ceil(width / 32) * 32

/** The steps of one chunk. */
class Chunk {
  readonly #options: RecordOptions
  readonly #room: Room
  readonly #index: number
  readonly #h: GPUBufferBinding
  readonly #rows: GPUBufferBinding

  constructor(options: RecordOptions, room: Room, index: number) {
    this.#options = options
    this.#room = room
    this.#index = index
    this.#h = room.share(room.h, index)
    this.#rows = room.table('patches', index)
  }

  patches(): Step[] {
    const { config, weights, gpu } = this.#options
    const { vectors } = weights.plan
    const { hidden, merge, order, side, embedNorm } = config
    const rows = this.#rows
    const target = embedNorm ? this.#room.normed : this.#h
    const steps = this.#linear(
      weights.patch,
      { kind: 'patches', values: valuesOf(config), order, merge },
      { kind: 'store', stride: pad(hidden) },
      { x: this.#room.patches, y: target, aux: weights.aux, rows },
      vectors.at['patch.bias'],
    )
    if (embedNorm) steps.push(this.#norm('embed_norm', vectors, { x: this.#room.normed, y: this.#h, aux: weights.aux, rows }))
    if (weights.table) {
      const kernel = seePositions({ width: hidden, side, merge, rolled: gpu.info.software })
      const buffers = { x: weights.table, y: this.#h, rope: this.#room.taps, rows }
      steps.push({ kernel, buffers, groups: (count) => [1, count], work: (count) => count * hidden * 32 })
    }
    return steps
  }

  /** Up to queries, keys and values. */
  before({ qkv, aux, vectors }: VisionBlock): Step[] {
    const { config, gpu } = this.#options
    const { heads, headDim, merge, headNorm, eps } = config
    const [q, k, v] = [this.#room.q, this.#room.k, this.#room.v].map((buffer) => this.#room.share(buffer, this.#index))
    const rows = this.#rows
    const steps = this.#normed('norm1', vectors, aux, (input, x) =>
      this.#linear(
        qkv,
        input,
        { kind: 'qkv', stride: pad(config.hidden) },
        { x, y: q!, kv: k!, next: v!, aux, rows },
        vectors.at['qkv.bias'],
      ),
    )
    if (!config.rope) return steps
    const norm = headNorm ? { q: vectors.at['q_norm.weight']!, k: vectors.at['k_norm.weight']!, eps } : undefined
    const kernel = seeTurn({ heads, headDim, merge, norm, rolled: gpu.info.software })
    const buffers = { y: q!, next: k!, rope: this.#room.turns, aux, rows }
    return [...steps, { kernel, buffers, groups: (count) => seeTurnGroups(config, count), work: (count) => count * heads * headDim * 16 }]
  }

  /** From what was seen to the end of the block. */
  behind({ o, up, down, aux, vectors }: VisionBlock): Step[] {
    const { config } = this.#options
    const rows = this.#rows
    const add = { kind: 'add', stride: pad(config.hidden) } as const
    const inside: SeeOutput = config.gated
      ? { kind: 'swiglu', stride: pad(config.mlp) }
      : { kind: 'store', stride: pad(config.mlp), activation: 'gelu_tanh' }
    const { act, q } = this.#room
    return [
      ...this.#linear(o, { kind: 'plain' }, add, { x: this.#room.share(q, this.#index), y: this.#h, aux, rows }, vectors.at['o.bias']),
      ...this.#normed('norm2', vectors, aux, (input, x) =>
        this.#linear(up, input, inside, { x, y: act, aux, rows }, vectors.at['up.bias']),
      ),
      ...this.#linear(down, { kind: 'plain' }, add, { x: act, y: this.#h, aux, rows }, vectors.at['down.bias']),
    ]
  }

  tokens(): Step[] {
    const { config, weights } = this.#options
    const { aux, plan } = weights
    const { text, inner } = config
    const { normed, merged, projected, inner: gated } = this.#room
    const rows = this.#room.table('tokens', this.#index)
    const out = this.#room.share(this.#room.out, this.#index)
    const store = { kind: 'store', stride: pad(text) } as const
    const plain = { kind: 'plain' } as const
    const steps = [
      ...this.#linear(weights.downsample, plain, store, { x: normed, y: merged, aux, rows }, plan.vectors.at['downsample.bias']),
      ...this.#linear(weights.proj, plain, store, { x: merged, y: projected, rows }),
      this.#norm(
        'merger.norm',
        plan.vectors,
        { x: projected, y: merged, aux, rows },
        { width: text, eps: config.mergerEps, activation: 'gelu' },
      ),
      ...this.#linear(weights.gateUp, plain, { kind: 'swiglu', stride: pad(inner) }, { x: merged, y: gated, rows }),
      ...this.#linear(weights.down, plain, { kind: 'store', stride: text }, { x: gated, y: out, rows }),
    ]
    return [
      this.#norm('post_norm', plan.vectors, { x: this.#h, y: normed, aux, rows: this.#rows }),
      ...steps.map((step) => ({ ...step, tokens: true })),
    ]
  }

  /** A layer behind a norm of h: RMS is folded into it, LayerNorm goes before. */
  #normed(
    name: string,
    vectors: VisionVectors,
    aux: GPUBuffer,
    layer: (input: SeeInput, x: GPUBuffer | GPUBufferBinding) => Step[],
  ): Step[] {
    const { config } = this.#options
    const { hidden, eps } = config
    if (config.norm === 'rms') return layer({ kind: 'norm', width: hidden, eps, gamma: vectors.at[`${name}.weight`]! }, this.#h)
    const { normed } = this.#room
    return [this.#norm(name, vectors, { x: this.#h, y: normed, aux, rows: this.#rows }), ...layer({ kind: 'plain' }, normed)]
  }

  #norm(name: string, { at }: VisionVectors, buffers: Bound, own: { width?: number; eps?: number; activation?: 'gelu' } = {}): Step {
    const { config, gpu } = this.#options
    const { width = config.hidden, eps = config.eps } = own
    const kernel = layerNorm({ ...own, width, eps, gamma: at[`${name}.weight`]!, beta: at[`${name}.bias`], rolled: gpu.info.software })
    return { kernel, buffers, groups: (count) => [1, count], work: (count) => count * width * 16 }
  }

  /** A dispatch per part of the matrix. */
  #linear(matrix: Matrix, input: SeeInput, output: SeeOutput, buffers: Bound, bias?: number): Step[] {
    const { info } = this.#options.gpu
    const kernel = info.software ? 'matmul' : 'gemm'
    return matrix.parts.map((part) => ({
      kernel: visionLinear({ kernel, matrix, part, input, output, bias, f16: info.f16, rolled: info.software }),
      buffers: { ...buffers, weights: part.buffer },
      groups: (count) => visionLinearGroups(kernel, part, count),
      work: (count) => 2 * count * part.rows * matrix.columns,
    }))
  }
}
