// The engine on tiny checkpoints: chats side by side, the cache of pages, pacing, aborts, limits, and what close() leaves.
// `fast` measures no time, so it makes several tokens per submit; `slow` sees every pass take 1.6 s; `cold` is never given a prompt twice.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { Engine, type EngineOptions } from '../../src/engine/engine.ts'
import { Pacer } from '../../src/engine/pacer.ts'
import type { Page } from '../../src/engine/pages.ts'
import { Runner } from '../../src/engine/runner.ts'
import { Scheduler } from '../../src/engine/scheduler.ts'
import type { GlmError } from '../../src/errors.ts'
import { dawn } from '../../src/gpu/dawn.ts'
import { pageSize } from '../../src/kernels/rows.ts'
import type { SamplingSettings } from '../../src/model/rows.ts'
import { folderSource } from '../../src/weights/folder.ts'
import type { Source } from '../../src/weights/source.ts'
import { relativeL2 } from '../reference.ts'

const fixtures = fileURLToPath(new URL('../fixtures', import.meta.url))
const checkpoint = (name: string) => folderSource(`${fixtures}/checkpoints/${name}`)

/** A checkpoint and the tokenizer, which lie in folders of their own. */
function withTokenizer(name: string): Source {
  const [model, text] = [checkpoint(name), folderSource(`${fixtures}/tokenizer`)]
  const of = (path: string) => (path.startsWith('tokenizer') ? text : model)
  return { name, size: (path, signal) => of(path).size(path, signal), read: (path, ...rest) => of(path).read(path, ...rest) }
}

const greedy: SamplingSettings = { temperature: 0, topK: 0, topP: 1, seed: [0, 0] }
const drawn = (seed: number): SamplingSettings => ({ temperature: 1, topK: 0, topP: 1, seed: [seed, 7] })

interface Options {
  sampling?: SamplingSettings
  signal?: AbortSignal
  onToken?: (token: number, count: number) => void
}

/** `count` tokens after a prompt; no token ends it. */
async function generate(
  engine: Pick<Engine, 'scheduler'>,
  prompt: readonly number[],
  count: number,
  { sampling = greedy, signal, onToken }: Options = {},
): Promise<number[]> {
  const tokens: number[] = []
  await engine.scheduler.run({
    prompt,
    sampling,
    signal,
    maxTokens: count,
    onToken: (token) => {
      tokens.push(token)
      onToken?.(token, tokens.length)
      return tokens.length < count
    },
  })
  return tokens
}

/** A prompt that no other test uses, below the vocabulary of every checkpoint here. */
function promptOf(length: number, seed: number): number[] {
  let state = seed * 2654435761
  return Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return (state >>> 8) % 280
  })
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no fault',
    (error: GlmError) => error.code ?? String(error),
  )
}

const allFree = (engine: Engine) => expect(engine.pages.free).toBe(engine.pages.count)

let gpu: GPU
let fast: Engine
let slow: Engine
let cold: Engine

const load = (name: string, options: Partial<EngineOptions> = {}) =>
  Engine.load({ gpu, source: withTokenizer(name), weights: 'f32', context: 512, clock: () => 0, ...options })

beforeAll(async () => {
  gpu = await dawn()
  let time = 0
  fast = await load('glm-edge-f32')
  cold = await load('glm-edge-f32')
  slow = await load('glm-edge-f32', { clock: () => (time += 1600) })
})

afterAll(async () => {
  for (const engine of [fast, slow, cold]) await engine?.close()
})

afterEach(() => {
  vi.restoreAllMocks()
})

describe('chats side by side', () => {
  it('two do not disturb each other, and a third joins late', async () => {
    const prompts = [promptOf(70, 1), promptOf(9, 2), promptOf(130, 3)]
    const alone = []
    for (const prompt of prompts) alone.push(await generate(cold, prompt, 24))
    let third: Promise<number[]> | undefined
    const first = generate(fast, prompts[0]!, 24, {
      onToken: (_, count) => {
        if (count === 5) third = generate(fast, prompts[2]!, 24)
      },
    })
    const second = generate(fast, prompts[1]!, 24)
    expect([await first, await second, await third]).toEqual(alone)
    allFree(fast)
  })

  it('more than there are slots wait for their turn and finish', async () => {
    const prompts = Array.from({ length: 11 }, (_, index) => promptOf(3 + index, 100 + index))
    const alone = []
    for (const prompt of prompts) alone.push(await generate(cold, prompt, 8))
    expect(await Promise.all(prompts.map((prompt) => generate(fast, prompt, 8)))).toEqual(alone)
    allFree(fast)
  })

  it('one that fails in its own callback leaves the other alone', async () => {
    const [a, b] = [promptOf(12, 5), promptOf(13, 6)]
    const fault = codeOf(
      generate(fast, a, 20, {
        onToken: (_, count) => {
          if (count === 4) throw new Error('mine')
        },
      }),
    )
    expect(await generate(fast, b, 20)).toEqual(await generate(cold, b, 20))
    expect(await fault).toBe('internal')
    allFree(fast)
  })
})

describe('a chat that goes on', () => {
  it('prefills only what is new, regenerates from one token, and says the same', async () => {
    const prompt = promptOf(100, 10)
    const answer = await generate(fast, prompt, 40)
    const longer = [...prompt, ...answer, ...promptOf(10, 11)]
    const { counts } = fast.runner
    let before = counts.prefilled
    const second = await generate(fast, longer, 20)
    expect(counts.prefilled - before).toBe(11) // the last token of an answer was never run
    before = counts.prefilled
    expect(await generate(fast, longer, 20)).toEqual(second)
    expect(counts.prefilled - before).toBe(1)
    expect(await generate(cold, longer, 20)).toEqual(second)
  })

  it('goes on from the middle when an earlier turn is edited', async () => {
    const prompt = promptOf(90, 12)
    await generate(fast, prompt, 10)
    const edited = [...prompt.slice(0, 80), ...promptOf(30, 13)]
    const before = fast.runner.counts.prefilled
    const tokens = await generate(fast, edited, 16)
    expect(fast.runner.counts.prefilled - before).toBe(30)
    expect(tokens).toEqual(await generate(cold, edited, 16))
  })

  it('tells how much was there', async () => {
    const prompt = promptOf(66, 14)
    const usage = async () => {
      let found: unknown
      await fast.complete(prompt, { max_tokens: 4, temperature: 0 }, (part) => {
        if (part.type === 'finish') found = part.usage.prompt_tokens_details
      })
      return found
    }
    expect([await usage(), await usage()]).toEqual([{ cached_tokens: 0 }, { cached_tokens: 65 }])
  })
})

describe('seeds', () => {
  it('the same gives the same tokens, however they are submitted and whoever runs beside; another gives others', async () => {
    const prompt = promptOf(20, 20)
    const tokens = await generate(fast, prompt, 24, { sampling: drawn(1) })
    expect(await generate(fast, prompt, 24, { sampling: drawn(1) })).toEqual(tokens)
    expect(await generate(slow, prompt, 24, { sampling: drawn(1) })).toEqual(tokens)
    const other = generate(fast, promptOf(30, 21), 30, { sampling: drawn(5) })
    expect(await generate(fast, prompt, 24, { sampling: drawn(1) })).toEqual(tokens)
    await other
    expect(await generate(fast, prompt, 24, { sampling: drawn(2) })).not.toEqual(tokens)
    expect(await generate(fast, prompt, 24)).toEqual(await generate(slow, prompt, 24))
  })
})

describe('two submits in flight, as on a real GPU', () => {
  const deep = (engine: Engine) => {
    const { runner, pages, info } = engine
    const pacer = new Pacer({ rows: 64, tokens: 8, aim: 50, clock: () => 0 })
    const { slots, ring } = runner.decodeRows.shape
    return { scheduler: new Scheduler({ runner, pages, pacer, context: info.context, slots, depth: 2, ring }) }
  }

  it('chats that join, leave and abort are right', async () => {
    const engine = deep(fast)
    const controller = new AbortController()
    let late: Promise<number[]> | undefined
    const first = generate(engine, promptOf(60, 200), 50, {
      sampling: drawn(3),
      onToken: (_, count) => {
        if (count === 9) late = generate(engine, promptOf(20, 201), 33)
        if (count === 30) controller.abort()
      },
    })
    const short = generate(engine, promptOf(5, 202), 7, { sampling: drawn(4) })
    const aborted = codeOf(generate(engine, promptOf(6, 203), 300, { signal: controller.signal }))
    expect(await first).toEqual(await generate(cold, promptOf(60, 200), 50, { sampling: drawn(3) }))
    expect(await short).toEqual(await generate(cold, promptOf(5, 202), 7, { sampling: drawn(4) }))
    expect(await late).toEqual(await generate(cold, promptOf(20, 201), 33))
    expect(await aborted).toBe('aborted')
    allFree(fast)
  })

  it('the pool may run out: both end, and what was said is right', async () => {
    const engine = deep(fast)
    const prompts = [promptOf(50, 204), promptOf(40, 205)]
    const held: Page[] = []
    expect(fast.pages.grow(held, 5 * pageSize)).toBe(true) // three are left, and both need a second one
    const answers = await Promise.all(prompts.map((prompt) => generate(engine, prompt, 90)))
    fast.pages.close(held)
    // One ends where there was no room, and the other goes on in what it left.
    expect(Math.min(...answers.map(({ length }) => length))).toBeLessThan(90)
    expect(Math.max(...answers.map(({ length }) => length))).toBe(90)
    for (const [index, tokens] of answers.entries()) expect(tokens).toEqual(await generate(cold, prompts[index]!, tokens.length))
    allFree(fast)
  })

  it('a submit that fails ends the chat, and the next one is right', async () => {
    const engine = deep(fast)
    const spy = vi.spyOn(fast.runner, 'decode').mockImplementation(() => Promise.reject(new Error('no')))
    expect(await codeOf(generate(engine, promptOf(10, 206), 50))).toBe('internal')
    expect(spy.mock.calls.length).toBe(2)
    spy.mockRestore()
    expect(await generate(engine, promptOf(10, 206), 20)).toEqual(await generate(cold, promptOf(10, 206), 20))
    allFree(fast)
  })
})

describe('what a token costs', () => {
  const created = ['createBuffer', 'createBindGroup', 'createComputePipelineAsync', 'createComputePipeline', 'createShaderModule'] as const

  it('nothing is created for it', async () => {
    const prompt = promptOf(8, 30)
    await generate(fast, prompt, 21)
    const spies = created.map((name) => vi.spyOn(fast.gpu.device, name))
    fast.gpu.device.createBuffer({ size: 16, usage: GPUBufferUsage.STORAGE }).destroy()
    expect(spies.map(({ mock }) => mock.calls.length)).toEqual([1, 0, 0, 0, 0]) // the spies see
    await generate(fast, prompt, 21)
    expect(spies.map(({ mock }) => mock.calls.length)).toEqual([1, 0, 0, 0, 0])
  })

  async function dispatchesPerToken(engine: Engine): Promise<number> {
    const { counts } = engine.runner
    let before = 0
    await generate(engine, promptOf(8, 31), 21, { onToken: () => (before ||= counts.dispatches) })
    return (counts.dispatches - before) / 20
  }

  it('glm: five dispatches per layer, and three', async () => {
    for (const engine of [fast, slow]) expect(await dispatchesPerToken(engine)).toBe(5 * engine.info.layers + 3)
  })

  it('glm4, with norms behind: five and three too, and seven where the norms have kernels of their own', async () => {
    const engine = await load('glm4-chat-f32')
    expect(await dispatchesPerToken(engine)).toBe(5 * engine.info.layers + 3)
    await engine.close()
    const apart = await load('glm4-chat-f32', { choose: { fused: false } })
    expect(await dispatchesPerToken(apart)).toBe(7 * apart.info.layers + 3)
    await apart.close()
  })
})

describe('under a slow clock', () => {
  it('rows per chunk shrink to a tile, then submits grow, as the pacer says', async () => {
    let time = 0
    const engine = await load('glm-edge-f32', { clock: () => (time += 1600) })
    const { counts } = engine.runner
    const chunks: number[] = []
    const submits: number[] = []
    const tell = engine.runner.prefill.bind(engine.runner)
    vi.spyOn(engine.runner, 'prefill').mockImplementation(async (tokens, ...rest) => {
      const before = counts.submits
      chunks.push(tokens.length)
      const token = await tell(tokens, ...rest)
      submits.push(counts.submits - before)
      return token
    })
    const twin = new Pacer({ rows: 64, least: 8, tokens: 4, aim: 200, clock: () => 0 })
    const expected: { rows: number; slices: number }[] = []
    for (let left = 40; left > 0; left -= twin.rows) {
      const rows = Math.min(left, twin.rows)
      expected.push({ rows, slices: twin.slices })
      twin.prefilled(rows, 1600)
      left += twin.rows - rows
    }
    let before = 0
    const tokens = await generate(engine, promptOf(40, 40), 6, { onToken: () => (before ||= counts.submits) })
    expect(chunks).toEqual(expected.map(({ rows }) => rows))
    expect(submits).toEqual(expected.map(({ slices }) => slices))
    expect([chunks[0], chunks.at(-1), submits.at(-1)]).toEqual([16, 8, 8])
    expect(counts.submits - before).toBe(5 * 8) // one token at a time, each in eight submits
    expect(tokens).toEqual(await generate(cold, promptOf(40, 40), 6))
    await engine.close()
  })
})

describe('abort', () => {
  it('in the middle of an answer: no token after it, and all pages are free', async () => {
    const prompt = promptOf(20, 50)
    const controller = new AbortController()
    let after = 0
    const run = generate(fast, prompt, 100, {
      signal: controller.signal,
      onToken: (_, count) => {
        if (controller.signal.aborted) after++
        if (count === 6) controller.abort('enough')
      },
    })
    await expect(run).rejects.toMatchObject({ code: 'aborted', cause: 'enough' })
    await fast.scheduler.idle()
    expect(after).toBe(0)
    allFree(fast)
    expect(await generate(fast, prompt, 20)).toEqual(await generate(cold, prompt, 20))
  })

  it('between two chunks of a prompt', async () => {
    const prompt = promptOf(300, 51)
    const controller = new AbortController()
    const tell = fast.runner.prefill.bind(fast.runner)
    const spy = vi.spyOn(fast.runner, 'prefill').mockImplementation((...call) => {
      if (spy.mock.calls.length === 2) controller.abort()
      return tell(...call)
    })
    let tokens = 0
    expect(await codeOf(generate(fast, prompt, 10, { signal: controller.signal, onToken: () => tokens++ }))).toBe('aborted')
    expect([spy.mock.calls.length, tokens]).toEqual([2, 0])
    spy.mockRestore()
    allFree(fast)
    expect(await generate(fast, prompt, 12)).toEqual(await generate(cold, prompt, 12))
  })

  it('of one chat leaves the other alone; one that waits for a slot is told too', async () => {
    const controller = new AbortController()
    const prompts = Array.from({ length: 8 }, (_, index) => promptOf(5, 60 + index))
    const waiting = codeOf(Promise.all(prompts.map((prompt) => generate(fast, prompt, 30, { signal: controller.signal }))))
    const last = generate(fast, promptOf(6, 70), 30, { onToken: (_, count) => count === 2 && controller.abort() })
    const late = codeOf(generate(fast, promptOf(7, 71), 30, { signal: controller.signal }))
    setTimeout(() => controller.abort(), 30)
    expect([await waiting, await late]).toEqual(['aborted', 'aborted'])
    expect(await last).toEqual(await generate(cold, promptOf(6, 70), 30))
    allFree(fast)
  })

  it('before the start, through complete()', async () => {
    expect(await codeOf(fast.complete([1, 2], {}, () => {}, AbortSignal.abort()))).toBe('aborted')
  })

  it('during a load; then the page can load again', async () => {
    for (const phase of ['upload', 'compile'] as const) {
      const controller = new AbortController()
      const onProgress: EngineOptions['onProgress'] = (progress) => {
        if (progress.phase === phase) controller.abort()
      }
      const code = await codeOf(load('glm-grid-q8', { signal: controller.signal, onProgress }).then((engine) => engine.close()))
      expect(code, phase).toBe('aborted')
    }
    expect(await codeOf(load('glm-grid-q8', { signal: AbortSignal.abort() }))).toBe('aborted')
    const engine = await load('glm-grid-q8')
    expect(await generate(engine, [1, 2, 3], 3)).toHaveLength(3)
    await engine.close()
  })
})

describe('limits', () => {
  let small: Engine
  afterAll(() => small?.close())

  it('a matrix larger than one binding is split by rows, and computes the same', async () => {
    small = await load('glm-edge-f32', { limits: { binding: 64 * 1024 } })
    const ids = promptOf(100, 80)
    const [own, wanted] = [await logitsOf(small, ids), await logitsOf(cold, ids)]
    expect(relativeL2(own, wanted)).toBeLessThan(1e-6)
    const { counts } = small.runner
    let before = 0
    const tokens = await generate(small, ids, 5, { onToken: () => (before ||= counts.dispatches) })
    // The embedding, which is the head too, has 303 rows of 256 bytes: two parts each time.
    expect((counts.dispatches - before) / 4).toBe(5 * small.info.layers + 3 + 2)
    expect(tokens).toEqual(await generate(cold, ids, 5))
  })

  it('the context shrinks to what one binding holds', () => {
    expect(small.info.context).toBe(128)
  })

  it('a prompt that fills it is refused; an answer that reaches it ends', async () => {
    expect(await codeOf(small.complete(promptOf(128, 81), {}, () => {}))).toBe('prompt_too_long')
    expect(await codeOf(small.complete(promptOf(5000, 81), {}, () => {}))).toBe('prompt_too_long')
    let finish: unknown
    const { ids } = await small.complete(promptOf(120, 82), { temperature: 0 }, (part) => {
      if (part.type === 'finish') finish = { reason: part.reason, usage: part.usage }
    })
    expect(ids).toHaveLength(8)
    expect(finish).toMatchObject({ reason: 'length', usage: { prompt_tokens: 120, completion_tokens: 8, total_tokens: 128 } })
    const one = await small.complete(promptOf(127, 83), { temperature: 0 }, () => {})
    expect(one.ids).toHaveLength(1)
    expect((await generate(small, promptOf(120, 82), 1000)).slice(0, 8)).toEqual(ids)
    expect(await codeOf(small.complete([], {}, () => {}))).toBe('request_invalid')
    expect(await codeOf(small.complete([5, 303], {}, () => {}))).toBe('request_invalid')
    allFree(small)
  })

  it('two long chats that exhaust the pool both end', async () => {
    const prompts = [promptOf(40, 84), promptOf(41, 85)]
    const long = await Promise.all(prompts.map((prompt) => generate(small, prompt, 1000)))
    // One ends where the pool was full, as at its limit; the other takes the rest.
    expect(Math.max(...long.map(({ length }) => length))).toBeGreaterThan(60)
    for (const [index, tokens] of long.entries()) {
      expect(tokens.length).toBeGreaterThan(20)
      const some = Math.min(tokens.length, 60)
      expect(tokens.slice(0, some)).toEqual(await generate(cold, prompts[index]!, some))
    }
    allFree(small)
  })

  it('two prompts that do not fit together take turns', async () => {
    const prompts = [promptOf(100, 86), promptOf(101, 87)]
    const answers = await Promise.all(prompts.map((prompt) => generate(small, prompt, 10)))
    for (const [index, tokens] of answers.entries()) expect(tokens).toEqual(await generate(cold, prompts[index]!, 10))
    allFree(small)
  })

  it('a bad context or format is refused before anything is opened', async () => {
    for (const context of [0, 1, -5, 2.5, Number.NaN]) expect(await codeOf(load('glm-edge-f32', { context }))).toBe('request_invalid')
    for (const weights of ['q5', '__proto__', ''])
      expect(await codeOf(load('glm-edge-f32', { weights: weights as 'q4' }))).toBe('request_invalid')
  })
})

async function logitsOf(engine: Engine, ids: readonly number[]): Promise<Float32Array> {
  const all = new Float32Array(ids.length * engine.info.vocabulary)
  await engine.score(ids, (logits, start) => all.set(logits, start * engine.info.vocabulary))
  return all
}

describe('score', () => {
  it('and a chat at once wait for each other', async () => {
    const [ids, prompt] = [promptOf(60, 90), promptOf(40, 91)]
    const wanted = await logitsOf(cold, ids)
    const scored = logitsOf(fast, ids)
    const tokens = generate(fast, prompt, 12)
    const again = logitsOf(fast, ids)
    expect(relativeL2(await scored, wanted)).toBeLessThan(1e-6)
    expect(relativeL2(await again, wanted)).toBeLessThan(1e-6)
    expect(await tokens).toEqual(await generate(cold, prompt, 12))
    allFree(fast)
  })
})

describe('close', () => {
  it('frees everything, ten times over', async () => {
    // Compiling is most of a load, and holds no buffers: only the first and last round do it.
    const { warm } = Runner.prototype
    const spy = vi.spyOn(Runner.prototype, 'warm')
    for (let round = 0; round < 10; round++) {
      const compiled = round % 9 === 0
      spy.mockImplementation(compiled ? warm : async () => {})
      const engine = await load('glm-grid-q8', { context: 128 })
      if (compiled) expect(await generate(engine, [1, 2, 3], 4)).toHaveLength(4)
      expect(engine.buffers.count).toBeGreaterThan(0)
      await engine.close()
      expect([engine.buffers.count, engine.buffers.bytes]).toEqual([0, 0])
    }
  })

  it('waits for a score, which ends with `closed` too', async () => {
    const engine = await load('glm-grid-q8')
    let closing: Promise<void> | undefined
    const scored = codeOf(
      engine.score(
        promptOf(60, 94).map((id) => id % 149),
        () => (closing ??= engine.close()),
      ),
    )
    expect(await scored).toBe('closed')
    await closing
    expect(engine.buffers.count).toBe(0)
  })

  it('ends what runs and what waits with `closed`, and so are later calls', async () => {
    const engine = await load('glm-grid-q8')
    let closing: Promise<void> | undefined
    let after = 0
    const running = codeOf(
      generate(engine, [1, 2, 3], 200, {
        onToken: (_, count) => {
          if (closing) after++
          if (count === 5) closing = engine.close()
        },
      }),
    )
    const beside = codeOf(
      generate(
        engine,
        promptOf(100, 95).map((id) => id % 149),
        200,
      ),
    )
    expect([await running, await beside]).toEqual(['closed', 'closed'])
    await closing
    expect(after).toBe(0)
    expect(engine.buffers.count).toBe(0)
    allFree(engine)
    expect(await codeOf(engine.complete([1], {}, () => {}))).toBe('closed')
    expect(await codeOf(engine.chat({ messages: [{ role: 'user', content: 'Hi' }] }, () => {}))).toMatch(/closed|template_invalid/)
    expect(await codeOf(engine.score([1], () => {}))).toBe('closed')
    expect(await codeOf(generate(engine, [1], 5))).toBe('closed')
    await engine.close()
  })
})

it('goldens: what all of this is held against is the class itself', async () => {
  const { prompts, stored } = JSON.parse(readFileSync(`${fixtures}/goldens/glm-edge-f32.json`, 'utf8'))
  for (const index of [1, 2]) expect(await generate(cold, prompts[index].ids, 24)).toEqual(stored.greedy[index])
})
