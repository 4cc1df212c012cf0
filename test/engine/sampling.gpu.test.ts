// Sampling through the whole engine: what a request asks of the logits, held against `score` and the twin, however many tokens go per submit.
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ChatRequest, TokenLogprob } from '../../src/api/types.ts'
import { Engine, type EngineOptions } from '../../src/engine/engine.ts'
import { Pacer } from '../../src/engine/pacer.ts'
import { Scheduler } from '../../src/engine/scheduler.ts'
import type { Generation } from '../../src/engine/sequence.ts'
import { dawn } from '../../src/gpu/dawn.ts'
import type { SamplingSettings } from '../../src/model/rows.ts'
import type { Logprobs } from '../../src/model/sampler.ts'
import { folderSource } from '../../src/weights/folder.ts'
import { adjusted, argmax, logSoftmax } from '../reference.ts'

const fixtures = fileURLToPath(new URL('../fixtures', import.meta.url))
const model = folderSource(`${fixtures}/checkpoints/glm-edge-f32`)
const text = folderSource(`${fixtures}/tokenizer`)
const of = (path: string) => (path.startsWith('tokenizer') ? text : model)
const source = {
  name: 'glm-edge-f32',
  size: (path: string, signal?: AbortSignal) => of(path).size(path, signal),
  read: (...call: Parameters<typeof model.read>) => of(call[0]).read(...call),
}

const greedy: SamplingSettings = { temperature: 0, topK: 0, topP: 1, seed: [0, 0] }
const penalties = { repetition: 1.3, presence: 0.4, frequency: 0.7 }
const hot = (seed: number): SamplingSettings => ({ temperature: 1.2, topK: 50, topP: 0.95, minP: 0.01, seed: [seed, 1] })

/** `fast` makes several tokens per submit, `slow` sees every pass take 1.6 s and makes one, in slices. */
let fast: Engine
let slow: Engine
beforeAll(async () => {
  const gpu = await dawn()
  let time = 0
  const load = (clock: EngineOptions['clock']) => Engine.load({ gpu, source, weights: 'f32', context: 512, clock })
  fast = await load(() => 0)
  slow = await load(() => (time += 1600))
})
afterAll(async () => {
  for (const engine of [fast, slow]) await engine?.close()
})

interface Answer {
  tokens: number[]
  logprobs: (Logprobs | undefined)[]
}

async function generate(
  { scheduler }: Pick<Engine, 'scheduler'>,
  prompt: readonly number[],
  count: number,
  sampling: SamplingSettings,
  more: Partial<Generation> & { onCount?: (count: number) => void } = {},
): Promise<Answer> {
  const answer: Answer = { tokens: [], logprobs: [] }
  const onToken = (token: number, logprobs?: Logprobs) => {
    answer.logprobs.push(logprobs)
    answer.tokens.push(token)
    more.onCount?.(answer.tokens.length)
    return true
  }
  await scheduler.run({ prompt, sampling, maxTokens: count, ...more, onToken })
  return answer
}

const promptOf = (length: number, seed: number) => Array.from({ length }, (_, index) => ((index + 3) * (index + seed) * 7919) % 280)

/** Logits ahead of each token of an answer. */
async function logitsOf(prompt: readonly number[], tokens: readonly number[]): Promise<Float32Array[]> {
  const { vocabulary } = slow.info
  const all: Float32Array[] = []
  await slow.score([...prompt, ...tokens.slice(0, -1)], (logits) => {
    for (let at = 0; at < logits.length; at += vocabulary) all.push(logits.slice(at, at + vocabulary))
  })
  return all.slice(prompt.length - 1)
}

/** Each token is the likeliest of what the twin makes of the logits, or as good as it. */
async function expectGreedy(prompt: readonly number[], { tokens }: Answer, asked: Parameters<typeof adjusted>[1]): Promise<void> {
  const answer = new Map<number, number>()
  for (const [index, logits] of (await logitsOf(prompt, tokens)).entries()) {
    const values = adjusted(logits, { prompt: new Set(prompt), answer, ...asked })
    expect(values[argmax(values)]! - values[tokens[index]!]!, `token ${index}`).toBeLessThan(1e-4)
    answer.set(tokens[index]!, (answer.get(tokens[index]!) ?? 0) + 1)
  }
}

describe('penalties', () => {
  const prompt = promptOf(40, 1)

  it('greedy: the same several tokens at a time, one by one, and by the twin', async () => {
    const answer = await generate(fast, prompt, 40, { ...greedy, ...penalties })
    expect((await generate(slow, prompt, 12, { ...greedy, ...penalties })).tokens).toEqual(answer.tokens.slice(0, 12))
    expect(answer.tokens).not.toEqual((await generate(fast, prompt, 40, greedy)).tokens)
    await expectGreedy(prompt, answer, penalties)
  })

  it('each alone, and against one another', async () => {
    for (const own of [{ repetition: 0.8 }, { presence: 2 }, { frequency: -0.5 }])
      await expectGreedy(prompt, await generate(fast, prompt, 16, { ...greedy, ...own }), own)
  })

  it('drawn: the same while others join, leave and wait, with two submits in flight', async () => {
    const { runner, pages, info } = fast
    const { slots, ring } = runner.decodeRows.shape
    const pacer = new Pacer({ rows: 64, tokens: 8, aim: 50, clock: () => 0 })
    const deep = { scheduler: new Scheduler({ runner, pages, pacer, context: info.context, slots, depth: 2, ring }) }
    const settings = { ...hot(3), ...penalties }
    const alone = await generate(fast, prompt, 50, settings)
    const plain = await generate(fast, promptOf(9, 5), 20, hot(4))
    let late: Promise<Answer> | undefined
    const onCount = (count: number) => {
      if (count === 7) late = generate(deep, promptOf(9, 5), 20, hot(4))
    }
    const [one, other, third] = await Promise.all([
      generate(deep, prompt, 50, settings, { onCount }),
      generate(deep, promptOf(9, 5), 20, hot(4)),
      generate(deep, prompt, 30, settings),
    ])
    expect(one.tokens).toEqual(alone.tokens)
    expect(third.tokens).toEqual(alone.tokens.slice(0, 30))
    expect([other.tokens, (await late)?.tokens]).toEqual([plain.tokens, plain.tokens])
    expect((await generate(slow, prompt, 8, settings)).tokens).toEqual(alone.tokens.slice(0, 8))
    expect((await generate(fast, prompt, 50, { ...settings, seed: [9, 9] })).tokens).not.toEqual(alone.tokens)
  })
})

describe('bias', () => {
  it('of -100 bans and of 100 forces, from the first token on; a slot forgets it', async () => {
    const prompt = promptOf(12, 2)
    const { tokens } = await generate(fast, prompt, 16, greedy)
    const bias = [...new Set(tokens)].map((token) => [token, -100] as const)
    const banned = await generate(fast, prompt, 16, { ...greedy, bias })
    expect(banned.tokens.filter((token) => tokens.includes(token))).toEqual([])
    expect((await generate(fast, prompt, 9, { ...hot(1), bias: [[77, 100]] })).tokens).toEqual(Array(9).fill(77))
    expect((await generate(fast, prompt, 16, greedy)).tokens).toEqual(tokens)
  })
})

describe('masks', () => {
  const words = (allowed: (token: number) => boolean) => {
    const mask = new Uint32Array(Math.ceil(303 / 32))
    for (let token = 0; token < 303; token++) if (allowed(token)) mask[token >> 5]! |= 1 << (token & 31)
    return mask
  }

  it('hold for each token, see the answer so far, and leave those beside alone', async () => {
    const prompt = promptOf(20, 3)
    const seen: number[][] = []
    // Even and odd in turn, and every third token free.
    const rule = (step: number) => (token: number) => step % 3 === 2 || token % 2 === step % 2
    const mask = (answer: readonly number[]) => {
      seen.push([...answer])
      return answer.length % 3 === 2 ? undefined : words(rule(answer.length))
    }
    const alone = await generate(fast, promptOf(8, 4), 20, hot(2))
    const [masked, beside] = await Promise.all([generate(fast, prompt, 15, greedy, { mask }), generate(fast, promptOf(8, 4), 20, hot(2))])
    expect(beside.tokens).toEqual(alone.tokens)
    expect(seen).toEqual(masked.tokens.map((_, index) => masked.tokens.slice(0, index)))
    for (const [index, logits] of (await logitsOf(prompt, masked.tokens)).entries()) {
      const values = adjusted(logits, { allowed: rule(index) })
      expect(rule(index)(masked.tokens[index]!)).toBe(true)
      expect(values[argmax(values)]! - values[masked.tokens[index]!]!).toBeLessThan(1e-4)
    }
  })

  it('one that is short allows nothing behind its end; one that fails ends its generation', async () => {
    const short = await generate(fast, promptOf(8, 6), 6, hot(5), { mask: () => Uint32Array.of(0xffffffff) })
    expect(Math.max(...short.tokens)).toBeLessThan(32)
    for (const at of [0, 4]) {
      const mask = (answer: readonly number[]) => {
        if (answer.length === at) throw new Error('mine')
        return undefined
      }
      const beside = generate(fast, promptOf(8, 4), 12, hot(2))
      await expect(generate(fast, promptOf(8, 7), 9, greedy, { mask })).rejects.toMatchObject({ code: 'internal' })
      expect((await beside).tokens).toHaveLength(12)
    }
    expect(fast.pages.free).toBe(fast.pages.count)
  })
})

describe('log-probabilities', () => {
  const prompt = promptOf(30, 8)

  it.each([
    ['plain', greedy],
    ['hot, biased and penalised', { ...hot(6), ...penalties, bias: [[5, 9]] as const }],
  ])("are the model's own, whatever sampling does: %s", async (_, settings) => {
    const told = await generate(fast, prompt, 18, { ...settings, logprobs: 20 })
    expect(told.tokens).toEqual((await generate(fast, prompt, 18, settings)).tokens)
    for (const [index, logits] of (await logitsOf(prompt, told.tokens)).entries()) {
      const wanted = logSoftmax(logits)
      const { logprob, top } = told.logprobs[index]!
      const falling = [...wanted].sort((a, b) => b - a)
      expect(Math.abs(logprob - wanted[told.tokens[index]!]!)).toBeLessThan(1e-4)
      expect(top).toHaveLength(20)
      for (const [place, one] of top.entries()) {
        expect(Math.abs(one.logprob - wanted[one.token]!)).toBeLessThan(1e-4)
        expect(Math.abs(one.logprob - falling[place]!)).toBeLessThan(1e-4)
      }
    }
  })

  it('go to those who ask only, as many as they ask for', async () => {
    const [with3, without, with0] = await Promise.all([
      generate(fast, prompt, 10, { ...greedy, logprobs: 3 }),
      generate(fast, prompt, 10, greedy),
      generate(fast, prompt, 10, { ...greedy, logprobs: 0 }),
    ])
    expect(with3.logprobs.map((one) => one?.top.length)).toEqual(Array(10).fill(3))
    expect(with0.logprobs.map((one) => one?.top.length)).toEqual(Array(10).fill(0))
    expect(without.logprobs).toEqual(Array(10).fill(undefined))
  })

  it('travel with the text, one entry for each token of the answer', async () => {
    const request: Partial<ChatRequest> = { temperature: 1, seed: 3, max_tokens: 24, logprobs: true, top_logprobs: 2, stop: ['zzzz'] }
    const told: TokenLogprob[] = []
    let shown = ''
    const { ids } = await fast.complete(prompt, request, (part) => {
      if (part.type !== 'text-delta') return
      shown += part.text
      told.push(...(part.logprobs ?? []))
    })
    const tokenizer = fast.files.tokenizer!
    expect(told.map(({ bytes }) => bytes)).toEqual(ids.map((id) => (tokenizer.bytes(id) ? [...tokenizer.bytes(id)!] : null)))
    const whole = told.flatMap(({ bytes }, index) => (tokenizer.isSpecial(ids[index]!) ? [] : (bytes ?? [])))
    expect(new TextDecoder().decode(Uint8Array.from(whole))).toBe(shown)
    for (const { token, logprob, top_logprobs } of told) {
      expect(typeof token).toBe('string')
      expect(top_logprobs).toHaveLength(2)
      expect(top_logprobs[0]!.logprob).toBeGreaterThanOrEqual(logprob)
    }
    await fast.complete(prompt, { temperature: 0, max_tokens: 2 }, (part) => expect('logprobs' in part).toBe(false))
  })
})

it('costs nothing until it is asked for: then two dispatches a token, and no further buffer', async () => {
  const engine = await Engine.load({ gpu: await dawn(), source, weights: 'f32', context: 128, clock: () => 0 })
  const { counts } = engine.runner
  const cost = async (settings: SamplingSettings) => {
    const before = { ...counts }
    let first = 0
    await generate(engine, promptOf(6, 9), 11, settings, { onCount: () => (first ||= counts.dispatches) })
    return { each: (counts.dispatches - first) / 10, maps: counts.maps - before.maps }
  }
  const before = engine.buffers.count
  await cost(greedy) // bursts grow from one to the next
  const plain = await cost(greedy)
  expect(engine.buffers.count).toBe(before)
  const full = await cost({ ...greedy, ...penalties, logprobs: 20 })
  expect(full).toEqual({ each: plain.each + 2, maps: plain.maps })
  const made = engine.buffers.count
  expect(made).toBeGreaterThan(before)
  await cost({ ...greedy, ...penalties })
  expect([engine.buffers.count, (await cost(greedy)).each]).toEqual([made, plain.each])
  await engine.close()
  expect(engine.buffers.count).toBe(0)
})
