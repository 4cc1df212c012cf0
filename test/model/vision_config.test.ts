// The vision part of config.json: every family's tower, defaults where a file says nothing, and what is refused by the field's name.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parseVision, seesOf } from '../../src/model/vision_config.ts'
import { planVision } from '../../src/model/vision_layout.ts'
import { namesOf } from '../../src/model/vision_names.ts'
import { folderSource } from '../../src/weights/folder.ts'
import { openCheckpoint } from '../../src/weights/safetensors.ts'

const fixtures = fileURLToPath(new URL('../fixtures/vision', import.meta.url))
const configOf = (name: string) => JSON.parse(readFileSync(`${fixtures}/${name}/config.json`, 'utf8'))

/** Published sizes, as far as the class has no defaults for them. */
const glm4v = { model_type: 'glm4v', text_config: { hidden_size: 4096, intermediate_size: 13696 }, vision_config: {} }
const ocr = { model_type: 'glm_ocr', text_config: { hidden_size: 1536, intermediate_size: 4608 }, vision_config: {} }
const edge = {
  model_type: 'glm',
  hidden_size: 2048,
  intermediate_size: 6144,
  vision_config: {
    hidden_size: 1152,
    image_size: 672,
    intermediate_size: 4304,
    model_type: 'siglip_vision_model',
    num_attention_heads: 16,
    num_hidden_layers: 27,
    patch_size: 14,
  },
}

describe('towers as they are published', () => {
  it('GLM-4.1V, 4.6V and AutoGLM', () => {
    for (const model_type of ['glm4v', 'glm46v']) {
      expect(parseVision({ ...glm4v, model_type })).toMatchObject({
        family: 'glm4v',
        hidden: 1536,
        layers: 24,
        heads: 12,
        headDim: 128,
        mlp: 4096,
        inner: 13696,
        text: 4096,
        side: 24,
        temporal: 2,
        bias: false,
        headNorm: false,
        embedNorm: true,
        norm: 'rms',
        eps: 1e-5,
      })
    }
  })

  it('GLM-OCR', () => {
    const tower = { family: 'glm_ocr', hidden: 1024, headDim: 64, mlp: 4096, inner: 4608, text: 1536, side: 0, bias: true, headNorm: true }
    expect(parseVision(ocr)).toMatchObject(tower)
  })

  it('GLM-Edge-V', () => {
    expect(parseVision(edge)).toMatchObject({
      family: 'glm_edge_v',
      headDim: 72,
      mlp: 4304,
      inner: 6144,
      text: 2048,
      side: 48,
      temporal: 1,
      gated: false,
      rope: false,
      ends: true,
      eps: 1e-6,
      order: 'rows',
    })
  })

  it('null is as if a field were not there', () => {
    expect(parseVision({ ...glm4v, vision_config: { depth: null, attention_bias: null } }).layers).toBe(24)
  })
})

const refused: [string, unknown][] = [
  ['attention_bias', { ...glm4v, vision_config: { attention_bias: true } }],
  ['attention_bias', { ...ocr, vision_config: { attention_bias: false } }],
  ['hidden_act', { ...glm4v, vision_config: { hidden_act: 'gelu' } }],
  ['hidden_act', { ...edge, vision_config: { ...edge.vision_config, hidden_act: 'gelu' } }],
  ['spatial_merge_size', { ...glm4v, vision_config: { spatial_merge_size: 4 } }],
  ['in_channels', { ...ocr, vision_config: { in_channels: 4 } }],
  ['quantization_config', { ...ocr, vision_config: { quantization_config: {} } }],
  ['out_hidden_size', { ...glm4v, vision_config: { out_hidden_size: 2048 } }],
  ['depth', { ...glm4v, vision_config: { depth: -1 } }],
  ['depth', { ...glm4v, vision_config: { depth: 'many' } }],
  ['hidden_size', { ...glm4v, vision_config: { hidden_size: 1500 } }],
  ['image_size', { ...glm4v, vision_config: { image_size: 337 } }],
  ['rms_norm_eps', { ...glm4v, vision_config: { rms_norm_eps: 0 } }],
  ['hidden_size', { ...edge, hidden_size: undefined }],
]
it.each(refused)('%s is refused by its name', (field, json) => {
  expect(() => parseVision(json)).toThrow(expect.objectContaining({ code: 'config_unsupported', message: expect.stringContaining(field) }))
})

it('a family that does not see, or nothing at all', () => {
  expect(() => parseVision({ ...glm4v, model_type: 'llava' })).toThrow(expect.objectContaining({ code: 'family_unknown' }))
  for (const json of [undefined, 3, {}, { model_type: 'glm4v' }, { vision_config: [] }]) {
    expect(() => parseVision(json)).toThrow(expect.objectContaining({ code: 'file_invalid' }))
  }
  expect(seesOf(configOf('glm4v'))).toBe(true)
  expect(seesOf({ model_type: 'glm' })).toBe(false)
})

describe.each(['glm4v', 'glm46v', 'glm_ocr', 'glm_edge_v'])('the tensors of %s', (name) => {
  it('are all of the tower, each once', async () => {
    const checkpoint = await openCheckpoint(folderSource(`${fixtures}/${name}`))
    const plan = planVision(parseVision(configOf(name)), checkpoint)
    const matrices = [plan.patch, plan.downsample, plan.proj, plan.gateUp, plan.down]
    const blocks = plan.blocks.flatMap(({ qkv, o, up, down }) => [qkv, o, up, down])
    const vectors = [plan.vectors, ...plan.blocks.map((block) => block.vectors)].flatMap(({ plans }) => plans)
    const used = [
      ...[...matrices, ...blocks].flatMap(({ pieces }) => pieces.map(({ tensor }) => tensor)),
      ...[...vectors, ...(plan.table ? [plan.table] : [])].map(({ tensor }) => tensor),
    ]
    const there = [...checkpoint.tensors.keys()].filter((tensor) => /^model\.(visual|vision)\./.test(tensor))
    expect([...used].sort()).toEqual(there.sort())
  })

  it('one missing, or of another shape, is named', async () => {
    const checkpoint = await openCheckpoint(folderSource(`${fixtures}/${name}`))
    const config = parseVision(configOf(name))
    for (const tensor of [...checkpoint.tensors.keys()].filter((one) => /^model\.(visual|vision)\./.test(one))) {
      const without = new Map(checkpoint.tensors)
      without.delete(tensor)
      const fault = expect.objectContaining({ code: 'tensor_invalid', message: expect.stringContaining(tensor) })
      expect(() => planVision(config, { ...checkpoint, tensors: without })).toThrow(fault)
      without.set(tensor, { ...checkpoint.tensors.get(tensor)!, shape: [3, 5] })
      expect(() => planVision(config, { ...checkpoint, tensors: without })).toThrow(fault)
    }
  })
})

it('names with and without their prefix', () => {
  expect(namesOf('glm4v')('block.11.o.weight')).toEqual(['model.visual.blocks.11.attn.proj.weight', 'visual.blocks.11.attn.proj.weight'])
  expect(namesOf('glm_edge_v')('block.0.qkv.weight')).toEqual([])
})
