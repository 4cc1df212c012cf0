// The tensors of a GLM text model: names in the checkpoint, shapes, and which matrix on the GPU their rows become part of.
import type { MatrixPlan, VectorPlan } from '../weights/load.ts'
import type { Checkpoint, TensorEntry } from '../weights/tensor.ts'
import type { Config } from './config.ts'

export interface LayerPlan {
  qkv: MatrixPlan
  o: MatrixPlan
  gateUp: MatrixPlan
  down: MatrixPlan
  vectors: VectorPlan[]
}

/** The tensors of a model that sees: those of its text model under the names of one without eyes. */
export function plainNames(checkpoint: Checkpoint): Checkpoint {
  const tensors = new Map<string, TensorEntry>()
  for (const [own, entry] of checkpoint.tensors) {
    const name = own.replace(/^(model\.language_model|language_model\.model)\./, 'model.').replace(/^language_model\.lm/, 'lm')
    tensors.set(name, { ...entry, name })
  }
  return { ...checkpoint, tensors }
}

const pad = (length: number, step = 32) => Math.ceil(length / step) * step

const single = (name: string, tensor: string, rows: number, columns: number): MatrixPlan => ({
  name,
  rows,
  columns,
  pieces: [{ tensor, from: 0, rows, offset: 0, step: 1 }],
})

export function planLayer(config: Config, layer: number): LayerPlan {
  const { hidden, heads, kvHeads, headDim, ffn } = config
  const prefix = `model.layers.${layer}.`
  const widths = { q_proj: heads * headDim, k_proj: kvHeads * headDim, v_proj: kvHeads * headDim }
  const qkv: MatrixPlan = { name: 'qkv', rows: (heads + 2 * kvHeads) * headDim, columns: hidden, pieces: [] }
  let offset = 0
  for (const [name, rows] of Object.entries(widths)) {
    const tensor = `${prefix}self_attn.${config.together ? 'qkv_proj' : name}.weight`
    const first = config.together ? offset : 0
    for (const move of moves(config, name, rows)) {
      qkv.pieces.push({ tensor, from: first + move.from, rows: move.count, offset: offset + move.to, step: move.step })
    }
    offset += rows
  }
  const gateUp = `${prefix}mlp.gate_up_proj.weight`
  const [gate, up] = config.apart ? [`${prefix}mlp.gate_proj.weight`, `${prefix}mlp.up_proj.weight`] : [gateUp, gateUp]
  return {
    qkv,
    o: single('o', `${prefix}self_attn.o_proj.weight`, hidden, heads * headDim),
    // Rows of gate and up alternate, so that one thread holds both halves of a SwiGLU.
    gateUp: {
      name: 'gate_up',
      rows: 2 * ffn,
      columns: hidden,
      pieces: [
        { tensor: gate, from: 0, rows: ffn, offset: 0, step: 2 },
        { tensor: up, from: config.apart ? 0 : ffn, rows: ffn, offset: 1, step: 2 },
      ],
    },
    down: single('down', `${prefix}mlp.down_proj.weight`, hidden, ffn),
    vectors: planVectors(config, layer),
  }
}

/** Where rows of q, k or v go: half-split ones back to adjacent pairs, in each head's rotating rows. */
function moves({ halves, headDim, rotary }: Config, name: string, rows: number): NonNullable<VectorPlan['moves']> {
  if (!halves || name === 'v_proj') return [{ from: 0, count: rows, to: 0, step: 1 }]
  const half = rotary / 2
  return Array.from({ length: rows / headDim }, (_, head) => head * headDim).flatMap((at) => [
    { from: at, count: half, to: at, step: 2 },
    { from: at + half, count: half, to: at + 1, step: 2 },
    ...(rotary < headDim ? [{ from: at + rotary, count: headDim - rotary, to: at + rotary, step: 1 }] : []),
  ])
}

function planVectors(config: Config, layer: number): VectorPlan[] {
  const prefix = `model.layers.${layer}.`
  const { hidden } = config
  const names: [string, number][] = [
    [`${prefix}input_layernorm.weight`, hidden],
    // In glm4 this is the norm before the MLP; the ones behind attention and MLP have names of their own.
    [`${prefix}post_attention_layernorm.weight`, hidden],
  ]
  if (config.postNorms) {
    names.push([`${prefix}post_self_attn_layernorm.weight`, hidden], [`${prefix}post_mlp_layernorm.weight`, hidden])
    // The first kernel of a layer applies the last norm of the layer before.
    if (layer > 0) names.push([postMlpNorm(layer - 1), hidden])
  }
  const vectors = sideBySide(names)
  let offset = auxLength(vectors)
  if (config.qkvBias) {
    for (const name of ['q_proj', 'k_proj', 'v_proj']) {
      const length = (name === 'q_proj' ? config.heads : config.kvHeads) * config.headDim
      // Biases stand side by side, as the rows of the fused matrix do.
      const own = moves(config, name, length)
      vectors.push({ tensor: `${prefix}self_attn.${name}.bias`, length, offset, ...(own.length > 1 ? { moves: own } : {}) })
      offset += length
    }
  }
  return vectors
}

export const postMlpNorm = (layer: number): string => `model.layers.${layer}.post_mlp_layernorm.weight`

const sideBySide = (names: [string, number][]): VectorPlan[] => {
  let offset = 0
  return names.map(([tensor, length]) => {
    const at = offset
    offset += pad(length)
    return { tensor, length, offset: at }
  })
}

/** Where a vector of a layer stands in aux, by the end of its name. */
export const vectorOffset = (vectors: readonly VectorPlan[], ending: string): number | undefined =>
  vectors.find((vector) => vector.tensor.endsWith(ending))?.offset

export const auxLength = (vectors: readonly VectorPlan[]): number =>
  pad(Math.max(...vectors.map((vector) => vector.offset + vector.length)))

export const planEmbedding = (config: Config): MatrixPlan => single('embed', 'model.embed_tokens.weight', config.vocabulary, config.hidden)

export const planHead = (config: Config): MatrixPlan => single('head', 'lm_head.weight', config.vocabulary, config.hidden)

/** What the head's kernel needs of norms: the final one, and in families with norms behind the last of those. */
export const planFinal = (config: Config): VectorPlan[] =>
  sideBySide([
    ['model.norm.weight', config.hidden],
    ...(config.postNorms ? [[postMlpNorm(config.layers - 1), config.hidden] as [string, number]] : []),
  ])
