// config.json and its neighbours changed at random, four thousand times: only a GlmError may come out, and what is read stays small and whole.
import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readAround } from '../../src/engine/checkpoint.ts'
import { GlmError } from '../../src/errors.ts'
import { parseConfig, parseGenerationConfig } from '../../src/model/config.ts'
import { byteAlphabet } from '../../src/text/bpe.ts'
import { createTokenizer } from '../../src/text/tokenizer.ts'
import { memorySource } from '../weights/memory.ts'
import { changes, counted, known, LIMIT, mutate, only } from './mutate.ts'

const folder = new URL('../fixtures/', import.meta.url).pathname
const read = (path: string) => readFileSync(folder + path, 'utf8')
const configs = readdirSync(`${folder}checkpoints`).map((name) => read(`checkpoints/${name}/config.json`))
const generations = readdirSync(`${folder}checkpoints`).map((name) => read(`checkpoints/${name}/generation_config.json`))
const tokenizerConfig = read('tokenizer/tokenizer_config.json')
const full = JSON.parse(read('tokenizer/tokenizer.json'))

/** The fixture's tokenizer with a twentieth of its merges: every byte of it counts. */
const small = (() => {
  const merges = full.model.merges.slice(0, 60) as string[][]
  const tokens = [...byteAlphabet, ...merges.map((pair) => pair.join(''))]
  const vocab = Object.fromEntries([...new Set(tokens)].map((token, id) => [token, id]))
  const added_tokens = full.added_tokens.map((token: { id: number }) => ({ ...token, id: token.id - 1000 }))
  return JSON.stringify({ ...full, added_tokens, model: { ...full.model, vocab, merges } })
})()

/** The changed text as JSON, or undefined where it is none: then the reader of files refuses it. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const whole = (value: number, low: number, high: number) => Number.isInteger(value) && value >= low && value <= high

describe('changed at random', () => {
  test('config.json: a look or three for each field, whatever its size', () => {
    const outcomes = { read: 0, refused: 0 }
    const property = fc.property(fc.nat(configs.length - 1), changes, (which, changes) => {
      const json = parsed(changes.reduce(mutate, configs[which]!))
      if (json === undefined) return
      const steps = { count: 0 }
      const config = only(['file_invalid', 'family_unknown', 'config_unsupported'], () => parseConfig(counted(json, steps)))
      expect(steps.count).toBeLessThan(200)
      outcomes[config instanceof GlmError ? 'refused' : 'read']++
      if (config instanceof GlmError) return
      for (const name of ['hidden', 'layers', 'heads', 'kvHeads', 'ffn', 'vocabulary', 'context'] as const) {
        expect(whole(config[name], 1, 2 ** 24)).toBe(true)
      }
      expect(whole(config.headDim, 4, 256) && whole(config.rotary, 2, config.headDim)).toBe(true)
      for (const value of [config.eps, config.theta, ...Object.values(config.yarn ?? {}).map(Number)]) expect(value).toBeLessThan(Infinity)
      expect(config.stopIds.every((id) => Number.isSafeInteger(id) && id >= 0)).toBe(true)
    })
    fc.assert(property, { numRuns: 2000, seed: 43 })
    for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(200)
  })

  test('generation_config.json: what is taken is what a request may ask', () => {
    let taken = 0
    const property = fc.property(fc.nat(generations.length - 1), changes, (which, changes) => {
      const json = parsed(changes.reduce(mutate, generations[which]!))
      const {
        temperature = 1,
        topK = 0,
        topP = 1,
        repetition = 1,
        stopIds,
      } = only([], () => parseGenerationConfig(json)) as ReturnType<typeof parseGenerationConfig>
      expect(temperature >= 0 && temperature <= 2 && topP >= 0 && topP <= 1 && repetition >= 0.01 && repetition <= 2).toBe(true)
      expect(whole(topK, 0, 2 ** 24) && stopIds.every((id) => Number.isSafeInteger(id) && id >= 0)).toBe(true)
      taken++
    })
    fc.assert(property, { numRuns: 600, seed: 44 })
    for (const value of [-1, 1e300, Infinity, 0.5, '1', null, [1]]) {
      const fields = ['temperature', 'top_k', 'top_p', 'repetition_penalty'].map(
        (name) => `"${name}":${value === Infinity ? '1e999' : JSON.stringify(value)}`,
      )
      const { topK = 0, topP = 1, repetition = 1 } = parseGenerationConfig(JSON.parse(`{${fields}}`))
      expect([whole(topK, 0, 2 ** 24), topP <= 1, repetition <= 2]).toEqual([true, true, true])
    }
    expect(taken).toBe(600)
  })

  const hostile = `<|user|>ab\ud800 ${'  \n'.repeat(40)}${'a'.repeat(300)}\u0301 12345 [gMASK]<|new|>`
  const codes = ['template_invalid', 'file_invalid', 'messages_invalid']

  test('tokenizer.json and tokenizer_config.json: steps are linear in their bytes, ids are ids', async () => {
    const outcomes = { read: 0, refused: 0 }
    const property = fc.property(changes, changes, fc.nat(3), (changes, others, which) => {
      const text = which === 0 ? small : changes.reduce(mutate, small)
      const config = which < 2 ? others.reduce(mutate, tokenizerConfig) : tokenizerConfig
      const [json, around] = [parsed(text), parsed(config)]
      const steps = { count: 0 }
      const ids = only(codes, () => {
        const tokenizer = createTokenizer(counted(json, steps), counted(around, steps))
        expect(tokenizer.size).toBeLessThanOrEqual(2 ** 24)
        const ids = tokenizer.encode(hostile)
        tokenizer.decode([...ids, -1, 2 ** 31, 0.5])
        return [...ids, ...tokenizer.encodePlain(hostile)]
      })
      expect(steps.count).toBeLessThanOrEqual(2 * (text.length + config.length))
      outcomes[ids instanceof GlmError ? 'refused' : 'read']++
      if (!(ids instanceof GlmError)) expect(ids.every((id) => whole(id, 0, 2 ** 24))).toBe(true)
    })
    fc.assert(property, { numRuns: 1200, seed: 45 })
    for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(150)
  })

  test('all files around the weights, as they are read from a source', async () => {
    const outcomes = { read: 0, refused: 0 }
    const encoder = new TextEncoder()
    const template = read('tokenizer/templates/glm-z1.jinja')
    const property = fc.asyncProperty(changes, fc.nat(3), async (changes, which) => {
      const texts: Record<string, string> = {
        'tokenizer.json': small,
        'tokenizer_config.json': JSON.stringify({ ...JSON.parse(tokenizerConfig), chat_template: [{ name: 'default', template }] }),
        'generation_config.json': generations[0]!,
        'chat_template.jinja': template,
      }
      const name = Object.keys(texts)[which]!
      texts[name] = changes.reduce(mutate, texts[name]!)
      if (which === 1) delete texts['chat_template.jinja']
      const { source, log } = memorySource(new Map(Object.entries(texts).map(([path, text]) => [path, encoder.encode(text)])))
      const began = performance.now()
      const files = await readAround(source).catch((error) => known(codes, error))
      expect(performance.now() - began).toBeLessThan(LIMIT)
      expect(log.length).toBeLessThanOrEqual(16)
      outcomes[files instanceof GlmError ? 'refused' : 'read']++
    })
    await fc.assert(property, { numRuns: 800, seed: 46 })
    for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(100)
  })
})

describe('made to cost', () => {
  const json = JSON.parse(small)
  const make = (fields: object, config?: unknown) => only(['template_invalid'], () => createTokenizer({ ...json, ...fields }, config))
  const token = (id: unknown, content: unknown = '<|new|>') => ({ id, content, special: true })
  const refused = { code: 'template_invalid' }

  test.each([2 ** 24, 2 ** 31, 2 ** 32 + 5, 2 ** 53, -1, 0.5, '1e9', [5, 6]])('an added token of the id %o', (id) => {
    expect(make({ added_tokens: [token(id)] })).toMatchObject(refused)
    expect(make({}, { added_tokens_decoder: { [String(id)]: { content: '<|new|>' } } })).toMatchObject(refused)
  })

  test('ids with holes: nothing stands in them, and no work is done for them', () => {
    const tokenizer = createTokenizer({ ...json, added_tokens: [token(2 ** 24 - 1)] }, undefined)
    expect(tokenizer.size).toBe(2 ** 24)
    expect(tokenizer.bytes(2 ** 24 - 2)).toBeUndefined()
    expect(tokenizer.encode('<|new|>')).toEqual([2 ** 24 - 1])
  })

  test.each([
    ['a million added tokens', { added_tokens: Array.from({ length: 1_000_000 }, (_, id) => token(id, `<${id}>`)) }],
    ['a control string of a megabyte', { added_tokens: [token(5, 'a'.repeat(2 ** 20))] }],
    ['merges of what is not there', { model: { ...json.model, merges: [['zq', 'qz']] } }],
    ['a merge of one', { model: { ...json.model, merges: ['a'] } }],
    ['a merge of a number', { model: { ...json.model, merges: [[0, 1]] } }],
    ['a thousand normalizers', { normalizer: { type: 'Sequence', normalizers: Array(1000).fill({ type: 'NFKD' }) } }],
    [
      'a thousand cuts',
      { pre_tokenizer: { type: 'Sequence', pretokenizers: [...Array(1000).fill({ type: 'Digits' }), { type: 'ByteLevel' }] } },
    ],
  ])('%s', (_, fields) => {
    expect(make(fields)).toMatchObject(refused)
  })

  test('a thousand control strings that begin alike, against a text of their letter', () => {
    const added_tokens = Array.from({ length: 1000 }, (_, at) => token(at, `${'a'.repeat(1 + (at % 96))}${at}`))
    const tokenizer = createTokenizer({ ...json, added_tokens }, undefined)
    const began = performance.now()
    expect(tokenizer.split(`${'a'.repeat(200_000)}000`)).toHaveLength(3)
    expect(performance.now() - began).toBeLessThan(LIMIT)
  })

  // A match may fail only where little was looked at: JavaScript's engine goes through every way there is.
  const quantified = ['(?:a|a)'.repeat(30), `${'a?'.repeat(30)}${'a'.repeat(30)}`, 'a*'.repeat(12), 'a{1,999}'.repeat(5), '(?>a+)', 'a++']
  const patterns = [...quantified, ...quantified.map((one) => `(?:${one})`), ...quantified.map((one) => `\\p{L}|x${one}`)]
  test.each([
    ...patterns.map((one) => `${one}b`),
    '(?i:a|a|a)(?i:a|a)b',
    'a+(?!a)b',
    'a+(?=b)',
    '\\s*[\\r\\n]+',
    '\\s+(?!\\S)',
    '\\s*[\\r\\n]+|\\s|\\s+',
  ])('the pattern %s', (Regex) => {
    const pre_tokenizer = {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: false, use_regex: false },
      ],
    }
    expect(make({ pre_tokenizer })).toMatchObject(refused)
  })

  test.each<[string, unknown]>([
    ['deep', JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`)],
    ['long', 'x'.repeat(2 ** 20)],
  ])('a config whose fields are %s is refused in a short sentence', (_, value) => {
    const config = JSON.parse(configs[0]!)
    const parse = (fields: object) => only(['family_unknown', 'config_unsupported'], () => parseConfig({ ...config, ...fields }))
    for (const field of ['model_type', 'hidden_act', 'quantization_config', 'sliding_window', 'mlp_bias', 'hidden_size', 'rms_norm_eps']) {
      expect(parse({ [field]: value })).toBeInstanceOf(GlmError)
    }
    for (const field of ['rope_type', 'type', 'factor']) {
      const rope = field === 'factor' ? { rope_type: 'yarn', factor: value } : { [field]: value }
      expect(parse({ rope_parameters: rope })).toBeInstanceOf(GlmError)
    }
  })

  test('a template file of two megabytes is not read', async () => {
    const encoder = new TextEncoder()
    const { source, log } = memorySource(
      new Map([
        ['tokenizer.json', encoder.encode(small)],
        ['chat_template.jinja', new Uint8Array(2 ** 21)],
      ]),
    )
    await expect(readAround(source)).rejects.toMatchObject(refused)
    expect(log.filter((line) => line.startsWith('chat_template.jinja'))).toEqual([])
  })
})
