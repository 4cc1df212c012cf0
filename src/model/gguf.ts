// The metadata and tensors of a GGUF, under the names that Hugging Face gives them: what comes out is a config and a checkpoint like any other.
import { GlmError } from '../errors.ts'
import type { Kernel } from '../gpu/pipeline.ts'
import type { Coding } from '../kernels/matrix.ts'
import { repack } from '../kernels/repack.ts'
import { ggufBlocks } from '../weights/blocks.ts'
import type { Gguf, GgufValue } from '../weights/gguf.ts'
import type { Checkpoint, TensorEntry } from '../weights/tensor.ts'
import { type Config, parseConfig } from './config.ts'

/** By `general.architecture`: the model_type that config.json would say. */
const architectures: Record<string, string> = { chatglm: 'glm', glm4: 'glm4' }

/** The converter of `chatglm` writes the width where it finds no context length; the shortest that such a model was published with is this. */
const shortestContext = 8192

const plainTypes = ['F32', 'F16', 'BF16']
const stopStrings = ['<|user|>', '<|observation|>', '<|endoftext|>', '</answer>']

/** Throws `family_unknown`, `config_unsupported` or `tensor_invalid`. */
export function ggufConfig(gguf: Gguf): Config {
  const { metadata, tensors } = gguf
  const file = gguf.files[0]!
  const architecture = metadata.get('general.architecture')
  const family = typeof architecture === 'string' && Object.hasOwn(architectures, architecture) ? architectures[architecture] : undefined
  if (!family) {
    const known = Object.keys(architectures).join(' and ')
    throw new GlmError('family_unknown', `${file} is of the architecture ${brief(architecture)}; ${known} are supported.`)
  }
  if (!tensors.has('token_embd.weight'))
    throw new GlmError('tensor_invalid', `${file} has no token_embd.weight; choose another conversion of the model.`)
  const key = (name: string) => metadata.get(`${architecture}.${name}`)
  const sections = sectionsOf(key('rope.dimension_sections'))
  const own = sections ? seeingFamily(gguf) : family
  const config = asGguf(file, () => parseConfig({ ...configJson(gguf, own, key), ...(sections && ropeOf(sections, key)) }))
  const value = key('attention.value_length')
  if (value !== undefined && value !== config.headDim) {
    throw new GlmError(
      'config_unsupported',
      `${file} has values of ${brief(value)} dimensions beside keys of ${config.headDim}, which is not supported.`,
    )
  }
  if (sections) config.halves = true
  if (tensors.has('blk.0.ffn_gate.weight')) config.apart = true
  return config
}

/** Files of models that see name four sizes, the last of them 0; those of others none, or only zeros. */
function sectionsOf(value: GgufValue | undefined): number[] | undefined {
  if (!isList(value)) return undefined
  const sizes = Array.from(value, Number)
  if (!sizes.some((size) => size !== 0)) return undefined
  return sizes.length === 4 && sizes[3] === 0 ? sizes.slice(0, 3) : sizes
}

/** Only GLM-OCR has no biases. No key says how times are written: GLM-4.6V does it in another way than GLM-4.1V, and AutoGLM like it. */
function seeingFamily({ metadata, tensors }: Gguf): string {
  if (!hasBias(tensors)) return 'glm_ocr'
  const names = ['name', 'basename', 'finetune'].map((key) => metadata.get(`general.${key}`))
  return names.some((name) => typeof name === 'string' && /4[._]?6v|autoglm/i.test(name)) ? 'glm46v' : 'glm4v'
}

const hasBias = (tensors: Gguf['tensors']) => tensors.has('blk.0.attn_q.bias') || tensors.has('blk.0.attn_qkv.bias')

const ropeOf = (sections: number[], key: (name: string) => GgufValue | undefined) => ({
  rope_scaling: { ...(yarn(key) ?? { rope_type: 'default' }), mrope_section: sections },
})

/** As config.json would have it, so that one set of rules holds for both. */
function configJson({ metadata, tensors }: Gguf, family: string, key: (name: string) => GgufValue | undefined): Record<string, unknown> {
  const hidden = number(key('embedding_length'))
  const heads = number(one(key('attention.head_count')))
  const headDim = number(key('attention.key_length') ?? hidden / heads)
  const context = number(key('context_length'))
  return {
    model_type: family,
    hidden_size: hidden,
    // Blocks that predict further tokens stand behind the others; a chat does without them.
    num_hidden_layers: number(key('block_count')) - number(key('nextn_predict_layers') ?? 0),
    num_attention_heads: heads,
    num_key_value_heads: one(key('attention.head_count_kv')),
    head_dim: headDim,
    // A little more, so that rounding down gives the dimensions again.
    partial_rotary_factor: (number(key('rope.dimension_count') ?? headDim) + 0.25) / headDim,
    intermediate_size: number(one(key('feed_forward_length'))),
    vocab_size: tensors.get('token_embd.weight')?.shape[0],
    rms_norm_eps: number(key('attention.layer_norm_rms_epsilon')),
    rope_theta: key('rope.freq_base'),
    rope_scaling: yarn(key),
    attention_bias: hasBias(tensors),
    tie_word_embeddings: !tensors.has('output.weight'),
    max_position_embeddings: family === 'glm' && context === hidden ? Math.max(context, shortestContext) : context,
    eos_token_id: stopIds(metadata),
  }
}

function yarn(key: (name: string) => GgufValue | undefined): Record<string, unknown> | undefined {
  const type = key('rope.scaling.type')
  if (type === undefined || type === 'none') return undefined
  return {
    rope_type: type,
    factor: key('rope.scaling.factor'),
    original_max_position_embeddings: key('rope.scaling.original_context_length'),
    attention_factor: key('rope.scaling.yarn_attn_factor'),
    beta_fast: key('rope.scaling.yarn_beta_fast'),
    beta_slow: key('rope.scaling.yarn_beta_slow'),
    truncate: key('rope.scaling.yarn_truncate'),
  }
}

/** Files name one end or two, not always the right ones: those that end a turn in every GLM are found by their strings. */
function stopIds(metadata: Map<string, GgufValue>): number[] {
  const ids = ['eos', 'eot', 'eom'].map((role) => metadata.get(`tokenizer.ggml.${role}_token_id`)).filter((id) => typeof id === 'number')
  const tokens = metadata.get('tokenizer.ggml.tokens')
  const kinds = metadata.get('tokenizer.ggml.token_type')
  if (!Array.isArray(tokens) || !isList(kinds)) return ids
  const found = stopStrings.map((text) => tokens.indexOf(text)).filter((id) => id >= 0 && Number(kinds[id]) === 3)
  return [...new Set([...ids, ...found])]
}

/** The tensors of the layers that a chat runs, under Hugging Face's names. Throws `tensor_invalid` or `config_unsupported`. */
export function ggufCheckpoint(gguf: Gguf, config: Config): Checkpoint {
  const tensors = new Map<string, TensorEntry>()
  for (const entry of gguf.tensors.values()) {
    for (const renamed of rename(entry, config)) tensors.set(renamed.name, withBlocks(renamed, entry.name))
  }
  return { tensors, bytes: gguf.bytes, quantised: true, convert }
}

/** The kernel that reads an entry's blocks. */
export function convert(entry: TensorEntry, to: Coding): Kernel {
  const { name, files, coding } = entry.blocks!
  return repack({ name, files, coding, constants: {}, sorted: false }, to)
}

const whole: Record<string, string> = {
  'token_embd.weight': 'model.embed_tokens.weight',
  'output.weight': 'lm_head.weight',
  'output_norm.weight': 'model.norm.weight',
}

const inLayer: Record<string, string> = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
  post_attention_norm: 'post_self_attn_layernorm',
  ffn_norm: 'post_attention_layernorm',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.gate_up_proj',
  ffn_down: 'mlp.down_proj',
  post_ffw_norm: 'post_mlp_layernorm',
}

/** None for a tensor that is not used, three for a fused one. */
function rename(entry: TensorEntry, config: Config): TensorEntry[] {
  const name = Object.hasOwn(whole, entry.name) ? whole[entry.name] : undefined
  if (name) return [{ ...entry, name }]
  const [, layer, part, end] = /^blk\.(\d{1,5})\.(\w+)\.(weight|bias)$/.exec(entry.name) ?? []
  if (part === undefined || Number(layer) >= config.layers) return []
  const prefix = `model.layers.${Number(layer)}.`
  if (part === 'attn_qkv') return cutFused(entry, config, prefix, end!)
  if (!Object.hasOwn(inLayer, part)) return []
  // Up alone has half the rows of gate and up together.
  const own = part === 'ffn_up' && entry.shape[0] === config.ffn ? 'mlp.up_proj' : inLayer[part]
  return [{ ...entry, name: `${prefix}${own}.${end}` }]
}

/** Rows of q, then of k, then of v; a row is a whole number of bytes in every type. */
function cutFused(entry: TensorEntry, config: Config, prefix: string, end: string): TensorEntry[] {
  const { heads, kvHeads, headDim } = config
  const rows = (heads + 2 * kvHeads) * headDim
  if (entry.shape[0] !== rows) {
    throw new GlmError(
      'tensor_invalid',
      `"${entry.name}" in ${entry.file} has ${entry.shape[0]} rows instead of ${rows}; convert it again.`,
    )
  }
  const bytes = (entry.end - entry.start) / rows
  let row = 0
  return ['q', 'k', 'v'].map((part) => {
    const own = (part === 'q' ? heads : kvHeads) * headDim
    const start = entry.start + row * bytes
    row += own
    const shape = [own, ...entry.shape.slice(1)]
    return { ...entry, name: `${prefix}self_attn.${part}_proj.${end}`, shape, start, end: start + own * bytes }
  })
}

/** Refuses what cannot be read, now that it is wanted. */
export function withBlocks(entry: TensorEntry, ownName: string): TensorEntry {
  if (plainTypes.includes(entry.dtype)) return entry
  const blocks = Object.hasOwn(ggufBlocks, entry.dtype) ? ggufBlocks[entry.dtype as keyof typeof ggufBlocks] : undefined
  if (!blocks || entry.shape.length !== 2) {
    const known = entry.shape.length === 2 ? [...plainTypes, ...Object.keys(ggufBlocks)] : plainTypes
    throw new GlmError(
      'tensor_invalid',
      `"${ownName}" in ${entry.file} is stored as ${entry.dtype}; choose a file in which it is one of ${known.join(', ')}.`,
    )
  }
  return { ...entry, blocks }
}

/** A value that is said once for each layer must be the same in all. */
function one(value: GgufValue | undefined): GgufValue | undefined {
  if (!isList(value)) return value
  const [first, ...rest] = Array.from(value as ArrayLike<unknown>, Number)
  return first !== undefined && rest.every((other) => other === first) ? first : Number.NaN
}

/** NaN for what is no number: the rules of config.json refuse it by its name there. */
const number = (value: unknown): number => (typeof value === 'number' ? value : Number.NaN)

const isList = (value: unknown): value is ArrayLike<unknown> => Array.isArray(value) || ArrayBuffer.isView(value)

/** A fault in the config is told of the file that it came from. */
function asGguf<T>(file: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof GlmError)
      throw new GlmError(error.code, error.message.replace('config.json', `The metadata of ${file}`), { cause: error })
    throw error
  }
}

const brief = (value: unknown) => String(JSON.stringify(value)).slice(0, 60)
