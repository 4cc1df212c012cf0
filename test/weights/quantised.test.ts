// 4-bit safetensors and ChatGLM's names: what an opened checkpoint holds, what is refused, and that no file breaks it.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readForeign } from '../../src/engine/foreign.ts'
import { GlmError } from '../../src/errors.ts'
import { codingOf } from '../../src/model/codings.ts'
import { planLayer } from '../../src/model/layout.ts'
import { folderSource } from '../../src/weights/folder.ts'
import type { Source } from '../../src/weights/source.ts'
import type { TensorEntry } from '../../src/weights/tensor.ts'

const fixtures = fileURLToPath(new URL('../fixtures/quantised/', import.meta.url))
const folder = (name: string) => folderSource(fixtures + name)
const configOf = (name: string) => JSON.parse(readFileSync(`${fixtures}${name}/config.json`, 'utf8')) as Record<string, unknown>

type Fields = Record<string, unknown>
type Stored = Record<string, { dtype: string; shape: number[]; values?: number[] }>

const widths: Record<string, number> = { I32: 4, I64: 8, F16: 2, BF16: 2, F32: 4 }

/** A safetensors file; tensors without values are zeros. */
function safetensors(tensors: Stored): Uint8Array<ArrayBuffer> {
  const header: Fields = {}
  let at = 0
  for (const [name, { dtype, shape }] of Object.entries(tensors)) {
    const end = at + shape.reduce((product, size) => product * size, widths[dtype]!)
    header[name] = { dtype, shape, data_offsets: [at, end] }
    at = end
  }
  const text = new TextEncoder().encode(JSON.stringify(header))
  const bytes = new Uint8Array(8 + text.length + at)
  const view = new DataView(bytes.buffer)
  view.setBigUint64(0, BigInt(text.length), true)
  bytes.set(text, 8)
  for (const [name, { values = [] }] of Object.entries(tensors)) {
    const [start, end] = (header[name] as { data_offsets: [number, number] }).data_offsets
    const data = new DataView(bytes.buffer, 8 + text.length + start, end - start)
    for (const [index, value] of values.entries()) if (index * 4 + 4 <= data.byteLength) data.setInt32(index * 4, value, true)
  }
  return bytes
}

/** One file in memory, and what is read of it. */
function memory(tensors: Stored) {
  const file = safetensors(tensors)
  const seen = { reads: 0, bytes: 0, size: file.length }
  const source: Source = {
    name: 'memory',
    async size(path) {
      if (path !== 'model.safetensors') throw new GlmError('file_missing', path)
      return file.length
    },
    async read(_, start, end) {
      expect(end).toBeLessThanOrEqual(file.length)
      seen.reads++
      seen.bytes += end - start
      return file.slice(start, end)
    },
  }
  return { source, seen }
}

const i32 = (...shape: number[]) => ({ dtype: 'I32', shape })
const f16 = (...shape: number[]) => ({ dtype: 'F16', shape })

const matrices: [name: string, rows: number, columns: number][] = [
  ['self_attn.q_proj', 64, 64],
  ['self_attn.k_proj', 32, 64],
  ['self_attn.v_proj', 32, 64],
  ['self_attn.o_proj', 64, 64],
  ['mlp.gate_up_proj', 192, 64],
  ['mlp.down_proj', 64, 96],
]

const plainConfig: Fields = {
  model_type: 'glm',
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  head_dim: 32,
  vocab_size: 24,
  max_position_embeddings: 64,
  tie_word_embeddings: false,
  attention_bias: false,
  eos_token_id: 1,
}

const settings = {
  gptq: { quant_method: 'gptq', bits: 4, group_size: 32, desc_act: true, sym: false, checkpoint_format: 'gptq', dynamic: null },
  awq: { quant_method: 'awq', bits: 4, group_size: 32, version: 'GEMM', zero_point: true, modules_to_not_convert: null },
  compressed: {
    quant_method: 'compressed-tensors',
    format: 'pack-quantized',
    quantization_status: 'compressed',
    ignore: ['lm_head'],
    kv_cache_scheme: null,
    config_groups: {
      group_0: {
        targets: ['Linear'],
        input_activations: null,
        output_activations: null,
        weights: { num_bits: 4, type: 'int', strategy: 'group', group_size: 32, symmetric: false, actorder: 'group', dynamic: false },
      },
    },
  },
}
type Method = keyof typeof settings

/** The parts of a quantised matrix in groups of 32. */
function partsOf(method: Method, name: string, rows: number, columns: number): Stored {
  const across = columns / 32
  const groups = { ...i32(columns), values: Array.from({ length: columns }, (_, index) => index % across) }
  if (method === 'awq')
    return { [`${name}.qweight`]: i32(columns, rows / 8), [`${name}.qzeros`]: i32(across, rows / 8), [`${name}.scales`]: f16(across, rows) }
  if (method === 'gptq')
    return {
      [`${name}.qweight`]: i32(columns / 8, rows),
      [`${name}.qzeros`]: i32(across, rows / 8),
      [`${name}.scales`]: f16(across, rows),
      [`${name}.g_idx`]: groups,
    }
  return {
    [`${name}.weight_packed`]: i32(rows, columns / 8),
    [`${name}.weight_scale`]: { dtype: 'BF16', shape: [rows, across] },
    [`${name}.weight_zero_point`]: i32(rows / 8, across),
    [`${name}.weight_shape`]: { dtype: 'I64', shape: [2] },
    [`${name}.weight_g_idx`]: groups,
  }
}

/** A whole model of one layer, as config and tensors. */
function model(method: Method): { config: Fields; tensors: Stored } {
  const tensors: Stored = { 'model.embed_tokens.weight': f16(24, 64), 'lm_head.weight': f16(24, 64), 'model.norm.weight': f16(64) }
  for (const norm of ['input_layernorm', 'post_attention_layernorm']) tensors[`model.layers.0.${norm}.weight`] = f16(64)
  for (const [name, rows, columns] of matrices) Object.assign(tensors, partsOf(method, `model.layers.0.${name}`, rows, columns))
  return { config: { ...plainConfig, quantization_config: structuredClone(settings[method]) }, tensors }
}

const remoteConfig: Fields = {
  model_type: 'chatglm',
  add_bias_linear: false,
  add_qkv_bias: true,
  ffn_hidden_size: 96,
  hidden_size: 64,
  kv_channels: 32,
  layernorm_epsilon: 1e-5,
  multi_query_attention: true,
  multi_query_group_num: 1,
  num_attention_heads: 2,
  num_layers: 1,
  original_rope: true,
  padded_vocab_size: 24,
  post_layer_norm: true,
  rmsnorm: true,
  rope_ratio: 500,
  seq_length: 64,
  eos_token_id: [1, 2],
}

/** The same under ChatGLM's names, as AWQ or plain. */
function remote(quantised: boolean): { config: Fields; tensors: Stored } {
  const layer = 'transformer.encoder.layers.0.'
  const tensors: Stored = {
    'transformer.embedding.word_embeddings.weight': f16(24, 64),
    'transformer.output_layer.weight': f16(24, 64),
    'transformer.encoder.final_layernorm.weight': f16(64),
    'transformer.rotary_pos_emb.inv_freq': f16(8),
    [`${layer}input_layernorm.weight`]: f16(64),
    [`${layer}post_attention_layernorm.weight`]: f16(64),
    [`${layer}self_attention.query_key_value.bias`]: f16(128),
  }
  const own: [string, number, number][] = [
    ['self_attention.query_key_value', 128, 64],
    ['self_attention.dense', 64, 64],
    ['mlp.dense_h_to_4h', 192, 64],
    ['mlp.dense_4h_to_h', 64, 96],
  ]
  for (const [name, rows, columns] of own)
    Object.assign(tensors, quantised ? partsOf('awq', layer + name, rows, columns) : { [`${layer}${name}.weight`]: f16(rows, columns) })
  return { config: { ...remoteConfig, ...(quantised && { quantization_config: structuredClone(settings.awq) }) }, tensors }
}

const open = ({ config, tensors }: { config: Fields; tensors: Stored }) => readForeign(memory(tensors).source, config)

describe.each(readdirSync(fixtures))('%s', (name) => {
  test('every tensor of the layout is there, and its bytes are all read once', async () => {
    const source = folder(name)
    const { config, checkpoint } = await readForeign(source, configOf(name))
    expect(checkpoint.quantised).toBe(name.endsWith('bf16') ? undefined : true)
    for (let layer = 0; layer < config.layers; layer++) {
      const { qkv, o, gateUp, down, vectors } = planLayer(config, layer)
      for (const { pieces, columns } of [qkv, o, gateUp, down]) {
        const heights = new Map<string, number>()
        for (const { tensor, from, rows } of pieces) heights.set(tensor, Math.max(heights.get(tensor) ?? 0, from + rows))
        for (const [tensor, rows] of heights) {
          const entry = checkpoint.tensors.get(tensor)!
          expect([tensor, entry.name, entry.shape]).toEqual([tensor, tensor, [rows, columns]])
          if (entry.blocks) expectWhole(entry)
        }
      }
      for (const { tensor, length } of vectors) expect(checkpoint.tensors.get(tensor)!.shape).toEqual([length])
    }
  })
})

/** Ranges of all windows together are the stored parts, without holes or overlap. */
function expectWhole(entry: TensorEntry): void {
  const { blocks, shape, parts } = entry
  const [rows, columns] = shape as [number, number]
  const step = blocks!.step
  const groups = Math.ceil(columns / 32)
  // Windows that begin where every part of the file has a boundary.
  const constants = blocks!.constants!(entry)
  const wide = step ? Math.max(step, constants.SOURCE_GROUP! / 32) : groups
  const high = step ? rows : 8
  const read: number[] = []
  for (let row = 0; row < rows; row += high) {
    for (let group = 0; group < groups; group += wide) {
      const window = { row, rows: Math.min(high, rows - row), group, groups: Math.min(wide, groups - group) }
      blocks!.ranges(entry, window).forEach(({ start, end }, part) => {
        read[part] = (read[part] ?? 0) + end - start
      })
    }
  }
  const stored = [{ start: entry.start, end: entry.end }, ...Object.values(parts!)].map(({ start, end }) => end - start)
  expect(read).toEqual(stored)
}

describe('orders', () => {
  test('columns of a group become neighbours, in their own order', async () => {
    for (const method of ['gptq', 'compressed'] as const) {
      const { checkpoint } = await open(model(method))
      const order = checkpoint.tensors.get('model.layers.0.self_attn.q_proj.weight')!.order!
      // g_idx is column % 2.
      expect([...order]).toEqual([...Array.from({ length: 32 }, (_, k) => 2 * k), ...Array.from({ length: 32 }, (_, k) => 2 * k + 1)])
    }
  })

  test('q, k and v of the fixtures share one, and the natural order is none', async () => {
    for (const name of ['gptq-order', 'compressed-order']) {
      const { checkpoint } = await readForeign(folder(name), configOf(name))
      const of = (part: string) => checkpoint.tensors.get(`model.layers.1.${part}_proj.weight`)!.order!
      expect(of('self_attn.q')).toEqual(of('self_attn.k'))
      expect(of('self_attn.q')).toEqual(of('self_attn.v'))
      expect(of('self_attn.q')).not.toEqual(of('self_attn.o'))
      expect([...of('mlp.down')].sort((a, b) => a - b)).toEqual(Array.from({ length: of('mlp.down').length }, (_, k) => k))
    }
    const config = configOf('gptq-g32')
    Object.assign(config.quantization_config as Fields, { desc_act: true })
    const { checkpoint } = await readForeign(folder('gptq-g32'), config)
    expect([...checkpoint.tensors.values()].filter(({ order }) => order)).toEqual([])
  })

  test('where those of q, k and v differ, no codes stay', async () => {
    const whole = model('gptq')
    const coding = async () => {
      const { config, checkpoint } = await open(whole)
      return codingOf(planLayer(config, 0).qkv, checkpoint, 'file').format
    }
    expect(await coding()).toBe('q4')
    whole.tensors['model.layers.0.self_attn.k_proj.g_idx']!.values!.reverse()
    expect(await coding()).toBe('f16')
  })

  test('without act-order g_idx is not read', async () => {
    const whole = model('gptq')
    Object.assign(whole.config.quantization_config as Fields, { desc_act: false })
    const { source, seen } = memory(whole.tensors)
    const { checkpoint } = await readForeign(source, whole.config)
    expect(seen.reads).toBe(2)
    expect(checkpoint.tensors.get('model.layers.0.self_attn.q_proj.weight')!.order).toBeUndefined()
  })

  test('compressed-tensors that never filled g_idx', async () => {
    const whole = model('compressed')
    for (const [name, tensor] of Object.entries(whole.tensors)) if (name.endsWith('g_idx')) tensor.values = tensor.values!.map(() => -1)
    const { checkpoint } = await open(whole)
    expect([...checkpoint.tensors.values()].filter(({ order }) => order)).toEqual([])
  })
})

describe('ChatGLM', () => {
  test('config', async () => {
    const { config } = await open(remote(false))
    expect(config).toMatchObject({ family: 'glm', hidden: 64, layers: 1, heads: 2, kvHeads: 1, headDim: 32, rotary: 16, ffn: 96 })
    expect(config).toMatchObject({
      vocabulary: 24,
      eps: 1e-5,
      theta: 5e6,
      qkvBias: true,
      tied: false,
      context: 64,
      stopIds: [1, 2],
      together: true,
    })
    const { config: many } = await open({
      ...remote(false),
      config: { ...remoteConfig, multi_query_attention: false, add_qkv_bias: false },
    }).catch(() => ({ config: undefined }))
    expect(many).toBeUndefined() // three heads of biases do not fit two times three
  })

  test('biases of q, k and v stand one behind the other', async () => {
    const { checkpoint } = await open(remote(true))
    const [q, k, v] = ['q', 'k', 'v'].map((part) => checkpoint.tensors.get(`model.layers.0.self_attn.${part}_proj.bias`)!)
    expect([q!.shape, k!.shape, v!.shape]).toEqual([[64], [32], [32]])
    expect([k!.start - q!.start, v!.start - q!.start, v!.end - q!.start]).toEqual([128, 192, 256])
    expect(checkpoint.tensors.get('model.layers.0.self_attn.qkv_proj.weight')!.shape).toEqual([128, 64])
  })

  test('what its code can do and we cannot is named', async () => {
    const wrong: Fields = {
      add_bias_linear: true,
      apply_residual_connection_post_layernorm: true,
      original_rope: false,
      position_encoding_2d: true,
      post_layer_norm: false,
      pre_seq_len: 128,
      quantization_bit: 4,
      rmsnorm: false,
      tie_word_embeddings: true,
      vision_config: {},
      rope_ratio: 0,
    }
    for (const [field, value] of Object.entries(wrong)) {
      const { config, tensors } = remote(false)
      const error = await open({ config: { ...config, [field]: value }, tensors }).catch((error: GlmError) => error)
      expect(error).toMatchObject({ code: 'config_unsupported', message: expect.stringContaining(field) })
    }
  })
})

/** Set a field by a path, `undefined` removes it. */
function set(fields: Fields, path: string, value: unknown): void {
  const names = path.split('.')
  const last = names.pop()!
  const inner = names.reduce((object, name) => object[name] as Fields, fields)
  if (value === undefined) delete inner[last]
  else inner[last] = value
}

describe('refused, each with a sentence', () => {
  const weights = 'config_groups.group_0.weights'
  const fields: [Method, path: string, value: unknown, named?: string][] = [
    ['gptq', 'quant_method', 'fp8'],
    ['gptq', 'quant_method', 'bitsandbytes'],
    ['gptq', 'bits', 8],
    ['gptq', 'bits', undefined],
    ['gptq', 'group_size', 48],
    ['gptq', 'group_size', '32'],
    ['gptq', 'checkpoint_format', 'marlin'],
    ['gptq', 'pack_dtype', 'int16'],
    ['gptq', 'is_marlin_format', true],
    ['gptq', 'dynamic', { '-:lm_head': {} }],
    ['gptq', 'sym', 'yes'],
    ['gptq', 'desc_act', 1],
    ['awq', 'bits', 8],
    ['awq', 'version', 'gemv'],
    ['awq', 'zero_point', false],
    ['awq', 'group_size', 0],
    ['compressed', 'format', 'float-quantized'],
    ['compressed', 'quantization_status', 'frozen'],
    ['compressed', 'kv_cache_scheme', { num_bits: 8 }],
    ['compressed', 'transform_config', { config_groups: {} }],
    ['compressed', 'sparsity_config', { format: 'sparse-24' }],
    ['compressed', 'config_groups.group_1', {}, 'config_groups'],
    ['compressed', 'config_groups', undefined],
    ['compressed', 'config_groups.group_0.input_activations', { num_bits: 8 }, 'input_activations'],
    ['compressed', 'config_groups.group_0.weights', null, 'weights'],
    ['compressed', `${weights}.num_bits`, 8, 'num_bits'],
    ['compressed', `${weights}.type`, 'float', 'type'],
    ['compressed', `${weights}.strategy`, 'channel', 'strategy'],
    ['compressed', `${weights}.symmetric`, undefined, 'symmetric'],
    ['compressed', `${weights}.dynamic`, true, 'dynamic'],
    ['compressed', `${weights}.actorder`, 'other', 'actorder'],
  ]
  test.each(fields)('%s with %s %j', async (method, path, value, named = path) => {
    const { config, tensors } = model(method)
    set(config.quantization_config as Fields, path, value)
    const error = await open({ config, tensors }).catch((error: GlmError) => error)
    expect(error).toBeInstanceOf(GlmError)
    expect(error).toMatchObject({ code: 'config_unsupported', message: expect.stringContaining(`quantization_config has ${named} `) })
  })

  const q = 'model.layers.0.self_attn.q_proj'
  const tensors: [Method, why: string, change: (tensors: Stored) => void, code: string, said: string][] = [
    ['gptq', 'no zeros', (all) => delete all[`${q}.qzeros`], 'tensor_invalid', 'no qzeros'],
    ['gptq', 'no scales', (all) => delete all[`${q}.scales`], 'tensor_invalid', 'no scales'],
    ['gptq', 'no g_idx', (all) => delete all[`${q}.g_idx`], 'tensor_invalid', 'no g_idx'],
    ['gptq', 'no codes', (all) => delete all[`${q}.qweight`], 'tensor_invalid', 'no qweight'],
    ['gptq', 'scales of another dtype', (all) => (all[`${q}.scales`]!.dtype = 'BF16'), 'tensor_invalid', 'stored as BF16'],
    ['gptq', 'codes of another dtype', (all) => (all[`${q}.qweight`]!.dtype = 'F32'), 'tensor_invalid', 'F32 [8,64]'],
    ['gptq', 'codes in one dimension', (all) => (all[`${q}.qweight`] = i32(512)), 'tensor_invalid', 'two dimensions'],
    ['gptq', 'no codes at all', (all) => (all[`${q}.qweight`] = i32(8, 0)), 'tensor_invalid', 'no matrix'],
    ['gptq', 'outputs that fill no word', (all) => (all[`${q}.qweight`] = i32(8, 60)), 'tensor_invalid', '60 outputs'],
    ['gptq', 'inputs that fill no group', (all) => (all[`${q}.qweight`] = i32(7, 64)), 'tensor_invalid', '56 inputs'],
    ['gptq', 'zeros of another shape', (all) => (all[`${q}.qzeros`] = i32(2, 9)), 'tensor_invalid', '[2,9]'],
    ['gptq', 'scales of another group', (all) => (all[`${q}.scales`] = f16(4, 64)), 'tensor_invalid', '[4,64]'],
    ['gptq', 'a short g_idx', (all) => (all[`${q}.g_idx`] = i32(63)), 'tensor_invalid', '[63]'],
    ['gptq', 'a group out of range', (all) => (all[`${q}.g_idx`]!.values![5] = 2), 'tensor_invalid', 'each group 32'],
    ['gptq', 'a group below 0', (all) => (all[`${q}.g_idx`]!.values![5] = -1), 'tensor_invalid', 'each group 32'],
    ['gptq', 'a group too large', (all) => (all[`${q}.g_idx`]!.values![5] = 0), 'tensor_invalid', 'each group 32'],
    ['gptq', 'a tensor twice', (all) => (all[`${q}.weight`] = f16(64, 64)), 'tensor_invalid', 'stored twice'],
    ['gptq', 'a bias that GLM lacks', (all) => (all[`${q}.bias`] = { ...i32(64), values: [1] }), 'tensor_invalid', 'I32'],
    ['gptq', 'a part of another method', (all) => (all[`${q}.weight_packed`] = i32(8, 8)), 'tensor_invalid', 'is no part'],
    ['awq', 'zeros of another shape', (all) => (all[`${q}.qzeros`] = i32(2, 7)), 'tensor_invalid', '[2,7]'],
    ['awq', 'codes as GPTQ has them', (all) => (all[`${q}.qweight`] = i32(8, 64)), 'tensor_invalid', 'not a multiple'],
    ['compressed', 'no shape', (all) => delete all[`${q}.weight_shape`], 'tensor_invalid', 'no weight_shape'],
    ['compressed', 'no zeros', (all) => delete all[`${q}.weight_zero_point`], 'tensor_invalid', 'no weight_zero_point'],
    ['compressed', 'zeros across', (all) => (all[`${q}.weight_zero_point`] = i32(2, 8)), 'tensor_invalid', '[2,8]'],
    ['compressed', 'scales in f32', (all) => (all[`${q}.weight_scale`]!.dtype = 'F32'), 'tensor_invalid', 'F16 or BF16'],
  ]
  test.each(tensors)('%s: %s', async (method, _, change, code, said) => {
    const whole = model(method)
    change(whole.tensors)
    const error = await open(whole).catch((error: GlmError) => error)
    expect(error).toBeInstanceOf(GlmError)
    expect(error).toMatchObject({ code, message: expect.stringContaining(said) })
  })

  test('a checkpoint that is not quantised after all', async () => {
    const { config } = model('awq')
    await expect(open({ config, tensors: remote(false).tensors })).rejects.toThrow('no tensor ends in qweight')
  })

  test('biases: zeros are nothing, others are refused', async () => {
    const whole = model('awq')
    whole.tensors[`${q}.bias`] = f16(64)
    await open(whole)
    whole.tensors[`${q}.bias`] = { dtype: 'F32', shape: [64], values: [0, 0, 0x3f800000] }
    await expect(open(whole)).rejects.toMatchObject({ code: 'config_unsupported', message: expect.stringContaining('bias') })
    whole.config.attention_bias = true
    await open(whole)
  })
})

describe('what is accepted beside the usual', () => {
  const accepted: [Method, path: string, value: unknown][] = [
    ['gptq', 'checkpoint_format', undefined],
    ['gptq', 'dynamic', {}],
    ['gptq', 'sym', undefined],
    ['awq', 'version', undefined],
    ['compressed', 'sparsity_config', { format: 'dense' }],
    ['compressed', 'config_groups.group_0.weights.actorder', null],
  ]
  test.each(accepted)('%s with %s %j', async (method, path, value) => {
    const { config, tensors } = model(method)
    set(config.quantization_config as Fields, path, value)
    await open({ config, tensors })
  })

  test("AutoAWQ's older names", async () => {
    const { config, tensors } = model('awq')
    config.quantization_config = { quant_method: 'awq', w_bit: 4, q_group_size: 32, version: 'gemm' }
    await open({ config, tensors })
  })

  test('gate and up apart', async () => {
    const { config, tensors } = model('awq')
    for (const name of Object.keys(tensors)) if (name.includes('gate_up')) delete tensors[name]
    for (const name of ['gate_proj', 'up_proj']) Object.assign(tensors, partsOf('awq', `model.layers.0.mlp.${name}`, 96, 64))
    expect((await open({ config, tensors })).config.apart).toBe(true)
  })
})

describe('mutations', () => {
  const bases = [model('gptq'), model('awq'), model('compressed'), remote(false), remote(true)]
  const values = fc.oneof(
    fc.constantFrom<unknown>(
      0,
      1,
      -1,
      2 ** 31,
      2 ** 53,
      0.5,
      4,
      8,
      32,
      64,
      128,
      null,
      true,
      false,
      '',
      'gptq',
      'awq',
      'constructor',
      '__proto__',
      [],
      {},
    ),
    fc.jsonValue({ maxDepth: 2 }),
  )
  const sizes = fc.oneof(fc.constantFrom(0, 1, 2, 7, 8, 16, 31, 32, 63, 64, 65, 96, 128, 192), fc.nat(300))
  const suffix = fc.constantFrom(
    'qweight',
    'qzeros',
    'scales',
    'g_idx',
    'weight',
    'weight_packed',
    'weight_scale',
    'weight_shape',
    'bias',
    '',
  )

  type Change = (whole: { config: Fields; tensors: Stored }) => void

  /** Every path of a config, its objects too. */
  const paths = (fields: Fields, prefix = ''): string[] =>
    Object.entries(fields).flatMap(([name, value]) => [
      prefix + name,
      ...(value && typeof value === 'object' && !Array.isArray(value) ? paths(value as Fields, `${prefix}${name}.`) : []),
    ])

  const pick = <T>(all: T[], at: number): T => all[at % all.length]!
  const one: fc.Arbitrary<Change> = fc.oneof(
    fc.tuple(fc.nat(), values).map(
      ([at, value]): Change =>
        ({ config }) => {
          // A change before this one may have taken an object away.
          const all = paths(config)
          if (all.length > 0) set(config, pick(all, at), value)
        },
    ),
    fc.nat().map(
      (at): Change =>
        ({ tensors }) =>
          delete tensors[pick(Object.keys(tensors), at)],
    ),
    fc.tuple(fc.nat(), fc.constantFrom(...Object.keys(widths))).map(
      ([at, dtype]): Change =>
        ({ tensors }) => {
          const tensor = pick(Object.values(tensors), at)
          if (tensor) tensor.dtype = dtype
        },
    ),
    fc.tuple(fc.nat(), fc.array(sizes, { maxLength: 3 })).map(
      ([at, shape]): Change =>
        ({ tensors }) => {
          const tensor = pick(Object.values(tensors), at)
          if (tensor) Object.assign(tensor, { shape, values: undefined })
        },
    ),
    fc.tuple(fc.nat(), fc.nat(2), sizes).map(
      ([at, axis, size]): Change =>
        ({ tensors }) => {
          const tensor = pick(Object.values(tensors), at)
          if (tensor) Object.assign(tensor, { shape: tensor.shape.map((old, index) => (index === axis ? size : old)), values: undefined })
        },
    ),
    fc.tuple(fc.nat(), fc.nat(), fc.integer({ min: -3, max: 5 })).map(
      ([at, index, value]): Change =>
        ({ tensors }) => {
          const tensor = pick(
            Object.values(tensors).filter(({ values }) => values),
            at,
          )
          if (tensor) tensor.values![index % tensor.values!.length] = value
        },
    ),
    fc.tuple(fc.nat(), suffix).map(
      ([at, end]): Change =>
        ({ tensors }) => {
          const name = pick(Object.keys(tensors), at)
          if (name !== undefined) tensors[name.replace(/\w*$/, end)] = tensors[name]!
        },
    ),
  )

  test('of config, shapes, dtypes, parts and orders: only a GlmError comes out, and little is read', async () => {
    let refused = 0
    const runs = 4000
    await fc.assert(
      fc.asyncProperty(fc.nat(bases.length - 1), fc.array(one, { minLength: 1, maxLength: 3 }), async (base, changes) => {
        const whole = structuredClone(bases[base]!)
        for (const change of changes) change(whole)
        const { source, seen } = memory(whole.tensors)
        const begun = performance.now()
        try {
          const { checkpoint } = await readForeign(source, whole.config)
          for (const entry of checkpoint.tensors.values()) if (entry.blocks) expectWhole(entry)
        } catch (error) {
          if (!(error instanceof GlmError)) throw error
          expect(error.code).not.toBe('internal')
          refused++
        }
        // The header, orders and biases: no byte twice.
        expect(seen.bytes).toBeLessThanOrEqual(seen.size + 8)
        expect(seen.reads).toBeLessThanOrEqual(2 + Object.keys(whole.tensors).length)
        expect(performance.now() - begun).toBeLessThan(2000)
      }),
      { numRuns: runs, seed: 4 },
    )
    expect(refused).toBeGreaterThan(runs / 4)
    expect(refused).toBeLessThan(runs)
  }, 60_000)
})
