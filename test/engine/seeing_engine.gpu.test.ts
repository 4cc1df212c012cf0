// Engines that see, from picture files to logits and tokens, against the real classes and processors; and what they keep, tell and refuse.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import type { ChatMessage, ChatRequest } from '../../src/api/types.ts'
import { Engine, type EngineOptions } from '../../src/engine/engine.ts'
import type { Part } from '../../src/engine/parts.ts'
import type { Prompt } from '../../src/engine/seeing.ts'
import type { GlmError } from '../../src/errors.ts'
import * as formats from '../../src/formats.ts'
import { dawn } from '../../src/gpu/dawn.ts'
import { readShown } from '../../src/media/shown.ts'
import { Seen, type Sight } from '../../src/model/seen.ts'
import { folderSource } from '../../src/weights/folder.ts'
import type { Source } from '../../src/weights/source.ts'
import { type Grid, type Levels, pixelValues } from '../reference/sights.ts'
import { relativeL2 } from '../reference.ts'

const fixtures = fileURLToPath(new URL('../fixtures/vision', import.meta.url))

interface Case {
  name: string
  messages: { role: string; content: string | { type: string; text?: string }[] }[]
  variables: Record<string, unknown>
  sights: string[]
  labels?: string[]
  ids: number[]
  logits: { positions: number[]; offset: number }
  greedy: number[]
}

interface Golden {
  vocab: number
  sights: Record<string, { tokens: number }>
  cases: Case[]
}

const read = (path: string) => JSON.parse(readFileSync(`${fixtures}/${path}`, 'utf8'))
const levels: Levels = read('levels.json')
const bytes = new Uint8Array(readFileSync(`${fixtures}/levels.bin`))
const fileOf = (name: string) => new Blob([readFileSync(`${fixtures}/pictures/${name}`)])

let gpu: GPU
beforeAll(async () => {
  gpu = await dawn()
})

const vision = () => import('../../src/vision.ts')
const load = (name: string, options: Partial<EngineOptions> = {}) =>
  Engine.load({ gpu, source: folderSource(`${fixtures}/${name}`), weights: 'f32', context: 512, clock: () => 0, vision, ...options })

/** A case as a caller would ask it: files in the place of its marks. */
function requestOf({ messages, variables, sights }: Case): ChatRequest {
  const rest = [...sights]
  const filled = messages.map(({ role, content }) => ({
    role,
    content: typeof content === 'string' ? content : content.map((part) => (part.type === 'text' ? part : partOf(rest.shift()!))),
  }))
  return { messages: filled as ChatMessage[], template: variables }
}

function partOf(sight: string): Record<string, unknown> {
  const { files, times } = levels.sights[sight]!
  if (times) return { type: 'video', video: { frames: files.map(fileOf), times } }
  return { type: 'image', image: fileOf(files[0]!) }
}

const promptOf = async (engine: Engine, request: ChatRequest, signal?: AbortSignal): Promise<Prompt> =>
  engine.prompt(await readShown(request, { sees: engine.info.sees }), signal)

/** Logits at the stored positions of a case. */
async function logitsOf(engine: Engine, prompt: Prompt, { logits }: Case): Promise<Float32Array[]> {
  const { vocabulary } = engine.info
  const all = new Float32Array(prompt.ids.length * vocabulary)
  await engine.score(prompt.ids, (rows, start) => all.set(rows, start * vocabulary), undefined, prompt.seen)
  return logits.positions.map((position) => all.subarray(position * vocabulary, (position + 1) * vocabulary))
}

async function greedy(engine: Engine, { ids, seen }: Prompt, count: number): Promise<number[]> {
  const tokens: number[] = []
  const sampling = { temperature: 0, topK: 0, topP: 1, seed: [0, 0] as [number, number] }
  await engine.scheduler.run({ prompt: ids, seen, sampling, maxTokens: count, onToken: (token) => tokens.push(token) < count })
  return tokens
}

const faultOf = (work: Promise<unknown>): Promise<GlmError> =>
  work.then(
    () => expect.unreachable('it went through'),
    (error) => error as GlmError,
  )

// The same kernels for all: an adapter that is slow at them takes one.
const models = inject('adapter') === 'lavapipe' ? ['glm4v', 'glm46v', 'glm_ocr', 'glm_edge_v'] : ['glm46v']
describe.each(models)('%s', (name) => {
  const golden: Golden = read(`${name}.json`)
  const edge = name === 'glm_edge_v'
  const { vocab } = golden
  const values = new Uint8Array(readFileSync(`${fixtures}/${name}.f32`)).buffer
  const wanted = ({ logits }: Case, row: number) => new Float32Array(values, logits.offset + row * vocab * 4, vocab)
  const one = golden.cases.find(({ name: own }) => own === (edge ? 'first' : 'one'))!
  let engine: Engine

  beforeAll(async () => {
    engine = await load(name)
  })
  afterAll(() => engine?.close())

  it('tells what it sees', () => {
    const profile = name === 'glm4v' ? 'glm-4.1v' : 'glm-4.6v'
    expect(engine.info.sees).toMatchObject(edge ? { picture: true, video: false } : { picture: true, video: true, profile })
  })

  it.each(golden.cases.map((own) => [own.name, own] as const))(
    "%s from files: the processor's ids, the class's logits and 8 tokens",
    async (_, own) => {
      const prompt = await promptOf(engine, requestOf(own))
      expect(prompt.ids).toEqual(own.ids)
      expect(prompt.report?.map(({ tokens }) => tokens) ?? []).toEqual(own.sights.map((sight) => golden.sights[sight]!.tokens))
      expect(prompt.report?.flatMap(({ steps = [] }) => steps.map(({ label }) => label)) ?? []).toEqual(own.labels ?? [])
      for (const [row, logits] of (await logitsOf(engine, prompt, own)).entries())
        expect(relativeL2(logits, wanted(own, row))).toBeLessThan(5e-3)
      expect(await greedy(engine, prompt, 8)).toEqual(own.greedy.slice(0, 8))
      prompt.release()
    },
  )

  it.each(golden.cases.map((own) => [own.name, own] as const))(
    "%s from the processor's pixel values: logits and 24 tokens",
    async (_, own) => {
      const prompt = await promptOf(engine, requestOf(own))
      prompt.seen = await replaced(engine, prompt, own, edge)
      for (const [row, logits] of (await logitsOf(engine, prompt, own)).entries())
        expect(relativeL2(logits, wanted(own, row))).toBeLessThan(2e-4)
      expect(await greedy(engine, prompt, 24)).toEqual(own.greedy)
      prompt.release()
    },
  )

  it('the same picture again is known, and costs one row', async () => {
    const request = { ...requestOf(one), temperature: 0, max_tokens: 2 }
    const first = await told(engine, request)
    const again = await told(engine, request)
    expect(again.start.seen!.map(({ cached }) => cached)).toEqual([true])
    expect(again.ids).toEqual(first.ids)
    const { prompt_tokens, prompt_tokens_details: details } = again.finish.usage
    expect(details).toEqual({ cached_tokens: prompt_tokens - 1, image_tokens: golden.sights[one.sights[0]!]!.tokens, video_tokens: 0 })
  })

  it('marks and what they stand for must agree', async () => {
    const bare = { ...one.messages[0]!, content: [{ type: 'image' }, { type: 'text', text: 'nothing there' }] }
    const fault = await faultOf(engine.chat({ messages: [bare as unknown as ChatMessage] }, () => {}))
    expect([fault.code, fault.message]).toEqual(['messages_invalid', expect.stringContaining('1 picture')])
  })
})

let fresh = 2 ** 50

/** What our preparation made of a prompt's sights gives way to what the processor made, seen by the same tower; under keys that no page has. */
async function replaced(engine: Engine, { seen }: Prompt, own: Case, edge: boolean): Promise<Seen | undefined> {
  if (!seen) return undefined
  const rest = [...seen.sights]
  const sights: Sight[] = []
  for (const sight of own.sights) {
    const level = (edge ? levels.edge : levels.sights)[sight]!
    const pixels = pixelValues(levels, bytes, level)
    const patches = engine.buffers.make('pixels', pixels.byteLength)
    engine.gpu.device.queue.writeBuffer(patches, 0, pixels)
    const { buffer, tokens } = await engine.seeing!.tower.encode(patches, [level.grid as Grid])
    for (let row = 0; row < tokens; row += sights.at(-1)!.tokens) sights.push({ ...rest.shift()!, rows: buffer, row, key: fresh++ })
    engine.buffers.free(patches)
  }
  expect(rest).toEqual([])
  return new Seen(sights, seen.positions)
}

type Told<Type extends Part['type']> = Extract<Part, { type: Type }>

async function told(engine: Engine, request: ChatRequest) {
  const parts: Part[] = []
  const { ids } = await engine.chat(await readShown(request, { sees: engine.info.sees }), (part) => parts.push(part))
  const of = <Type extends Part['type']>(type: Type) => parts.find((part): part is Told<Type> => part.type === type)!
  return { ids, parts, start: of('start'), finish: of('finish') }
}

describe('an engine that sees', () => {
  const golden: Golden = read('glm46v.json')
  const both = golden.cases.find(({ name }) => name === 'both')!
  const text = golden.cases.find(({ name }) => name === 'text')!
  let engine: Engine
  beforeAll(async () => {
    engine = await load('glm46v', { weights: 'q8' })
  })
  afterAll(() => engine?.close())

  it('tells progress in patches up to the whole, then what was shown', async () => {
    const { parts, start, finish } = await told(engine, { ...requestOf(both), temperature: 0, max_tokens: 1 })
    const progress = parts.filter((part): part is Told<'seeing'> => part.type === 'seeing')
    const total = both.sights.reduce((sum, sight) => sum + levels.sights[sight]!.grid.reduce((a, b) => a * b, 1), 0)
    expect(progress.at(-1)).toEqual({ type: 'seeing', loaded: total, total })
    expect(progress.map(({ loaded }) => loaded)).toEqual(progress.map(({ loaded }) => loaded).sort((a, b) => a - b))
    const read = parts.filter((part): part is Told<'reading'> => part.type === 'reading')
    expect(read.at(-1)).toEqual({ type: 'reading', loaded: both.ids.length, total: both.ids.length })
    expect(parts.indexOf(read[0]!)).toBeGreaterThan(parts.indexOf(progress.at(-1)!))
    expect(start.seen!.map(({ type }) => type)).toEqual(['picture', 'video', 'picture'])
    expect(start.seen![1]!.steps!.map(({ time }) => time)).toEqual([0, 2.48, 4.96])
    const { image_tokens, video_tokens } = finish.usage.prompt_tokens_details!
    expect([image_tokens, video_tokens]).toEqual([24, 18])
  })

  it('without pictures it answers as ever, and tells none', async () => {
    const { start, finish } = await told(engine, { ...requestOf(text), temperature: 0, max_tokens: 1 })
    expect(start.seen).toBeUndefined()
    expect(finish.usage.prompt_tokens_details).not.toHaveProperty('image_tokens')
  })

  it('a budget makes pictures smaller', async () => {
    const pixels = { format: 'RGBA' as const, width: 224, height: 224, data: new Uint8Array(224 * 224 * 4).fill(200) }
    const ask = (budget: ChatRequest['budget']) =>
      promptOf(engine, { messages: [{ role: 'user', content: [{ type: 'image', image: pixels }] }], budget })
    const fault = await faultOf(ask({ picture: 0 }))
    expect(fault.code).toBe('request_invalid')
    const prompt = await ask({ picture: 9 })
    expect(prompt.report![0]!.tokens).toBeLessThanOrEqual(9)
    prompt.release()
  })

  it('refuses in a sentence what is too much, too wide or not one video, and goes on', async () => {
    const pixels = (width: number, height: number) => ({ format: 'RGBA' as const, width, height, data: new Uint8Array(width * height * 4) })
    const ask = async (...content: unknown[]) => {
      const request = { messages: [{ role: 'user', content }] } as ChatRequest
      const before = engine.buffers.bytes
      const fault = await faultOf(promptOf(engine, request))
      expect(engine.buffers.bytes).toBe(before)
      expect(fault.message).toMatch(/^[A-Z][^\n]{10,300}\.$/)
      return [fault.code, fault.message]
    }
    const many = Array.from({ length: 1000 }, () => ({ type: 'image', image: pixels(2, 2) }))
    expect(await ask(...many)).toEqual(['prompt_too_long', expect.stringContaining('tokens')])
    expect(await ask({ type: 'image', image: pixels(20_000, 50) })).toEqual(['request_invalid', expect.stringContaining('20000 × 50')])
    expect(await ask({ type: 'video', video: { frames: [], times: [] } })).toEqual([
      'messages_invalid',
      expect.stringContaining('0 frames'),
    ])
    const two = [pixels(4, 4), pixels(4, 4)]
    expect(await ask({ type: 'video', video: { frames: two, times: [2, 1] } })).toEqual([
      'messages_invalid',
      expect.stringContaining('rising'),
    ])
    const mixed = { frames: [pixels(4, 4), pixels(8, 4)], times: [0, 1] }
    expect(await ask({ type: 'video', video: mixed })).toEqual(['messages_invalid', expect.stringContaining('one size')])
    const long = { frames: Array(400).fill(pixels(2, 2)), times: Array.from({ length: 400 }, (_, i) => i) }
    expect(await ask({ type: 'video', video: long })).toEqual(['prompt_too_long', expect.stringContaining('tokens')])
    const wide = await promptOf(engine, { messages: [{ role: 'user', content: [{ type: 'image', image: pixels(20_000, 120) }] }] })
    expect(wide.report![0]!.tokens).toBe(51) // as the processor has it: a row of blocks, however few pixels are allowed
    wide.release()
  })

  it('refuses a prompt that is too long before it looks', async () => {
    const short = await load('glm46v', { weights: 'q8', context: 40, chats: false })
    const before = short.buffers.bytes
    const fault = await faultOf(promptOf(short, requestOf(both)))
    expect(fault.code).toBe('prompt_too_long')
    expect(short.buffers.bytes).toBe(before)
    await short.close()
  })

  it('stops looking when it is told to', async () => {
    const request = await readShown(requestOf(both), { sees: engine.info.sees })
    for (const one of request.shown) for (const { data } of one.frames) data[0]! ^= 1 // not known yet
    const controller = new AbortController()
    const fault = await faultOf(engine.prompt(request, controller.signal, () => controller.abort()))
    expect(fault.code).toBe('aborted')
    const prompt = await engine.prompt(request)
    expect(prompt.report!.length).toBe(3)
    prompt.release()
  })

  it('counts the tower among the weights, by the format asked for', async () => {
    const small = await load('glm46v', { weights: 'q8', visionWeights: 'q4', chats: false })
    expect(small.info.bytes.weights).toBeLessThan(engine.info.bytes.weights)
    expect(small.seeing!.bytes).toBeLessThan(engine.seeing!.bytes)
    await small.close()
  })

  it('refuses a format that its tower cannot have', async () => {
    const fault = await faultOf(load('glm46v', { visionWeights: 'q5' as never, chats: false }))
    expect([fault.code, fault.message]).toEqual(['request_invalid', expect.stringContaining('visionWeights is "q5"')])
  })

  it('frees everything when it is closed, pictures too', async () => {
    const own = await load('glm46v', { weights: 'q8', chats: false })
    const prompt = await promptOf(own, requestOf(both))
    await own.close()
    expect(own.buffers.count).toBe(0)
    prompt.release()
    expect((await faultOf(promptOf(own, requestOf(both)))).code).toBe('closed')
  })
})

it('a GGUF is shown pictures as large as a processor beside it says, or as llama.cpp has them', async () => {
  const golden: Golden = read('glm4v.json')
  const between = golden.cases.find(({ name }) => name === 'between')!
  const [gguf, folder] = [folderSource(`${fixtures}/gguf/glm4v`), folderSource(`${fixtures}/glm4v`)]
  const of = (path: string) => (/preprocessor/.test(path) ? folder : gguf)
  const { list } = gguf
  const beside: Source = {
    name: 'both',
    entry: 'model.gguf',
    size: (path, signal) => of(path).size(path, signal),
    read: (path, ...rest) => of(path).read(path, ...rest),
    ...(list && { list }),
  }
  for (const source of [beside, { ...gguf, entry: 'model.gguf' }]) {
    const engine = await load('glm4v', { source, formats: async () => formats, chats: false })
    const prompt = await promptOf(engine, requestOf(between))
    const largest = Math.max(...prompt.report!.map(({ width, height }) => 2 * width * height))
    if (source === beside) {
      expect(prompt.ids).toEqual(between.ids)
      expect(largest).toBeLessThanOrEqual(25_088)
    } else {
      expect(largest).toBeGreaterThan(25_088)
      expect(engine.info.sees!.sizes!.bounds.picture).toEqual([2 * 8 * 784, 2 * 4096 * 784])
    }
    prompt.release()
    await engine.close()
  }
})

it('a model without a tower, or whose bundle is not there, refuses pictures in a sentence', async () => {
  const blind = await load('glm46v', { weights: 'q8', vision: undefined, chats: false })
  expect(blind.info.sees).toBeUndefined()
  const image = [{ type: 'image', image: fileOf('wide.png') }] as never
  const fault = await faultOf(readShown({ messages: [{ role: 'user', content: image }] }, { sees: blind.info.sees }))
  expect([fault.code, fault.message]).toEqual(['messages_invalid', expect.stringContaining('sees no pictures')])
  const raw = await faultOf(blind.chat({ messages: [{ role: 'user', content: image }] }, () => {}))
  expect([raw.code, raw.message]).toEqual(['messages_invalid', expect.stringContaining('text parts only')])
  await blind.close()
})
