// quantization_config of config.json → Scheme: which 4-bit layout the tensors have. What is not read is refused by the field's name.
import { GlmError } from '../errors.ts'

export interface Scheme {
  method: 'gptq' | 'awq' | 'compressed'
  /** Columns that share a scale; -1: the whole row. */
  group: 32 | 64 | 128 | -1
  /** Every zero is 8, whatever the file says of zeros. */
  symmetric: boolean
  /** Groups may be of columns that do not stand together. */
  ordered: boolean
  /** GPTQ before version 2 keeps zeros less one. */
  lessOne: boolean
}

type Fields = Record<string, unknown>

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)

const groups: readonly unknown[] = [32, 64, 128, -1]
const absent: readonly unknown[] = [undefined, null]
/** Nothing said, or an object that says nothing. */
const empty = (value: unknown) => absent.includes(value) || value === false || (isFields(value) && Object.keys(value).length === 0)

export function parseScheme(settings: unknown): Scheme {
  if (!isFields(settings)) throw new GlmError('config_unsupported', 'quantization_config is not an object; download config.json again.')
  const method = settings.quant_method
  if (method === 'gptq') return gptq(settings)
  if (method === 'awq') return awq(settings)
  if (method === 'compressed-tensors') return compressed(settings)
  throw fault('quant_method', method, 'choose a GGUF, or a checkpoint in GPTQ, AWQ or compressed-tensors')
}

function gptq(fields: Fields): Scheme {
  allow(fields, 'bits', [4])
  for (const name of ['checkpoint_format', 'format']) allow(fields, name, [...absent, 'gptq', 'gptq_v2'])
  allow(fields, 'pack_dtype', [...absent, 'int32'])
  allow(fields, 'is_marlin_format', [...absent, false])
  if (!empty(fields.dynamic)) throw fault('dynamic', fields.dynamic)
  allow(fields, 'sym', [...absent, true, false])
  allow(fields, 'desc_act', [...absent, true, false])
  return {
    method: 'gptq',
    group: groupOf(fields, 'group_size'),
    symmetric: fields.sym === true,
    ordered: fields.desc_act !== false,
    lessOne: (fields.checkpoint_format ?? fields.format) !== 'gptq_v2',
  }
}

/** AutoAWQ's own names, or those it had before. */
function awq(fields: Fields): Scheme {
  allow(fields, fields.bits === undefined ? 'w_bit' : 'bits', [4])
  const version = typeof fields.version === 'string' ? fields.version.toLowerCase() : fields.version
  if (![...absent, 'gemm'].includes(version)) throw fault('version', fields.version, 'choose one in version gemm')
  allow(fields, 'zero_point', [...absent, true])
  const group = groupOf(fields, fields.group_size === undefined ? 'q_group_size' : 'group_size')
  return { method: 'awq', group, symmetric: false, ordered: false, lessOne: false }
}

function compressed(fields: Fields): Scheme {
  allow(fields, 'format', ['pack-quantized'])
  allow(fields, 'quantization_status', [...absent, 'compressed'])
  allow(fields, 'kv_cache_scheme', absent)
  if (!empty(fields.transform_config)) throw fault('transform_config', fields.transform_config)
  const sparsity = fields.sparsity_config
  if (!empty(sparsity) && !(isFields(sparsity) && sparsity.format === 'dense')) throw fault('sparsity_config', sparsity)
  const [only, ...others] = isFields(fields.config_groups) ? Object.values(fields.config_groups) : []
  if (!isFields(only) || others.length > 0) throw fault('config_groups', fields.config_groups, 'choose one with a single group')
  allow(only, 'format', [...absent, 'pack-quantized'])
  allow(only, 'input_activations', absent)
  allow(only, 'output_activations', absent)
  const { weights } = only
  if (!isFields(weights)) throw fault('weights', weights)
  allow(weights, 'num_bits', [4])
  allow(weights, 'type', ['int'])
  allow(weights, 'strategy', ['group'])
  allow(weights, 'symmetric', [true, false])
  allow(weights, 'dynamic', [...absent, false])
  allow(weights, 'actorder', [...absent, false, true, 'group', 'dynamic', 'weight', 'static'])
  return {
    method: 'compressed',
    group: groupOf(weights, 'group_size'),
    symmetric: weights.symmetric === true,
    ordered: [true, 'group', 'dynamic'].includes(weights.actorder as string | boolean),
    lessOne: false,
  }
}

function groupOf(fields: Fields, name: string): Scheme['group'] {
  allow(fields, name, groups)
  return fields[name] as Scheme['group']
}

function allow(fields: Fields, name: string, values: readonly unknown[]): void {
  if (!values.includes(fields[name])) throw fault(name, fields[name])
}

function fault(name: string, value: unknown, instead = 'choose another checkpoint'): GlmError {
  const text = JSON.stringify(value) ?? 'nothing'
  const brief = text.length > 120 ? `${text.slice(0, 120)}…` : text
  return new GlmError('config_unsupported', `quantization_config has ${name} ${brief}, which is not supported; ${instead}.`)
}
