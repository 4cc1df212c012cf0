// The whole decoder in f64, from the kernels' twins.

import { roundHalf } from './formats.ts'
import { add, attention, embed, type Heads, matmul, type RopeConfig, rmsNorm, rope, ropeTable, swiglu, type Values } from './kernels.ts'

export interface ReferenceConfig extends RopeConfig, Heads {
  family: 'glm' | 'glm4'
  hiddenSize: number
  layers: number
  ffn: number
  vocab: number
  eps: number
}

export interface ReferenceModel {
  config: ReferenceConfig
  has(name: string): boolean
  tensor(name: string): Float64Array
}

export interface ForwardOptions {
  kv?: 'f32' | 'f16' // f16: keys (after rope) and values are rounded, as the KV pages store them
}

/** The logits [ids, vocab] of one sequence from position 0. glm4 also norms what attention and the MLP give, before the residual. */
export function forward(model: ReferenceModel, ids: Values, { kv = 'f32' }: ForwardOptions = {}): Float64Array {
  const { config, tensor, has } = model
  const { hiddenSize, headDim, heads, kvHeads, eps } = config
  const sandwich = config.family === 'glm4'
  const table = ropeTable(
    config,
    Array.from({ length: ids.length }, (_, p) => p),
  )
  const store = (x: Float64Array) => (kv === 'f16' ? x.map(roundHalf) : x)
  let h = embed(tensor('model.embed_tokens.weight'), ids, hiddenSize) // [ids, hiddenSize]
  for (let layer = 0; layer < config.layers; layer++) {
    const name = (part: string) => `model.layers.${layer}.${part}`
    const norm = (part: string, x: Float64Array) => rmsNorm(x, tensor(name(`${part}.weight`)), eps)
    const project = (part: string, x: Float64Array, k: number) =>
      matmul(tensor(name(`${part}.weight`)), x, k, has(name(`${part}.bias`)) ? tensor(name(`${part}.bias`)) : undefined)

    const n1 = norm('input_layernorm', h)
    const q = rope(project('self_attn.q_proj', n1, hiddenSize), table.cos, table.sin, { heads, headDim })
    const k = store(rope(project('self_attn.k_proj', n1, hiddenSize), table.cos, table.sin, { heads: kvHeads, headDim }))
    const v = store(project('self_attn.v_proj', n1, hiddenSize))
    const attended = project('self_attn.o_proj', attention(q, k, v, config), heads * headDim)
    h = add(h, sandwich ? norm('post_self_attn_layernorm', attended) : attended)

    const n2 = norm('post_attention_layernorm', h) // in glm4 too the norm before the MLP, despite its name
    const { gate, up } = splitGateUp(project('mlp.gate_up_proj', n2, hiddenSize), config.ffn)
    const fed = project('mlp.down_proj', swiglu(gate, up), config.ffn)
    h = add(h, sandwich ? norm('post_mlp_layernorm', fed) : fed)
  }
  const head = has('lm_head.weight') ? 'lm_head.weight' : 'model.embed_tokens.weight'
  return matmul(tensor(head), rmsNorm(h, tensor('model.norm.weight'), eps), hiddenSize)
}

/** [rows, 2 * ffn] → the gate (the first ffn of a row) and the up (the rest), both [rows, ffn]. */
function splitGateUp(both: Float64Array, ffn: number): { gate: Float64Array; up: Float64Array } {
  return { gate: both.filter((_, i) => i % (2 * ffn) < ffn), up: both.filter((_, i) => i % (2 * ffn) >= ffn) }
}
