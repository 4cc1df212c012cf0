import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ChatRequest } from '../../src/api/types.ts'
import { checkRequest, maxTokensOf, samplingOf, stopStringsOf } from '../../src/engine/request.ts'
import { GlmError } from '../../src/errors.ts'
import type { GenerationConfig } from '../../src/model/config.ts'
import { asked, asks } from '../../src/model/rows.ts'

const messages = [{ role: 'user', content: 'Hi' }]
const defaults: GenerationConfig = { stopIds: [], sampled: undefined }

/** Everything the engine does with a request before the model sees it. */
function take(request: unknown): void {
  checkRequest(request as ChatRequest)
  samplingOf(request as ChatRequest, defaults, 1000)
  maxTokensOf(request as ChatRequest, 100)
  stopStringsOf(request as ChatRequest)
}

function faultOf(request: unknown): GlmError {
  try {
    take(request)
  } catch (error) {
    expect(error).toBeInstanceOf(GlmError)
    return error as GlmError
  }
  throw new Error(`Nothing was wrong with ${String(request)}.`)
}

/** One sentence: it ends, and nothing comes after. */
const sentence = /^[^\n]{10,300}\.$/

describe('every bad field is refused in one sentence that names it', () => {
  const fields: [string, unknown[]][] = [
    ['temperature', [-1, 2.5, NaN, Infinity, '1', [], {}, true, 10n]],
    ['top_p', [-0.1, 1.1, NaN, '0.5', {}]],
    ['top_k', [-1, 1.5, NaN, '5', 2 ** 30]],
    ['seed', [1.5, NaN, '1', 2 ** 53, -(2 ** 53), Infinity]],
    ['max_tokens', [0, -1, 1.5, NaN, Infinity, '5', {}]],
    ['stop', ['', [''], [1], 5, {}, Array(17).fill('a'), ['a', null]]],
    ['n', [2, 0, '1', 1n]],
    ['logprobs', ['yes', 1, {}]],
    ['top_logprobs', [3, -1, 21, 1.5, '3']], // without logprobs
    ['logit_bias', [{ 5: 101 }, { 5: NaN }, { 5: '1' }, { x: 1 }, { '-1': 1 }, { 1.5: 1 }, { '': 1 }, { 1000: 1 }, [1], 5, 'x']],
    ['presence_penalty', [-2.1, 3, NaN, '1']],
    ['frequency_penalty', [-2.1, 3, NaN, {}]],
    ['repetition_penalty', [0, -1, 2.1, NaN, '1']],
    ['min_p', [-0.1, 1.1, NaN, '0']],
    ['response_format', [{ type: 'json_object' }]],
    ['tool_choice', ['required', { type: 'function' }]],
    ['functions', [[]]],
    ['audio', [{}]],
    ['tools', [{}, 'x', 5]],
  ]
  it.each(
    fields.flatMap(([field, values]) =>
      values.map((value) => [field, typeof value === 'bigint' ? 'bigint' : JSON.stringify(value), value] as const),
    ),
  )('%s: %s', (field, _, value) => {
    const fault = faultOf({ messages, [field]: value })
    expect(fault.code).toBe('request_invalid')
    expect(fault.message).toMatch(sentence)
    expect(fault.message).toContain(field)
  })

  it('max_completion_tokens goes before max_tokens, and is checked alike', () => {
    expect(maxTokensOf({ messages: [], max_completion_tokens: 3, max_tokens: 9 }, 100)).toBe(3)
    expect(faultOf({ messages, max_completion_tokens: 0 }).code).toBe('request_invalid')
  })

  it.each([undefined, null, 5, 'text'])('a request that is %s', (request) => {
    expect(faultOf(request).code).toBe('request_invalid')
  })

  it('a value that JSON cannot hold, or that is very long', () => {
    const loop: unknown[] = []
    loop.push(loop)
    for (const value of [loop, 'x'.repeat(100_000), Symbol('x'), () => 1]) {
      expect(faultOf({ messages, logit_bias: value }).message).toMatch(sentence)
      expect(faultOf({ messages, temperature: value }).message).toMatch(sentence)
    }
  })
})

describe('messages', () => {
  it.each(
    [
      undefined,
      null,
      [],
      'Hi',
      {},
      [null],
      ['Hi'],
      [{}],
      [{ role: 'user' }],
      [{ role: 'user', content: null }],
      [{ role: 'robot', content: 'Hi' }],
      [{ role: '__proto__', content: 'Hi' }],
      [{ role: 5n, content: 'Hi' }],
      [{ content: 'Hi' }],
      [{ role: 'user', content: 5 }],
      [{ role: 'user', content: {} }],
      [{ role: 'user', content: [null] }],
      [{ role: 'user', content: ['Hi'] }],
      [{ role: 'user', content: [{ type: 'text' }] }],
      [{ role: 'user', content: [{ type: 5n, text: 'Hi' }] }],
      [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }],
      [{ role: 'assistant' }],
      [...messages, { role: 'tool' }],
      new Array(1),
    ].map((bad, index) => [index, bad] as [number, unknown]),
  )('case %i', (_, bad) => {
    const fault = faultOf({ messages: bad })
    expect(fault.code).toBe('messages_invalid')
    expect(fault.message).toMatch(sentence)
  })

  it('takes every shape that OpenAI has for text', () => {
    for (const message of [
      { role: 'system', content: 'Be brief.' },
      { role: 'developer', content: 'Be brief.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: '' },
        ],
      },
      { role: 'user', content: '' },
      { role: 'assistant', content: null },
      { role: 'assistant', tool_calls: [{ id: '1', type: 'function', function: { name: 'f', arguments: '{}' } }] },
      { role: 'tool', content: '4', tool_call_id: '1' },
    ]) {
      expect(() => take({ messages: [message] })).not.toThrow()
    }
  })
})

describe('defaults', () => {
  it("are the model's, else those of OpenAI; the request goes before both", () => {
    const own: GenerationConfig = { stopIds: [], sampled: true, temperature: 0.8, topK: 20, topP: 0.9 }
    const bare = (request: object, config: GenerationConfig) => ({ ...samplingOf({ messages: [], ...request }, config, 1000), seed: 0 })
    const none = { seed: 0, minP: 0, repetition: 1, presence: 0, frequency: 0, bias: undefined, logprobs: undefined }
    expect(bare({}, defaults)).toEqual({ ...none, temperature: 1, topK: 0, topP: 1 })
    expect(asked(samplingOf({ messages: [] }, defaults, 1000))).toBe(0)
    expect(bare({}, own)).toEqual({ ...none, temperature: 0.8, topK: 20, topP: 0.9 })
    expect(bare({}, { ...own, repetition: 1.1 })).toMatchObject({ repetition: 1.1 })
    expect(bare({ repetition_penalty: 1.3 }, { ...own, repetition: 1.1 })).toMatchObject({ repetition: 1.3 })
    expect(bare({}, { ...own, sampled: false })).toMatchObject({ temperature: 0 })
    expect(bare({ temperature: null, top_k: null, top_p: null, seed: null }, own)).toEqual(bare({}, own))
    expect(bare({ temperature: 0, top_k: 0, top_p: 0 }, own)).toEqual({ ...none, temperature: 0, topK: 0, topP: 0 })
    expect(bare({ temperature: 0.5 }, { ...own, sampled: false })).toMatchObject({ temperature: 0.5 })
  })

  it('what OpenAI has beside temperature', () => {
    const request = { presence_penalty: -2, frequency_penalty: 2, min_p: 0.1, logit_bias: { 7: -100, 999: 3.5 }, logprobs: true }
    const sampling = samplingOf({ messages: [], ...request }, defaults, 1000)
    expect(sampling).toMatchObject({ presence: -2, frequency: 2, minP: 0.1, logprobs: 0 })
    expect(sampling.bias).toEqual([
      [7, -100],
      [999, 3.5],
    ])
    expect(asked(sampling)).toBe(asks.bias | asks.counts | asks.logprobs)
    expect(samplingOf({ logprobs: true, top_logprobs: 20 }, defaults, 1000).logprobs).toBe(20)
    expect(asked(samplingOf({ logit_bias: {}, min_p: 0.5 }, defaults, 1000))).toBe(0)
  })

  it('fields of the default value pass: they ask for nothing', () => {
    expect(() =>
      take({
        messages,
        n: 1,
        logprobs: false,
        presence_penalty: 0,
        top_logprobs: 0,
        logit_bias: null,
        tool_choice: 'auto',
        stop: null,
        max_tokens: null,
        user: 'me',
      }),
    ).not.toThrow()
  })

  it('max_tokens is bounded by the room there is; stop becomes a list', () => {
    expect(maxTokensOf({ messages: [] }, 77)).toBe(77)
    expect(maxTokensOf({ messages: [], max_tokens: 1000 }, 77)).toBe(77)
    expect(maxTokensOf({ messages: [], max_tokens: 5 }, 77)).toBe(5)
    expect([undefined, null, 'a', ['a', 'b'], []].map((stop) => stopStringsOf({ messages: [], stop }))).toEqual([
      [],
      [],
      ['a'],
      ['a', 'b'],
      [],
    ])
  })
})

describe('seeds', () => {
  const pair = (seed: number) => samplingOf({ messages: [], seed }, defaults, 1000).seed

  it('of the whole safe range are 64 different bits', () => {
    const { MAX_SAFE_INTEGER: most, MIN_SAFE_INTEGER: least } = Number
    const seeds = [0, 1, -1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, -(2 ** 32), 2 ** 32 + 1, most, least, most - 1, least + 1, -(2 ** 31)]
    expect(new Set(seeds.map((seed) => pair(seed).join())).size).toBe(seeds.length)
    fc.assert(
      fc.property(fc.maxSafeInteger(), (seed) => {
        const [low, high] = pair(seed)
        expect(BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low))).toBe(BigInt(seed)) // it can be told from its bits
      }),
    )
  })

  it('are drawn where none is given', () => {
    const drawn = Array.from({ length: 20 }, () => samplingOf({ messages: [] }, defaults, 1000).seed.join())
    expect(new Set(drawn).size).toBe(20)
  })
})

it('throws nothing but sentences, whatever is sent', () => {
  const names = [
    'messages',
    'temperature',
    'top_p',
    'top_k',
    'seed',
    'max_tokens',
    'max_completion_tokens',
    'stop',
    'tools',
    'n',
    'logit_bias',
    'logprobs',
    'top_logprobs',
    'min_p',
    'repetition_penalty',
    'tool_choice',
  ] as const
  const anything = fc.anything({ withBigInt: true, withNullPrototype: true, withSparseArray: true })
  const request = fc
    .dictionary(fc.constantFrom(...names), anything)
    .chain((fields) => fc.constantFrom(fields, { messages, ...fields }, { ...fields, messages }))
  fc.assert(
    fc.property(fc.oneof(request, anything), (value) => {
      try {
        take(value)
      } catch (error) {
        expect(error).toBeInstanceOf(GlmError)
        expect(['request_invalid', 'messages_invalid']).toContain((error as GlmError).code)
        expect((error as GlmError).message).toMatch(sentence)
      }
    }),
    { numRuns: 1000 },
  )
})
