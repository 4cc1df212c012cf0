// The vision part of config.json → VisionConfig: which tower stands before the text model, every switch read from it; what the tower does not do is
// refused by the field's name.
import { GlmError } from '../errors.ts'

type Fields = Record<string, unknown>
/** How a tower's parts are made: what a family fixes, whatever the sizes. */
interface Family {
  /** Field of config.json under which every size stands. */
  fields: { depth: string; heads: string; channels: string; eps: string }
  /** Sizes where the file does not say, as the class has them. */
  defaults: Readonly<Record<string, unknown>>
  /** Fields whose other values the tower does not do; absent ones count as the default. */
  fixed: Readonly<Record<string, unknown>>
  kind: Pick<VisionConfig, 'norm' | 'bias' | 'headNorm' | 'rope' | 'gated' | 'embedNorm' | 'positions' | 'order' | 'ends'>
  /** Widths that follow from others: of a block's MLP, and inside the merger. */
  widths(own: (name: string) => number, text: Fields): { mlp: number; inner: number }
}

export interface VisionConfig {
  family: 'glm4v' | 'glm_ocr' | 'glm_edge_v'
  hidden: number
  layers: number
  heads: number
  headDim: number
  /** Inner width of a block's MLP. */
  mlp: number
  eps: number
  /** Of LayerNorms behind the blocks. */
  mergerEps: number
  /** Sides of a patch in pixels, of a token in patches; frames of a step. */
  patch: number
  merge: number
  temporal: number
  /** Side of the table of positions; 0: there is none. */
  side: number
  /** Width of the text model, and inside the merger. */
  text: number
  inner: number
  /** Before attention and MLP, and behind all blocks: RMS, or LayerNorm with mean and bias. */
  norm: 'rms' | 'layer'
  /** q, k, v, output and MLP have biases. */
  bias: boolean
  /** q and k are normed head by head. */
  headNorm: boolean
  /** q and k turn by row and column of their patch. */
  rope: boolean
  /** The MLP is SwiGLU; else GELU (tanh) between two layers. */
  gated: boolean
  /** Patches are normed before their position is added. */
  embedNorm: boolean
  /** Taken from a table of side x side: sampled for any grid, or one for each patch of the only grid there is. */
  positions: 'none' | 'interpolated' | 'learned'
  /** How patches come: blocks of merge x merge together, or row by row. */
  order: 'blocks' | 'rows'
  /** A learned vector stands before and behind every picture's tokens. */
  ends: boolean
}

const glmFields = { depth: 'depth', heads: 'num_heads', channels: 'in_channels', eps: 'rms_norm_eps' }
const glmDefaults = { hidden_act: 'silu', in_channels: 3, depth: 24, image_size: 336, patch_size: 14, spatial_merge_size: 2 }

const families: Record<VisionConfig['family'], Family> = {
  glm4v: {
    fields: glmFields,
    defaults: {
      ...glmDefaults,
      attention_bias: false,
      hidden_size: 1536,
      num_heads: 12,
      rms_norm_eps: 1e-5,
      temporal_patch_size: 2,
      out_hidden_size: 4096,
      intermediate_size: 13696,
    },
    fixed: { attention_bias: false, hidden_act: 'silu', in_channels: 3, spatial_merge_size: 2 },
    kind: {
      norm: 'rms',
      bias: false,
      headNorm: false,
      rope: true,
      gated: true,
      embedNorm: true,
      positions: 'interpolated',
      order: 'blocks',
      ends: false,
    },
    widths: (own) => ({ mlp: own('out_hidden_size'), inner: own('intermediate_size') }),
  },
  glm_ocr: {
    fields: glmFields,
    defaults: {
      ...glmDefaults,
      attention_bias: true,
      hidden_size: 1024,
      num_heads: 16,
      rms_norm_eps: 1e-5,
      temporal_patch_size: 2,
      out_hidden_size: 1536,
      intermediate_size: 4096,
    },
    fixed: { attention_bias: true, hidden_act: 'silu', in_channels: 3, spatial_merge_size: 2 },
    kind: {
      norm: 'rms',
      bias: true,
      headNorm: true,
      rope: true,
      gated: true,
      embedNorm: false,
      positions: 'none',
      order: 'blocks',
      ends: false,
    },
    widths: (own) => ({ mlp: own('intermediate_size'), inner: own('out_hidden_size') * 3 }),
  },
  glm_edge_v: {
    fields: { depth: 'num_hidden_layers', heads: 'num_attention_heads', channels: 'num_channels', eps: 'layer_norm_eps' },
    defaults: {
      hidden_act: 'gelu_pytorch_tanh',
      num_channels: 3,
      image_size: 672,
      patch_size: 14,
      spatial_merge_size: 2,
      temporal_patch_size: 1,
      layer_norm_eps: 1e-6,
    },
    fixed: { hidden_act: 'gelu_pytorch_tanh', num_channels: 3, spatial_merge_size: 2, temporal_patch_size: 1 },
    kind: {
      norm: 'layer',
      bias: true,
      headNorm: false,
      rope: false,
      gated: false,
      embedNorm: false,
      positions: 'learned',
      order: 'rows',
      ends: true,
    },
    widths: (own, text) => ({ mlp: own('intermediate_size'), inner: whole(text, 'intermediate_size', 'config.json') }),
  },
}

/** model_type of config.json → its tower. */
const towers = new Map<unknown, VisionConfig['family']>([
  ['glm4v', 'glm4v'],
  ['glm46v', 'glm4v'],
  ['glm_ocr', 'glm_ocr'],
  ['glm', 'glm_edge_v'],
])

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Whether config.json describes a model that sees. */
export const seesOf = (json: unknown): boolean => isFields(json) && json.vision_config != null

/** The tower of a Hugging Face config.json. Throws `family_unknown`, `config_unsupported` or `file_invalid`. */
export function parseVision(json: unknown): VisionConfig {
  if (!isFields(json) || !isFields(json.vision_config))
    throw new GlmError('file_invalid', 'config.json has no vision_config; choose a model that sees.')
  const name = towers.get(json.model_type)
  if (!name) {
    const known = [...towers.keys()].join(', ')
    throw new GlmError('family_unknown', `config.json says model_type ${shown(json.model_type)}; choose a model that sees of ${known}.`)
  }
  const family = families[name]
  const fields: Fields = { ...family.defaults, ...present(json.vision_config) }
  const text = isFields(json.text_config) ? json.text_config : json
  refuse(family, fields)
  const own = (field: string) => whole(fields, field, 'vision_config')
  const hidden = own('hidden_size')
  const heads = own(family.fields.heads)
  const patch = own('patch_size')
  const config: VisionConfig = {
    family: name,
    ...family.kind,
    hidden,
    layers: own(family.fields.depth),
    heads,
    headDim: hidden / heads,
    ...family.widths(own, text),
    eps: positive(fields, family.fields.eps),
    // nn.LayerNorm's own, which no config names.
    mergerEps: 1e-5,
    patch,
    merge: own('spatial_merge_size'),
    temporal: own('temporal_patch_size'),
    side: family.kind.positions === 'none' ? 0 : own('image_size') / patch,
    text: whole(text, 'hidden_size', 'config.json'),
  }
  check(config, fields)
  return config
}

/** Fields that say something: what a file has as null is not said. */
const present = (fields: Fields): Fields => Object.fromEntries(Object.entries(fields).filter(([, value]) => value != null))

function refuse(family: Family, fields: Fields): void {
  const fixed: Fields = { quantization_config: undefined, ...family.fixed }
  for (const [field, expected] of Object.entries(fixed)) {
    if (fields[field] !== expected) throw unsupported(field, `is ${shown(fields[field])}`)
  }
}

function check(config: VisionConfig, fields: Fields): void {
  const { hidden, headDim, rope, side, text, mlp, inner, patch, temporal } = config
  if (!Number.isInteger(headDim) || headDim % (rope ? 16 : 4) !== 0 || headDim > 128)
    throw unsupported('hidden_size', `makes heads of ${headDim}, which is no multiple of ${rope ? 16 : 4} up to 128`)
  if (!Number.isInteger(side) || side > 256) throw unsupported('image_size', `is ${shown(fields.image_size)}, not up to 256 whole patches`)
  if ((patch * patch * temporal) % 4 !== 0) throw unsupported('patch_size', `is ${patch}`)
  for (const [field, width] of Object.entries({ hidden_size: hidden, out_hidden_size: text, intermediate_size: mlp, inner_size: inner })) {
    if (width % 4 !== 0) throw unsupported(field, `is ${width}, not a multiple of 4`)
  }
  if (fields.out_hidden_size !== undefined && fields.out_hidden_size !== text)
    throw unsupported('out_hidden_size', `is ${shown(fields.out_hidden_size)} where the text model's hidden_size is ${text}`)
}

const unsupported = (field: string, why: string) =>
  new GlmError('config_unsupported', `vision_config has ${field} that ${why}; choose another conversion of the model.`)

/** A value as an error names it: short, and however deep. */
const shown = (value: unknown) => (typeof value === 'object' && value ? 'an object' : String(JSON.stringify(value)).slice(0, 80))

function whole(fields: Fields, name: string, place: string): number {
  const value = fields[name]
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1 || value > 2 ** 20)
    throw new GlmError('config_unsupported', `${place} has no usable ${name} (${shown(value)}); download the model again.`)
  return value
}

function positive(fields: Fields, name: string): number {
  const value = fields[name]
  if (typeof value !== 'number' || !(value > 0 && value < 1)) throw unsupported(name, `is ${shown(value)}, not between 0 and 1`)
  return value
}
