// A text model that sees, in f64: rows of a vision tower stand among embeddings of tokens, and every row has three positions (M-RoPE).
import { add, attention, embed, matmul, rmsNorm, rope, ropeFrequencies, swiglu, type Values } from './kernels.ts'
import type { VisionModel } from './vision.ts'

/** What stands in a prompt: tokens, and rows of embeddings in the place of some. */
export interface Prompt {
  ids: readonly number[]
  /** The token that the next row takes the place of. */
  placeholder: number
  rows: Values // [placeholders in ids, hidden]
  /** Time, row, column: [3][ids]. */
  positions: readonly (readonly number[])[]
}

/** The logits [ids, vocab]. Tokens behind the prompt are text: give them positions of three equal numbers. */
export function forwardSeeing(model: VisionModel, { ids, placeholder, rows, positions }: Prompt): Float64Array {
  const { json, tensor, has } = model
  const config = json.text_config ?? json
  const prefix = json.text_config ? 'model.language_model.' : 'model.'
  const { hidden_size: hidden, num_attention_heads: heads, num_key_value_heads: kvHeads, rms_norm_eps: eps } = config
  const headDim = config.head_dim ?? hidden / heads
  const table = tableOf(config, headDim, positions)
  const project = (name: string, x: Values, k: number) =>
    matmul(tensor(`${name}.weight`), x, k, has(`${name}.bias`) ? tensor(`${name}.bias`) : undefined)

  let h = embed(tensor(`${prefix}embed_tokens.weight`), ids, hidden) // [ids, hidden]
  let next = 0
  for (const [i, id] of ids.entries()) {
    if (id === placeholder && next < rows.length) for (let j = 0; j < hidden; j++) h[i * hidden + j] = rows[next++]!
  }
  for (let layer = 0; layer < config.num_hidden_layers; layer++) {
    const name = (part: string) => `${prefix}layers.${layer}.${part}`
    const norm = (part: string, x: Float64Array) => (has(name(`${part}.weight`)) ? rmsNorm(x, tensor(name(`${part}.weight`)), eps) : x)
    const n1 = norm('input_layernorm', h)
    const q = rope(project(name('self_attn.q_proj'), n1, hidden), table.cos, table.sin, { heads, headDim })
    const k = rope(project(name('self_attn.k_proj'), n1, hidden), table.cos, table.sin, { heads: kvHeads, headDim })
    const v = project(name('self_attn.v_proj'), n1, hidden)
    const attended = project(name('self_attn.o_proj'), attention(q, k, v, { heads, kvHeads, headDim }), heads * headDim)
    h = add(h, norm('post_self_attn_layernorm', attended))

    const both = project(name('mlp.gate_up_proj'), norm('post_attention_layernorm', h), hidden) // [ids, 2 * ffn]
    const ffn = config.intermediate_size
    const inner = swiglu(
      both.filter((_, i) => i % (2 * ffn) < ffn),
      both.filter((_, i) => i % (2 * ffn) >= ffn),
    )
    h = add(h, norm('post_mlp_layernorm', project(name('mlp.down_proj'), inner, ffn)))
  }
  return matmul(tensor('lm_head.weight'), rmsNorm(h, tensor(`${prefix}norm.weight`), eps), hidden)
}

/** cos and sin, [ids, rotary / 2]: the first section's frequencies turn by time, the second's by row, the third's by column. */
// biome-ignore lint/suspicious/noExplicitAny: config.json as it is
function tableOf(config: any, headDim: number, positions: readonly (readonly number[])[]): { cos: Float64Array; sin: Float64Array } {
  const { rope_theta: theta, partial_rotary_factor: partial, mrope_section: sections } = config.rope_parameters
  const { frequencies } = ropeFrequencies({ rotaryDims: headDim * partial, theta })
  const axes: number[] = (sections ?? [frequencies.length]).flatMap((size: number, axis: number) => new Array(size).fill(axis))
  const angles = Array.from(positions[0]!, (_, token) => Array.from(frequencies, (f, i) => positions[axes[i]!]![token]! * f)).flat()
  return { cos: Float64Array.from(angles, Math.cos), sin: Float64Array.from(angles, Math.sin) }
}
