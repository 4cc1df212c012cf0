// The embedded model that sees: our engine computes what the real class does from the same export, and its INT4 answers as the real class in f32.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ChatMessage, ChatRequest } from '../../src/api/types.ts'
import { Engine, type EngineOptions } from '../../src/engine/engine.ts'
import { dawn } from '../../src/gpu/dawn.ts'
import { readShown } from '../../src/media/shown.ts'
import { folderSource } from '../../src/weights/folder.ts'

const folder = fileURLToPath(new URL('../../models/pocket-v', import.meta.url))

/** PNG files as data addresses: of one picture, or of the steps of a clip, each of one frame or two. */
interface Golden {
  question: string
  pictures?: string[]
  frames?: string[][]
  labels?: string[]
  /** What the real class says. */
  text: string
  ids: number[]
  top: [number, number][]
  greedy: number[]
}

const cases = JSON.parse(readFileSync(`${folder}/golden.json`, 'utf8')) as Golden[]
const blobOf = (address: string) => new Blob([Buffer.from(address.slice(address.indexOf(',') + 1), 'base64')])

function requestOf({ question, pictures, frames, labels }: Golden): ChatRequest {
  const shown = pictures
    ? { type: 'image', image: blobOf(pictures[0]!) }
    : { type: 'video', video: { frames: frames!.flatMap((step) => [step[0]!, step.at(-1)!].map(blobOf)), times: labels!.flatMap(timesOf) } }
  return { messages: [{ role: 'user', content: [shown, { type: 'text', text: question }] } as unknown as ChatMessage] }
}

/** Two frames share a step, whose time is that of the first. */
const timesOf = (label: string) => [Number(label), Number(label) + 0.1]

let gpu: GPU
beforeAll(async () => {
  gpu = await dawn()
})

const load = (options: Partial<EngineOptions>) =>
  Engine.load({ gpu, source: folderSource(folder), context: 512, vision: () => import('../../src/vision.ts'), ...options })

describe('f32, against the real class', () => {
  let engine: Engine
  beforeAll(async () => {
    engine = await load({ weights: 'f32' })
  })
  afterAll(() => engine?.close())

  it.each(cases.map((own) => [own.question, own] as const))('%s', async (_, own) => {
    const prompt = await engine.prompt(await readShown(requestOf(own), { sees: engine.info.sees }))
    expect(prompt.ids).toEqual(own.ids)
    let last = new Float32Array()
    const { vocabulary } = engine.info
    const keep = (logits: Float32Array) => {
      last = logits.slice(-vocabulary)
    }
    await engine.score(prompt.ids, keep, undefined, prompt.seen)
    for (const [id, logit] of own.top) expect(last[id]).toBeCloseTo(logit, 1)
    const tokens: number[] = []
    await engine.scheduler.run({
      prompt: prompt.ids,
      seen: prompt.seen,
      sampling: { temperature: 0, topK: 0, topP: 1, seed: [0, 0] },
      maxTokens: own.greedy.length,
      onToken: (token) => tokens.push(token) < own.greedy.length,
    })
    expect(tokens).toEqual(own.greedy)
    prompt.release()
  })
})

describe('INT4, as it is loaded', () => {
  it('says what the real class says in f32, but for one at most', async () => {
    const engine = await load({})
    expect(engine.info.weights).toBe('q4')
    const other: string[] = []
    for (const own of cases) {
      const request = { ...requestOf(own), temperature: 0, max_tokens: 96 }
      const { text, finish } = await engine.chat(await readShown(request, { sees: engine.info.sees }), () => {})
      if (text.trim() !== own.text || finish !== 'stop')
        other.push(`${own.question} ${JSON.stringify(text)} for ${JSON.stringify(own.text)}`)
    }
    expect(cases.length).toBeGreaterThan(9)
    expect(other.length, other.join('\n')).toBeLessThan(2)
    engine.close()
  })
})
