// Checkpoints for ChatGLM's remote code (glm-4-9b-chat, chatglm3-6b): their config and tensor names, in Hugging Face's words.
import { GlmError } from '../errors.ts'
import type { Checkpoint, TensorEntry } from '../weights/tensor.ts'
import type { Config } from './config.ts'

type Fields = Record<string, unknown>

/** What the remote code does in another way when a field has another value. `undefined`: the field is not there. */
const expected: [string, readonly unknown[]][] = [
  ['add_bias_linear', [false]],
  ['apply_residual_connection_post_layernorm', [undefined, false]],
  ['original_rope', [undefined, true]],
  ['position_encoding_2d', [undefined, false]],
  ['post_layer_norm', [undefined, true]],
  ['pre_seq_len', [undefined, null]],
  ['quantization_bit', [undefined, null, 0]],
  ['rmsnorm', [undefined, true]],
  ['tie_word_embeddings', [undefined, false]],
  ['vision_config', [undefined, null]],
]

/** The remote code's config.json as one of model_type `glm`, for parseConfig. */
export function chatglmConfig(json: Fields): Fields {
  for (const [field, values] of expected) {
    if (!values.includes(json[field])) {
      throw new GlmError(
        'config_unsupported',
        `config.json has ${field} ${JSON.stringify(json[field])}, which is not supported for chatglm; choose another conversion of the model.`,
      )
    }
  }
  const ratio = json.rope_ratio ?? 1
  if (typeof ratio !== 'number' || !Number.isFinite(ratio) || ratio <= 0)
    throw new GlmError('config_unsupported', `config.json has rope_ratio ${JSON.stringify(ratio)}, not a number over 0.`)
  return {
    model_type: 'glm',
    hidden_size: json.hidden_size,
    num_hidden_layers: json.num_layers,
    num_attention_heads: json.num_attention_heads,
    num_key_value_heads: json.multi_query_attention === true ? json.multi_query_group_num : json.num_attention_heads,
    head_dim: json.kv_channels,
    partial_rotary_factor: 0.5,
    rope_theta: 10000 * ratio,
    intermediate_size: json.ffn_hidden_size,
    vocab_size: json.padded_vocab_size ?? json.vocab_size,
    rms_norm_eps: json.layernorm_epsilon,
    attention_bias: json.add_qkv_bias === true,
    tie_word_embeddings: false,
    max_position_embeddings: json.seq_length,
    eos_token_id: json.eos_token_id,
  }
}

const wholes: Record<string, string> = {
  'transformer.embedding.word_embeddings.weight': 'model.embed_tokens.weight',
  'transformer.encoder.final_layernorm.weight': 'model.norm.weight',
  'transformer.output_layer.weight': 'lm_head.weight',
}

const ofLayer: Record<string, string> = {
  'self_attention.query_key_value.weight': 'self_attn.qkv_proj.weight',
  'self_attention.dense.weight': 'self_attn.o_proj.weight',
  'mlp.dense_h_to_4h.weight': 'mlp.gate_up_proj.weight',
  'mlp.dense_4h_to_h.weight': 'mlp.down_proj.weight',
  'input_layernorm.weight': 'input_layernorm.weight',
  'post_attention_layernorm.weight': 'post_attention_layernorm.weight',
}

const layerName = /^transformer\.encoder\.layers\.(\d+)\.(.+)$/
const fusedBias = 'self_attention.query_key_value.bias'

/** The same tensors under Hugging Face's names. q, k and v stay one matrix (`Config.together`); their biases are cut. Others keep their names. */
export function chatglmCheckpoint(checkpoint: Checkpoint, config: Config): Checkpoint {
  const tensors = new Map<string, TensorEntry>()
  const add = (entry: TensorEntry, name: string) => {
    if (tensors.has(name)) throw new GlmError('tensor_invalid', `There are two tensors for ${name}; download the model again.`)
    tensors.set(name, { ...entry, name })
  }
  for (const [name, entry] of checkpoint.tensors) {
    const [, layer, rest = ''] = layerName.exec(name) ?? []
    if (rest === fusedBias) for (const bias of cutBias(entry, `model.layers.${layer}.self_attn.`, config)) add(bias, bias.name)
    else if (Object.hasOwn(wholes, name)) add(entry, wholes[name]!)
    else add(entry, Object.hasOwn(ofLayer, rest) ? `model.layers.${layer}.${ofLayer[rest]}` : name)
  }
  return { ...checkpoint, tensors }
}

/** Values of q, then k, then v. */
function cutBias(entry: TensorEntry, prefix: string, { heads, kvHeads, headDim }: Config): TensorEntry[] {
  const length = (heads + 2 * kvHeads) * headDim
  if (entry.shape.join() !== String(length)) {
    throw new GlmError(
      'tensor_invalid',
      `The tensor ${entry.name} has shape [${entry.shape}] where config.json asks for [${length}]; download the model again.`,
    )
  }
  const bytes = (entry.end - entry.start) / length
  let { start } = entry
  return Object.entries({ q_proj: heads, k_proj: kvHeads, v_proj: kvHeads }).map(([name, count]) => {
    const own = { ...entry, name: `${prefix}${name}.bias`, shape: [count * headDim], start, end: start + count * headDim * bytes }
    start = own.end
    return own
  })
}
