// config.json → Config, every architectural switch read from it; what the engine does not do is refused by the field's name.
import { GlmError } from '../errors.ts'
import { type Family, families } from './families.ts'

export interface Yarn {
  factor: number
  original: number
  betaFast: number
  betaSlow: number
  truncate: boolean
  attentionFactor: number
}

export interface Config {
  family: string
  postNorms: boolean
  hidden: number
  layers: number
  heads: number
  kvHeads: number
  headDim: number
  /** Dimensions of a head that rotate. */
  rotary: number
  ffn: number
  vocabulary: number
  eps: number
  theta: number
  yarn?: Yarn
  /** M-RoPE: frequencies that turn by time, by row and by column; together rotary / 2. */
  sections?: Family['sections']
  qkvBias: boolean
  /** Rows of q and k stand half-split in the file and are put back to adjacent pairs at load. */
  halves?: boolean
  /** q, k and v stand in one tensor, qkv_proj. */
  together?: boolean
  /** gate_proj and up_proj stand in tensors of their own. */
  apart?: boolean
  tied: boolean
  /** Positions the checkpoint was made for. */
  context: number
  /** Ids that end an answer, from config.json and generation_config.json. */
  stopIds: number[]
}

type Fields = Record<string, unknown>

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Reads a Hugging Face config, in the style of transformers 5 (`rope_parameters`) or before (`rope_theta`, `rope_scaling`). */
export function parseConfig(file: unknown): Config {
  if (!isFields(file)) throw new GlmError('file_invalid', 'config.json is not an object; download the model again.')
  const family = familyOf(file)
  const json = textOf(file, family)
  refuse(file)
  refuse(json)
  const heads = whole(json, 'num_attention_heads')
  const hidden = whole(json, 'hidden_size')
  const headDim = json.head_dim == null ? (family.defaults.headDim ?? hidden / heads) : whole(json, 'head_dim')
  const rope = ropeFields(json)
  const partial = number(rope, 'partial_rotary_factor', number(json, 'partial_rotary_factor', family.defaults.partialRotary))
  const config: Config = {
    family: String(file.model_type),
    postNorms: family.postNorms,
    hidden,
    layers: whole(json, 'num_hidden_layers'),
    heads,
    kvHeads: json.num_key_value_heads == null ? heads : whole(json, 'num_key_value_heads'),
    headDim,
    rotary: Math.floor(headDim * partial),
    ffn: whole(json, 'intermediate_size'),
    vocabulary: whole(json, 'vocab_size'),
    eps: number(json, 'rms_norm_eps', family.defaults.eps),
    theta: number(rope, 'rope_theta', number(json, 'rope_theta', family.defaults.theta)),
    qkvBias: family.qkvBias ?? json.attention_bias === true,
    tied: json.tie_word_embeddings === true,
    context: whole(json, 'max_position_embeddings'),
    stopIds: ids(json.eos_token_id),
  }
  const yarn = parseYarn(rope, config.context)
  if (yarn) config.yarn = yarn
  if (family.sections) config.sections = (rope.mrope_section ?? family.sections) as Config['sections']
  check(config)
  return config
}

function familyOf({ model_type: type }: Fields): Family {
  const family = typeof type === 'string' && Object.hasOwn(families, type) ? families[type] : undefined
  if (!family) throw unknown(shown(type))
  return family
}

const unknown = (type: string) =>
  new GlmError('family_unknown', `config.json says model_type ${type}; choose a model of ${Object.keys(families).join(' or ')}.`)

/** In the config of a model that sees, what concerns its text model. */
function textOf(file: Fields, family: Family): Fields {
  const { text_config: text, eos_token_id, tie_word_embeddings } = file
  if (!family.sections || !isFields(text)) return file
  if (text.model_type != null && familyOf(text) !== family) throw unknown(`${shown(file.model_type)} around ${shown(text.model_type)}`)
  return { eos_token_id, ...text, tie_word_embeddings: tie_word_embeddings ?? text.tie_word_embeddings }
}

/** Fields whose other values the engine does not do. */
function refuse(json: Fields): void {
  const expected: [string, readonly unknown[]][] = [
    ['hidden_act', [undefined, 'silu', 'swish']],
    ['quantization_config', [undefined, null]],
    ['sliding_window', [undefined, null]],
    ['mlp_bias', [undefined, false]],
  ]
  for (const [field, values] of expected) {
    if (!values.includes(json[field])) {
      throw new GlmError(
        'config_unsupported',
        `config.json has ${field} ${shown(json[field])}, which is not supported; choose another conversion of the model.`,
      )
    }
  }
}

function ropeFields(json: Fields): Fields {
  const fields = json.rope_parameters ?? json.rope_scaling
  return isFields(fields) ? fields : {}
}

/** As `_compute_yarn_parameters` of transformers. */
function parseYarn(rope: Fields, context: number): Yarn | undefined {
  const type = rope.rope_type ?? rope.type ?? 'default'
  if (type === 'default') return undefined
  if (type !== 'yarn')
    throw new GlmError('config_unsupported', `config.json has rope_type ${shown(type)}, which is not supported; choose default or yarn.`)
  const original = rope.original_max_position_embeddings == null ? context : whole(rope, 'original_max_position_embeddings')
  const factor = rope.factor == null ? context / original : number(rope, 'factor', 1)
  const scale = (mscale: number) => (factor <= 1 ? 1 : 0.1 * mscale * Math.log(factor) + 1)
  const [mscale, all] = [number(rope, 'mscale', 0), number(rope, 'mscale_all_dim', 0)]
  return {
    factor,
    original,
    betaFast: number(rope, 'beta_fast', 32) || 32,
    betaSlow: number(rope, 'beta_slow', 1) || 1,
    truncate: rope.truncate !== false,
    attentionFactor: number(rope, 'attention_factor', mscale && all ? scale(mscale) / scale(all) : scale(1)),
  }
}

function check(config: Config): void {
  const fault = (field: string, why: string) =>
    new GlmError('config_unsupported', `config.json has ${field} that ${why}; choose another checkpoint.`)
  if (config.headDim % 4 !== 0 || config.headDim > 256) throw fault('head_dim', 'is not a multiple of 4 up to 256')
  if (config.heads % config.kvHeads !== 0) throw fault('num_key_value_heads', 'does not divide num_attention_heads')
  if (config.rotary % 2 !== 0 || config.rotary > config.headDim || config.rotary < 2)
    throw fault('partial_rotary_factor', 'does not give an even number of dims')
  const { sections } = config
  if (sections !== undefined && !(isSections(sections) && sections.reduce((sum, size) => sum + size, 0) === config.rotary / 2))
    throw fault('mrope_section', 'is not three sizes that make half of the rotating dims')
  if (!(config.eps > 0) || !(config.theta > 1)) throw fault('rms_norm_eps or rope_theta', 'is not positive')
  const { yarn } = config
  const scales = yarn
    ? { factor: yarn.factor, beta_fast: yarn.betaFast, beta_slow: yarn.betaSlow, attention_factor: yarn.attentionFactor }
    : {}
  for (const [field, value] of Object.entries(scales)) if (!(value > 1e-6 && value < 1e6)) throw fault(field, 'is out of range')
}

const isSections = (value: unknown) =>
  Array.isArray(value) && value.length === 3 && value.every((size) => Number.isInteger(size) && size >= 0)

/** `generation_config.json`: more stop ids and the sampling defaults. */
export interface GenerationConfig {
  stopIds: number[]
  /** `do_sample`; undefined where the file does not say. */
  sampled: boolean | undefined
  temperature?: number
  topK?: number
  topP?: number
  /** Over 0. */
  repetition?: number
}

export function parseGenerationConfig(json: unknown): GenerationConfig {
  const fields = isFields(json) ? json : {}
  // As requests are held to it; what is out of range is as if the file did not say.
  const optional = (name: string, high: number) => {
    const value = fields[name]
    return typeof value === 'number' && value >= 0 && value <= high ? value : undefined
  }
  const repetition = optional('repetition_penalty', 2)
  const topK = optional('top_k', 2 ** 24)
  return {
    stopIds: ids(fields.eos_token_id),
    sampled: typeof fields.do_sample === 'boolean' ? fields.do_sample : undefined,
    temperature: optional('temperature', 2),
    topK: Number.isInteger(topK) ? topK : undefined,
    topP: optional('top_p', 1),
    repetition: repetition && repetition >= 0.01 ? repetition : undefined,
  }
}

/** A value as an error names it: short, and however deep. */
const shown = (value: unknown) => (typeof value === 'object' && value ? 'an object' : String(JSON.stringify(value)).slice(0, 80))

function whole(fields: Fields, name: string): number {
  const value = fields[name]
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1 || value > 2 ** 24) {
    throw new GlmError('config_unsupported', `config.json has no usable ${name} (${shown(value)}); download the model again.`)
  }
  return value
}

function number(fields: Fields, name: string, otherwise: number): number {
  const value = fields[name]
  if (value == null) return otherwise
  if (typeof value !== 'number' || !Number.isFinite(value))
    throw new GlmError('config_unsupported', `config.json has ${name} ${shown(value)}, not a number.`)
  return value
}

function ids(value: unknown): number[] {
  const list = Array.isArray(value) ? value : [value]
  return list.filter((id): id is number => Number.isSafeInteger(id) && (id as number) >= 0)
}
