// What a GGUF says, as a config, a checkpoint under Hugging Face's names, a tokenizer and a template: held against the oracle's fixtures.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { readText } from '../../src/engine/checkpoint.ts'
import { readGguf } from '../../src/engine/gguf.ts'
import { GlmError } from '../../src/errors.ts'
import { ggufCheckpoint, ggufConfig } from '../../src/model/gguf.ts'
import { planEmbedding, planFinal, planHead, planLayer } from '../../src/model/layout.ts'
import { ggufText } from '../../src/text/gguf.ts'
import { createTokenizer } from '../../src/text/tokenizer.ts'
import { folderSource } from '../../src/weights/folder.ts'
import { type Gguf, type GgufValue, openGguf } from '../../src/weights/gguf.ts'
import type { Source } from '../../src/weights/source.ts'
import { folder, type Golden, gguf, goldens } from './gguf.ts'

const textOf = ({ metadata, files }: Gguf, vocabulary: number) => ggufText(metadata, files[0]!, vocabulary)
const open = (golden: Golden) => openGguf(folderSource(folder), golden.files[0]!)
const named = (name: string) => goldens.find((golden) => golden.name === name)!

describe.each(goldens.map((golden) => [golden.name, golden] as const))('%s', (_, golden: Golden) => {
  test('the config is that of the class', async () => {
    const { bias, ...rest } = golden.config
    const config = ggufConfig(await open(golden))
    // Sizes of M-RoPE are of models that see.
    const sees = golden.name.includes('mrope')
    expect(config.sections).toEqual(sees ? [2, 3, 3] : undefined)
    expect(config).toMatchObject({
      ...rest,
      family: sees ? 'glm4v' : rest.family,
      qkvBias: bias,
      vocabulary: golden.vocab,
      layers: 2,
      theta: 10000,
      postNorms: rest.family === 'glm4',
    })
    expect(config.halves ?? false).toBe(golden.name.includes('mrope'))
    expect(config.yarn !== undefined).toBe(golden.name.includes('yarn'))
    expect(config.context).toBe(rest.family === 'glm' ? 8192 : 512) // the converter of chatglm forgets it
    const tokenizer = createTokenizer(textOf(await open(golden), golden.vocab).tokenizer, undefined)
    const ends = ['<|endoftext|>', '<|user|>', '<|observation|>'].map((text) => tokenizer.tokenId(text))
    expect(new Set(config.stopIds)).toEqual(new Set(ends))
  })

  test('every tensor of the plan is there, with its shape', async () => {
    const gguf = await open(golden)
    const config = ggufConfig(gguf)
    const { tensors, bytes, quantised } = ggufCheckpoint(gguf, config)
    expect({ bytes, quantised }).toEqual({ bytes: gguf.bytes, quantised: true })
    const layers = [0, 1].map((layer) => planLayer(config, layer))
    const matrices = [
      planEmbedding(config),
      ...(config.tied ? [] : [planHead(config)]),
      ...layers.flatMap(({ qkv, o, gateUp, down }) => [qkv, o, gateUp, down]),
    ]
    const used = new Set<string>()
    for (const { pieces, columns } of matrices) {
      const rows = new Map<string, number>()
      for (const piece of pieces) rows.set(piece.tensor, (rows.get(piece.tensor) ?? 0) + piece.rows)
      for (const [tensor, count] of rows) {
        const { shape, dtype, blocks } = tensors.get(tensor)!
        expect([tensor, shape]).toEqual([tensor, [count, columns]])
        expect(blocks?.name).toBe(['F32', 'F16', 'BF16'].includes(dtype) ? undefined : dtype)
        used.add(tensor)
      }
    }
    for (const { tensor, length } of [...layers.flatMap(({ vectors }) => vectors), ...planFinal(config)]) {
      expect([tensor, tensors.get(tensor)?.shape]).toEqual([tensor, [length]])
      used.add(tensor)
    }
    expect([...tensors.keys()].filter((name) => !used.has(name))).toEqual([])
  })

  test('texts have the ids of the Hugging Face tokenizer, and a talk renders the same', async () => {
    const { tokenizer, template } = readText((await readGguf(folderSource(folder), golden.files.at(-1)!)).text!)
    for (const { text, ids } of golden.encoded) expect([text, tokenizer!.encode(text)]).toEqual([text, ids])
    const { messages, text, ids } = golden.talk
    expect(template!.render(messages)).toEqual({ text, ids })
  })
})

test('the tokenizer of the fixtures, from GGUF and from tokenizer.json', async () => {
  const fixture = (name: string) => JSON.parse(readFileSync(`${folder}/../tokenizer/${name}`, 'utf8'))
  const { tokenizer, specials } = textOf(await open(named('glm-f32')), 1621)
  const [own, other] = [createTokenizer(tokenizer, undefined), createTokenizer(fixture('tokenizer.json'), fixture('tokenizer_config.json'))]
  expect(own.size).toBe(other.size)
  expect(own.controls).toEqual(other.controls)
  expect(specials).toEqual({ eos_token: '<|endoftext|>', unk_token: '<|endoftext|>', pad_token: '<|endoftext|>' })
  for (const { text, ids, ids_plain } of fixture('encode.json')) {
    expect([text, own.encode(text), own.encodePlain(text)]).toEqual([text, ids, ids_plain])
    expect(own.decode(ids, { skipSpecial: true })).toBe(other.decode(ids, { skipSpecial: true }))
  }
})

/** A fixture whose metadata says something else; undefined takes a key away. */
async function changed(name: string, keys: Record<string, GgufValue | undefined>): Promise<Gguf> {
  const gguf = await open(named(name))
  const metadata = new Map(gguf.metadata)
  for (const [key, value] of Object.entries(keys)) value === undefined ? metadata.delete(key) : metadata.set(key, value)
  return { ...gguf, metadata }
}

describe('config', () => {
  const config = async (name: string, keys: Record<string, GgufValue | undefined>) => ggufConfig(await changed(name, keys))

  test('what files leave out or say by layer', async () => {
    expect((await config('glm4-bf16', { 'glm4.attention.key_length': undefined })).headDim).toBe(16)
    expect((await config('glm4-bf16', { 'glm4.attention.head_count_kv': Int32Array.of(2, 2) })).kvHeads).toBe(2)
    expect((await config('glm4-bf16', { 'glm4.rope.dimension_count': undefined })).rotary).toBe(16)
    expect((await config('glm4-bf16', { 'glm4.rope.freq_base': undefined })).theta).toBe(10000)
    expect((await config('glm4-bf16', { 'glm4.context_length': 64 })).context).toBe(64)
    expect((await config('glm-f16', { 'chatglm.context_length': 131072 })).context).toBe(131072)
    expect((await config('glm4-mrope-q4_0', { 'glm4.rope.dimension_sections': Int32Array.of(0, 0, 0, 0) })).halves).toBeUndefined()
  })

  test('M-RoPE: its sizes, and the family of a model that sees', async () => {
    const gguf = await open(named('glm4-mrope-q4_0'))
    const tensors = new Map([...gguf.tensors].filter(([name]) => !name.endsWith('.bias')))
    expect(ggufConfig({ ...gguf, tensors })).toMatchObject({ family: 'glm_ocr', qkvBias: false, sections: [2, 3, 3], halves: true })
    for (const [key, name] of [
      ['name', 'Glm 4.6V Flash'],
      ['basename', 'GLM-4.6V-Flash'],
      ['finetune', 'AutoGLM-Phone'],
    ])
      expect([name, (await config('glm4-mrope-q4_0', { [`general.${key}`]: name })).family]).toEqual([name, 'glm46v'])
    expect((await config('glm4-mrope-q4_0', { 'general.name': 'GLM-4.1V-9B-Thinking' })).family).toBe('glm4v')
    for (const sizes of [
      [2, 3],
      [2, 3, 4, 0],
      [2, 3, 3, 1],
      [-2, 5, 5, 0],
      [8, 0, 0, 0, 0],
    ]) {
      const fault = await config('glm4-mrope-q4_0', { 'glm4.rope.dimension_sections': Int32Array.from(sizes) }).catch((error) => error)
      expect([sizes, fault]).toEqual([
        sizes,
        expect.objectContaining({ code: 'config_unsupported', message: expect.stringMatching(/mrope_section/) }),
      ])
    }
  })

  test('YaRN', async () => {
    const { yarn } = await config('glm4-yarn-q8_0', {})
    expect(yarn).toMatchObject({ factor: 4, original: 128, betaFast: 32, betaSlow: 1, truncate: true })
    expect(yarn!.attentionFactor).toBeCloseTo(0.1 * Math.log(4) + 1, 12)
    const other = await config('glm4-yarn-q8_0', { 'glm4.rope.scaling.yarn_attn_factor': 2, 'glm4.rope.scaling.yarn_beta_fast': 16 })
    expect(other.yarn).toMatchObject({ attentionFactor: 2, betaFast: 16 })
    expect((await config('glm4-yarn-q8_0', { 'glm4.rope.scaling.type': 'none' })).yarn).toBeUndefined()
  })

  test('ends: by role, and the strings that end a turn where they are control tokens', async () => {
    const gguf = await open(named('glm4-bf16'))
    const tokens = [...(gguf.metadata.get('tokenizer.ggml.tokens') as string[])]
    const kinds = Int32Array.from(gguf.metadata.get('tokenizer.ggml.token_type') as Int32Array)
    const [user, observation, end] = ['<|user|>', '<|observation|>', '<|endoftext|>'].map((text) => tokens.indexOf(text))
    tokens[5] = '</answer>'
    const ends = async (kind: number) => {
      kinds[5] = kind
      const { stopIds } = await config('glm4-bf16', {
        'tokenizer.ggml.tokens': tokens,
        'tokenizer.ggml.token_type': kinds,
        'tokenizer.ggml.eom_token_id': 7,
      })
      return new Set(stopIds)
    }
    expect(await ends(3)).toEqual(new Set([end, user, 7, observation, 5]))
    expect(await ends(1)).toEqual(new Set([end, user, 7, observation]))
  })

  test.each([
    ['another architecture', { 'general.architecture': 'llama' }, 'family_unknown', /"llama".*chatglm and glm4/],
    ['the projector of a vision model', { 'general.architecture': 'clip' }, 'family_unknown', /clip/],
    ['a name that is a trap', { 'general.architecture': 'constructor' }, 'family_unknown', /constructor/],
    ['no architecture', { 'general.architecture': undefined }, 'family_unknown', /undefined/],
    ['no width', { 'glm4.embedding_length': undefined }, 'config_unsupported', /metadata of glm4-bf16.gguf has no usable hidden_size/],
    ['a width in words', { 'glm4.embedding_length': '64' }, 'config_unsupported', /hidden_size/],
    ['heads that differ by layer', { 'glm4.attention.head_count': Int32Array.of(4, 2) }, 'config_unsupported', /num_attention_heads/],
    ['no layers', { 'glm4.nextn_predict_layers': 2 }, 'config_unsupported', /num_hidden_layers/],
    ['values narrower than keys', { 'glm4.attention.value_length': 8 }, 'config_unsupported', /values of 8/],
    ['no eps', { 'glm4.attention.layer_norm_rms_epsilon': undefined }, 'config_unsupported', /rms_norm_eps/],
    ['linear rope scaling', { 'glm4.rope.scaling.type': 'linear' }, 'config_unsupported', /linear/],
  ] as const)('%s', async (_, keys, code, message) => {
    const fault = await config('glm4-bf16', keys as Record<string, GgufValue | undefined>).catch((error) => error)
    expect(fault).toBeInstanceOf(GlmError)
    expect(fault).toMatchObject({ code, message: expect.stringMatching(message) })
  })
})

describe('checkpoint', () => {
  const checkpoint = async (name: string, change: (gguf: Gguf) => void) => {
    const gguf = await open(named(name))
    const copy = { ...gguf, tensors: new Map(gguf.tensors) }
    change(copy)
    return ggufCheckpoint(copy, ggufConfig(copy))
  }

  test('a fused matrix is three slices of rows, side by side', async () => {
    const { tensors } = await checkpoint('glm-fused-q5_1', () => {})
    const [type, , from, bytes] = named('glm-fused-q5_1').tensors['blk.1.attn_qkv.weight']!
    const parts = ['q', 'k', 'v'].map((part) => tensors.get(`model.layers.1.self_attn.${part}_proj.weight`)!)
    expect(parts.map(({ dtype, shape }) => [dtype, shape])).toEqual([64, 32, 32].map((rows) => [type, [rows, 64]]))
    expect(parts.map(({ start }) => start)).toEqual([from, from + bytes / 2, from + (bytes * 3) / 4])
    expect(parts.map(({ end }) => end)).toEqual([from + bytes / 2, from + (bytes * 3) / 4, from + bytes])
  })

  test('gate and up may stand apart', async () => {
    const gguf = await open(named('glm4-bf16'))
    const up = gguf.tensors.get('blk.0.ffn_up.weight')!
    const half = (name: string, start: number) => ({ ...up, name, shape: [96, 64], start, end: start + (up.end - up.start) / 2 })
    const tensors = new Map(gguf.tensors)
    for (const layer of [0, 1]) {
      tensors.set(`blk.${layer}.ffn_gate.weight`, half(`blk.${layer}.ffn_gate.weight`, up.start))
      tensors.set(`blk.${layer}.ffn_up.weight`, half(`blk.${layer}.ffn_up.weight`, (up.start + up.end) / 2))
    }
    const config = ggufConfig({ ...gguf, tensors })
    expect(config.apart).toBe(true)
    const names = [...ggufCheckpoint({ ...gguf, tensors }, config).tensors.keys()]
    expect(names.filter((name) => name.includes('layers.0.mlp')).sort()).toEqual(
      ['down_proj', 'gate_proj', 'up_proj'].map((name) => `model.layers.0.mlp.${name}.weight`),
    )
  })

  test('a type that is not read is refused where the tensor is wanted, and only there', async () => {
    const as = (name: string, dtype: string) => (gguf: Gguf) => void gguf.tensors.set(name, { ...gguf.tensors.get(name)!, dtype })
    const fault = await checkpoint('glm4-mrope-q4_0', as('blk.1.ffn_up.weight', 'IQ2_XXS')).catch((error) => error)
    expect(fault).toMatchObject({ code: 'tensor_invalid', message: expect.stringMatching(/"blk.1.ffn_up.weight".*IQ2_XXS.*Q4_0.*Q6_K/) })
    await expect(checkpoint('glm4-mrope-q4_0', as('blk.1.attn_norm.weight', 'Q4_0'))).rejects.toMatchObject({ code: 'tensor_invalid' })
    await expect(checkpoint('glm4-mrope-q4_0', as('blk.2.ffn_up.weight', 'IQ2_XXS'))).resolves.toBeDefined()
  })

  test('a fused matrix with other rows', async () => {
    const cut = (gguf: Gguf) => {
      const entry = gguf.tensors.get('blk.0.attn_qkv.weight')!
      gguf.tensors.set(entry.name, { ...entry, shape: [100, 64] })
    }
    await expect(checkpoint('glm-fused-q5_1', cut)).rejects.toMatchObject({ code: 'tensor_invalid' })
  })
})

describe('tokenizer', () => {
  test.each([
    ['SentencePiece', { 'tokenizer.ggml.model': 'llama' }, /SentencePiece/],
    ['another kind', { 'tokenizer.ggml.model': 'bert' }, /bert/],
    ['another pattern', { 'tokenizer.ggml.pre': 'qwen2' }, /qwen2/],
    ['no pattern', { 'tokenizer.ggml.pre': undefined }, /undefined/],
    ['no tokens', { 'tokenizer.ggml.tokens': undefined }, /no list of tokens/],
    ['tokens that are numbers', { 'tokenizer.ggml.tokens': Int32Array.of(1) }, /no list of tokens/],
    ['no merges', { 'tokenizer.ggml.merges': undefined }, /no list of merges/],
    ['no types', { 'tokenizer.ggml.token_type': undefined }, /type of every token/],
    ['too few types', { 'tokenizer.ggml.token_type': Int32Array.of(1, 1) }, /type of every token/],
  ] as const)('%s', async (_, keys, message) => {
    const gguf = await changed('glm4-bf16', keys as Record<string, GgufValue | undefined>)
    expect(() => textOf(gguf, 321)).toThrow(message)
  })

  test('more tokens than rows of the embedding, and a token twice', async () => {
    const gguf = await open(named('glm4-bf16'))
    expect(() => textOf(gguf, 320)).toThrow(/321 tokens beside an embedding of 320/)
    const tokens = [...(gguf.metadata.get('tokenizer.ggml.tokens') as string[])]
    tokens[3] = tokens[4]!
    expect(() => textOf({ ...gguf, metadata: new Map(gguf.metadata).set('tokenizer.ggml.tokens', tokens) }, 321)).toThrow(/twice/)
  })

  test('padding is no token; names of properties are', async () => {
    const padded = await open(named('glm-f16'))
    const tokenizer = createTokenizer(textOf(padded, 324).tokenizer, undefined)
    expect(tokenizer.size).toBe(321)
    expect(tokenizer.tokenId('[PAD322]')).toBeUndefined()
    const tokens = [...(padded.metadata.get('tokenizer.ggml.tokens') as string[])]
    tokens[322] = '__proto__'
    const kinds = Int32Array.from(padded.metadata.get('tokenizer.ggml.token_type') as Int32Array)
    kinds[322] = 1
    const metadata = new Map(padded.metadata).set('tokenizer.ggml.tokens', tokens).set('tokenizer.ggml.token_type', kinds)
    expect(createTokenizer(textOf({ ...padded, metadata }, 324).tokenizer, undefined).tokenId('__proto__')).toBe(322)
  })

  test('a file without a tokenizer can be scored; recommended sampling is the default', async () => {
    const written = gguf({
      keys: [
        ['general.architecture', 8, 'chatglm'],
        ['general.sampling.temp', 6, 0.5],
        ['general.sampling.top_k', 5, 40],
        ['general.sampling.penalty_repeat', 6, 1.25],
        ...(['embedding_length', 'attention.head_count', 'block_count', 'feed_forward_length', 'context_length'] as const).map(
          (name, at): [string, number, number] => [`chatglm.${name}`, 4, [32, 2, 1, 64, 512][at]!],
        ),
        ['chatglm.attention.layer_norm_rms_epsilon', 6, 1e-5],
      ],
      tensors: [['token_embd.weight', [32, 10], 'F32', 0]],
      body: 1280,
    })
    const source: Source = { name: 'memory', size: async () => written.length, read: async (_, start, end) => written.slice(start, end) }
    const { config, generation, text } = await readGguf(source, 'model.gguf')
    expect(text).toBeUndefined()
    expect(generation).toEqual({ stopIds: [], sampled: undefined, temperature: 0.5, topK: 40, repetition: 1.25 })
    expect(config).toMatchObject({ vocabulary: 10, kvHeads: 2, headDim: 16, tied: true, qkvBias: false, stopIds: [] })
    expect((await readGguf(folderSource(folder), 'glm4-bf16.gguf')).generation).toEqual({ stopIds: [], sampled: undefined })
  })
})
