import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GlmError } from '../../src/errors.ts'
import { type Config, parseConfig, parseGenerationConfig } from '../../src/model/config.ts'
import { ropeTable } from '../../src/model/rope.ts'

const read = (path: string) => JSON.parse(readFileSync(new URL(`../fixtures/checkpoints/${path}`, import.meta.url), 'utf8'))
const glm = read('glm-chat-bf16/config.json')
const yarn = read('glm4-yarn-bf16/config.json')

function faultOf(json: unknown): GlmError {
  try {
    parseConfig(json)
  } catch (error) {
    expect(error).toBeInstanceOf(GlmError)
    return error as GlmError
  }
  throw new Error('The config was taken.')
}

describe('what is read', () => {
  it('every field', () => {
    expect(parseConfig(glm)).toEqual({
      family: 'glm',
      postNorms: false,
      hidden: 64,
      layers: 3,
      heads: 6,
      kvHeads: 2,
      headDim: 16,
      rotary: 8,
      ffn: 148,
      vocabulary: 307,
      eps: 1.5625e-7,
      theta: 5_000_000,
      qkvBias: true,
      tied: false,
      context: 512,
      stopIds: [294, 301, 303],
    } satisfies Config)
  })

  it('YaRN in both styles alike', () => {
    const config = parseConfig(yarn)
    expect(parseConfig(read('glm4-yarn-bf16/config.old-style.json'))).toEqual(config)
    expect(config).toMatchObject({
      family: 'glm4',
      postNorms: true,
      yarn: { factor: 4, original: 128, betaFast: 32, betaSlow: 1, truncate: true },
    })
    expect(config.yarn!.attentionFactor).toBeCloseTo(1 + 0.1 * Math.log(4), 12)
  })

  it('the nested partial_rotary_factor before the one beside it', () => {
    const json = read('glm4-tied-f16/config.json')
    expect(json.partial_rotary_factor).toBe(0.5)
    expect(parseConfig(json)).toMatchObject({ headDim: 32, rotary: 32, tied: true })
  })

  it('the defaults of the class where a field is missing', () => {
    const { head_dim, rms_norm_eps, rope_parameters, partial_rotary_factor, num_key_value_heads, attention_bias, ...bare } = glm
    expect(parseConfig(bare)).toMatchObject({
      headDim: 128,
      rotary: 64,
      eps: 1.5625e-7,
      theta: 10000,
      kvHeads: 6,
      qkvBias: false,
      tied: false,
    })
  })

  it('one stop id, several, or none', () => {
    const stops = (eos_token_id: unknown) => parseConfig({ ...glm, eos_token_id }).stopIds
    expect([7, [7, 8], null, undefined, ['7', -1, 8.5, 9]].map(stops)).toEqual([[7], [7, 8], [], [], [9]])
  })
})

describe('a model that sees', () => {
  const vision = (path: string) => JSON.parse(readFileSync(new URL(`../fixtures/vision/${path}`, import.meta.url), 'utf8'))
  const json = vision('glm4v/config.json')

  it('every field of its text model', () => {
    expect(parseConfig(json)).toEqual({
      family: 'glm4v',
      postNorms: true,
      hidden: 64,
      layers: 2,
      heads: 2,
      kvHeads: 1,
      headDim: 32,
      rotary: 16,
      ffn: 80,
      vocabulary: 314,
      eps: 1e-5,
      theta: 10000,
      sections: [2, 3, 3],
      qkvBias: true,
      tied: false,
      context: 512,
      stopIds: [290, 297, 299],
    } satisfies Config)
    expect(parseConfig(vision('glm4v/config.old-style.json'))).toEqual(parseConfig(json))
    expect(parseConfig(json.text_config)).toEqual({ ...parseConfig(json), family: 'glm4v_text' })
  })

  it('GLM-4.6V and GLM-OCR, whose heads are wider than the stream and whose projections have no biases', () => {
    expect(parseConfig(vision('glm46v/config.json'))).toMatchObject({ family: 'glm46v', headDim: 16, sections: [1, 1, 2], qkvBias: true })
    const ocr = { family: 'glm_ocr', hidden: 48, heads: 2, headDim: 32, rotary: 32, layers: 2, sections: [4, 6, 6], qkvBias: false }
    expect(parseConfig(vision('glm_ocr/config.json'))).toMatchObject(ocr)
  })

  it('what the outer config says holds for all', () => {
    const { eos_token_id, ...text_config } = json.text_config
    expect(parseConfig({ ...json, tie_word_embeddings: true }).tied).toBe(true)
    const { tie_word_embeddings, ...silent } = json
    expect(parseConfig({ ...silent, text_config: { ...text_config, tie_word_embeddings: true } }).tied).toBe(true)
    expect(parseConfig({ ...json, eos_token_id: 7, text_config }).stopIds).toEqual([7])
  })

  const text = json.text_config
  const rope = text.rope_parameters
  it.each<[string, object]>([
    ['model_type', { text_config: { ...text, model_type: 'glm_ocr_text' } }],
    ['model_type', { text_config: { ...text, model_type: 'glm4v_moe_text' } }],
    ['model_type', { text_config: { ...text, model_type: 5 } }],
    ['quantization_config', { quantization_config: { quant_method: 'awq' } }],
    ['quantization_config', { quantization_config: {}, text_config: { ...text, quantization_config: null } }],
    ['num_attention_heads', { text_config: null }],
    ['head_dim', { text_config: { ...text, hidden_size: 65 } }],
    ...[[2, 3], [2, 3, 4], [8, 0, 0, 0], [2.5, 2.5, 3], [-1, 5, 4], '2,3,3', 8, {}, [[8], 0, 0]].map((mrope_section): [string, object] => [
      'mrope_section',
      { text_config: { ...text, rope_parameters: { ...rope, mrope_section } } },
    ]),
  ])('refuses another %s', (field, change) => {
    const fault = faultOf({ ...json, ...change })
    expect(fault.code).toBe(field === 'model_type' ? 'family_unknown' : 'config_unsupported')
    expect(fault.message).toContain(field)
  })

  it('fuzzed, it ends in a GlmError or a sound config', () => {
    const value = fc.oneof(fc.constantFrom<unknown>(0, -1, 2, 4, 1e300, null, true, [], {}, [1, 1, 2], 'glm4v_text'), fc.jsonValue())
    const fields = (of: object) => fc.dictionary(fc.constantFrom(...Object.keys(of)), value, { maxKeys: 3 })
    fc.assert(
      fc.property(fields(json), fields(text), fields(rope), (outer, inner, deep) =>
        expectSound({ ...json, text_config: { ...text, rope_parameters: { ...rope, ...deep }, ...inner }, ...outer }),
      ),
      { numRuns: 1000 },
    )
  })
})

describe('what is refused, by its name', () => {
  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'llama', '', 5, null, undefined, ['glm'], { toString: 'glm' }])(
    'model_type %j',
    (model_type) => {
      const fault = faultOf({ ...glm, model_type })
      expect(fault.code).toBe('family_unknown')
      expect(fault.message).toContain('model_type')
    },
  )

  it('JSON with a key __proto__ of its own', () => {
    expect(faultOf(JSON.parse('{"__proto__": {"model_type": "glm"}}')).code).toBe('family_unknown')
  })

  const rope = yarn.rope_parameters
  const refusals: [string, object][] = [
    ...[
      'num_attention_heads',
      'hidden_size',
      'num_hidden_layers',
      'num_key_value_heads',
      'head_dim',
      'intermediate_size',
      'vocab_size',
      'max_position_embeddings',
    ].flatMap((name) => [0, -1, 1.5, '64', [], 1e9, true].map((value): [string, object] => [name, { [name]: value }])),
    ...['num_attention_heads', 'hidden_size', 'vocab_size'].map((name): [string, object] => [name, { [name]: undefined }]),
    ['hidden_act', { hidden_act: 'gelu' }],
    ['quantization_config', { quantization_config: { quant_method: 'awq' } }],
    ['sliding_window', { sliding_window: 128 }],
    ['mlp_bias', { mlp_bias: true }],
    ['head_dim', { head_dim: 30 }],
    ['head_dim', { head_dim: 512 }],
    ['num_key_value_heads', { num_key_value_heads: 2 }],
    ['rope_type', { rope_parameters: { ...rope, rope_type: 'linear' } }],
    ['rope_type', { rope_parameters: null, rope_scaling: { type: 'dynamic', factor: 2 } }],
    ['partial_rotary_factor', { rope_parameters: { ...rope, partial_rotary_factor: 0 } }],
    ['partial_rotary_factor', { rope_parameters: { ...rope, partial_rotary_factor: 1.5 } }],
    ['partial_rotary_factor', { rope_parameters: { ...rope, partial_rotary_factor: 0.1 } }],
    ['partial_rotary_factor', { rope_parameters: { ...rope, partial_rotary_factor: 'half' } }],
    ['rms_norm_eps', { rms_norm_eps: 0 }],
    ['rms_norm_eps', { rms_norm_eps: '1e-5' }],
    ['rope_theta', { rope_parameters: { ...rope, rope_theta: 0 } }],
    ['rope_theta', { rope_parameters: { ...rope, rope_theta: 'x' } }],
    ['original_max_position_embeddings', { rope_parameters: { ...rope, original_max_position_embeddings: 0 } }],
    ...[0, -4, 'x', 1e300].map((factor): [string, object] => ['factor', { rope_parameters: { ...rope, factor } }]),
    ...[-1, 1e-300, 'x'].map((beta_fast): [string, object] => ['beta_fast', { rope_parameters: { ...rope, beta_fast } }]),
    ...[-1, [1]].map((beta_slow): [string, object] => ['beta_slow', { rope_parameters: { ...rope, beta_slow } }]),
    ...[0, 1e300].map((attention_factor): [string, object] => ['attention_factor', { rope_parameters: { ...rope, attention_factor } }]),
  ]
  it.each(refusals)('%s: %j', (field, change) => {
    const fault = faultOf({ ...yarn, ...change })
    expect(fault.code).toBe('config_unsupported')
    expect(fault.message).toContain(field)
    expect(fault.message).toMatch(/^[^\n]+\.$/)
  })

  it.each([null, 5, 'config', [], [glm]])('a file that holds %j', (json) => {
    expect(faultOf(json).code).toBe('file_invalid')
  })
})

/** Either a GlmError, or a config that can be run: whole sizes and a finite rotary table. */
function expectSound(json: unknown): void {
  let config: Config
  try {
    config = parseConfig(json)
  } catch (error) {
    expect(error).toBeInstanceOf(GlmError)
    return
  }
  const { hidden, layers, heads, kvHeads, headDim, rotary, ffn, vocabulary, context } = config
  for (const size of [hidden, layers, heads, kvHeads, headDim, rotary, ffn, vocabulary, context])
    expect(Number.isSafeInteger(size) && size > 0).toBe(true)
  expect(ropeTable(config, 5).every(Number.isFinite)).toBe(true)
}

describe('fuzz', () => {
  it('any JSON ends in a GlmError or a sound config', () => {
    fc.assert(fc.property(fc.jsonValue(), expectSound))
    fc.assert(fc.property(fc.jsonValue(), (value) => expectSound({ model_type: value })))
    fc.assert(fc.property(fc.jsonValue(), (value) => void parseGenerationConfig(value)))
  })

  it('so does a valid config with some fields changed', () => {
    const value = fc.oneof(
      fc.constantFrom<unknown>(
        0,
        -0,
        -1,
        1,
        2,
        4,
        0.5,
        1e-12,
        1e-320,
        1e300,
        2 ** 24,
        2 ** 32,
        2 ** 53,
        null,
        '',
        'yarn',
        true,
        false,
        [],
        {},
        { toString: 1 },
      ),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.integer({ min: -8, max: 1024 }),
      fc.jsonValue(),
    )
    const own = fc.dictionary(fc.constantFrom(...Object.keys(yarn)), value, { maxKeys: 3 })
    const extra = ['beta_fast', 'beta_slow', 'mscale', 'mscale_all_dim', 'attention_factor', 'truncate', 'type']
    const nested = fc.dictionary(fc.constantFrom(...Object.keys(yarn.rope_parameters), ...extra), value, { maxKeys: 3 })
    fc.assert(
      fc.property(own, nested, fc.boolean(), (fields, rope, old) => {
        const { rope_parameters, ...rest } = yarn
        const where = old ? 'rope_scaling' : 'rope_parameters'
        expectSound({ ...rest, [where]: { ...rope_parameters, ...rope }, ...fields })
      }),
      { numRuns: 2000 },
    )
  })
})

describe('generation_config.json', () => {
  it('gives stop ids and sampling defaults', () => {
    expect(parseGenerationConfig(read('glm-chat-bf16/generation_config.json'))).toEqual({
      stopIds: [294, 301, 303],
      sampled: true,
      temperature: 0.8,
      topK: undefined,
      topP: 0.8,
    })
    expect(parseGenerationConfig(undefined)).toEqual({
      stopIds: [],
      sampled: undefined,
      temperature: undefined,
      topK: undefined,
      topP: undefined,
    })
  })
})
