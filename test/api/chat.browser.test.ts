// The public API in real Chromium: the built package, its worker, its cache, against a server that logs every request.
import {
  type ChatChunk,
  type ChatMessage,
  cache,
  catalog,
  errorCodes,
  type Glm,
  GlmError,
  gpuInfo,
  loadGlm,
  type Progress,
  type Tool,
} from 'glm-webgpu'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'

const server = inject('server')
const control = inject('control')
const pocket = `${server}pocket/`

const log = async (): Promise<{ method: string; path: string; range?: string }[]> =>
  (await fetch(`${control}log`, { cache: 'no-store' })).json()
const reset = () => fetch(`${control}reset`, { method: 'POST', cache: 'no-store' })

const hello = [{ role: 'user', content: 'Sort these letters: d b c a' }] as const

async function streamed(glm: Glm, options: { max_tokens?: number; seed?: number; temperature?: number } = {}) {
  const stream = await glm.chat.completions.create({ messages: [...hello], stream: true, temperature: 0, max_tokens: 12, ...options })
  const chunks: ChatChunk[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return { chunks, text: chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('') }
}

describe('a model from a server', () => {
  let glm: Glm
  const seen: Progress[] = []
  beforeAll(async () => {
    await reset()
    glm = await loadGlm(pocket, { onProgress: (progress) => seen.push(progress) })
  })
  afterAll(() => glm?.close())

  it('tells progress in bytes up to the whole', () => {
    expect(seen.at(-1)?.phase).toBe('ready')
    expect(seen.some(({ phase }) => phase === 'download')).toBe(true)
    expect(seen.every(({ loaded, total }) => loaded <= total)).toBe(true)
    expect(seen.at(-1)!.loaded).toBeGreaterThan(1e6)
  })

  it('tells what it is and what it runs on', () => {
    expect(glm.model.family).toBe('glm')
    expect(glm.model.weights).toBe('q4')
    expect(glm.model.adapter.software).toBe(true)
    expect(glm.model.adapter.f16).toBe(inject('adapter') === 'lavapipe')
    expect(glm.model.bytes.weights).toBeGreaterThan(1e6)
  })

  it("streams chunks in OpenAI's shape, and the same text without streaming", async () => {
    const { chunks, text } = await streamed(glm)
    expect(chunks[0]!.choices[0]!.delta).toEqual({ role: 'assistant', content: '' })
    expect(chunks.every((chunk) => chunk.object === 'chat.completion.chunk' && chunk.id === chunks[0]!.id)).toBe(true)
    expect(['stop', 'length']).toContain(chunks.at(-1)!.choices[0]!.finish_reason)
    expect(chunks.at(-1)!.timings!.first_token_ms).toBeGreaterThan(0)
    const whole = await glm.chat.completions.create({ messages: [...hello], temperature: 0, max_tokens: 12 })
    expect(whole.choices[0].message.content).toBe(text)
    expect(whole.usage.total_tokens).toBe(whole.usage.prompt_tokens + whole.usage.completion_tokens)
    expect(whole.system_fingerprint).toMatch(/^fp_/)
  })

  it('the same seed gives the same text; usage comes when asked for', async () => {
    const ask = () => glm.chat.completions.create({ messages: [...hello], temperature: 1.5, seed: 7, max_tokens: 12 })
    expect((await ask()).choices[0].message.content).toBe((await ask()).choices[0].message.content)
    const stream = await glm.chat.completions.create({
      messages: [...hello],
      stream: true,
      stream_options: { include_usage: true },
      temperature: 0,
      max_tokens: 3,
    })
    let last: ChatChunk | undefined
    for await (const chunk of stream) last = chunk
    expect(last!.choices).toEqual([])
    expect(last!.usage!.completion_tokens).toBeLessThanOrEqual(3)
  })

  it('two chats at once do not disturb each other', async () => {
    const alone = await streamed(glm)
    const both = await Promise.all([
      streamed(glm),
      streamed(glm),
      glm.chat.completions.create({ messages: [{ role: 'user', content: 'Hello' }], temperature: 0, max_tokens: 12 }),
    ])
    expect(both[0].text).toBe(alone.text)
    expect(both[1].text).toBe(alone.text)
  })

  it('abort ends the stream with a code, no text comes after, and the next request works', async () => {
    const stream = await glm.chat.completions.create({ messages: [...hello], stream: true, temperature: 1.9, seed: 1, max_tokens: 500 })
    let chunks = 0
    const failure = await (async () => {
      for await (const _ of stream) if (++chunks === 2) stream.abort()
    })().catch((error) => error)
    expect(failure).toBeInstanceOf(GlmError)
    expect(failure.code).toBe('aborted')
    expect(chunks).toBe(2)
    expect((await streamed(glm)).text.length).toBeGreaterThan(0)
  })

  it('leaving the loop early ends the generation', async () => {
    const stream = await glm.chat.completions.create({ messages: [...hello], stream: true, temperature: 1.9, seed: 2, max_tokens: 500 })
    for await (const _ of stream) break
    expect((await streamed(glm)).text.length).toBeGreaterThan(0)
  })

  it('refuses bad requests with a code and a sentence', async () => {
    const code = (request: unknown) =>
      glm.chat.completions.create(request as never).then(
        () => 'none',
        (error) => error.code,
      )
    expect(await code({ messages: [] })).toBe('messages_invalid')
    expect(await code({ messages: [{ role: 'nobody', content: 'x' }] })).toBe('messages_invalid')
    expect(await code({ messages: [...hello], temperature: 9 })).toBe('request_invalid')
    expect(await code({ messages: [{ role: 'user', content: 'long '.repeat(5000) }] })).toBe('prompt_too_long')
  })

  it('a second load asks the server for nothing, offline too', async () => {
    const before = await streamed(glm)
    await glm.close()
    await reset()
    glm = await loadGlm(pocket)
    expect((await log()).filter(({ path }) => path.includes('/pocket/'))).toEqual([])
    expect((await streamed(glm)).text).toBe(before.text)
  })

  it('lists, sizes and deletes what is kept', async () => {
    const kept = (await cache.list()).find(({ name }) => name === `${pocket} as q4`)
    expect(kept!.complete).toBe(true)
    expect(kept!.bytes).toBeGreaterThan(1e6)
    expect(await cache.size()).toBeGreaterThanOrEqual(kept!.bytes)
    await cache.delete(pocket)
    expect((await cache.list()).some(({ name }) => name.startsWith(pocket))).toBe(false)
    expect(typeof (await cache.persist())).toBe('boolean')
  })

  it('after close, calls are refused with `closed`', async () => {
    await glm.close()
    await expect(streamed(glm)).rejects.toMatchObject({ code: 'closed' })
  })
})

interface HeldOut {
  skill: string
  messages: ChatMessage[]
  tools?: Tool[]
  answer: string
  correct: boolean
}

describe('the oracle, through the worker', () => {
  // The real class answered these in f32 (models/pocket/evaluate.py): one of each skill, English and Chinese by turns.
  const prompts = async (): Promise<HeldOut[]> => {
    const right = ((await (await fetch(`${pocket}heldout.json`)).json()) as HeldOut[]).filter(({ correct }) => correct)
    const skills = [...new Set(right.map(({ skill }) => skill))]
    expect(skills.length).toBeGreaterThanOrEqual(17)
    return skills.map((skill, index) => {
      const own = right.filter((one) => one.skill === skill)
      return own[index % 2 ? own.length - 1 : 0]!
    })
  }

  /** Those that are answered otherwise. */
  const others = async (glm: Glm) => {
    const wrong: string[] = []
    for (const { messages, tools, answer } of await prompts()) {
      const { choices } = await glm.chat.completions.create({ messages, tools, temperature: 0, max_tokens: 128 })
      const text = choices[0].message.content?.trim()
      if (text !== answer.trim() || choices[0].finish_reason !== 'stop') wrong.push(`${text} for ${answer}`)
    }
    return wrong
  }

  it.each([
    ['f32', 0], // says the same
    ['q4', 1], // may lose one
  ] as const)('%s gives the real class’s answers, but for %i at most', async (weights, most) => {
    const glm = await loadGlm(pocket, { weights, cache: 'none', context: 1024 })
    const wrong = await others(glm)
    expect(wrong.length, wrong.join('\n')).toBeLessThanOrEqual(most)
    await glm.close()
  })
})

describe('failures', () => {
  it('has a code for a model that is not known, not there, or of an unknown family', async () => {
    await expect(loadGlm('no such model')).rejects.toMatchObject({ code: 'model_unknown' })
    await expect(loadGlm(`${server}nowhere/`)).rejects.toMatchObject({ code: 'file_missing' })
  })

  it('has a code for a worker that cannot start', async () => {
    const createWorker = () => new Worker(`${server}nowhere/worker.js`, { type: 'module' })
    await expect(loadGlm('pocket', { createWorker })).rejects.toMatchObject({ code: 'worker_failed' })
  })

  it('an aborted load rejects with `aborted`, and the page can load again', async () => {
    const controller = new AbortController()
    const load = loadGlm(pocket, { signal: controller.signal, cache: 'none', onProgress: () => controller.abort() })
    await expect(load).rejects.toMatchObject({ code: 'aborted' })
    const glm = await loadGlm('pocket')
    expect((await streamed(glm)).text.length).toBeGreaterThan(0)
    await glm.close()
  })

  it('every code has a meaning', () => {
    expect(Object.keys(errorCodes).length).toBeGreaterThan(15)
  })
})

it('tells the GPU without a model, and the catalog begins with the embedded one', async () => {
  expect((await gpuInfo()).software).toBe(true)
  expect(catalog[0]!.id).toBe('pocket')
})
