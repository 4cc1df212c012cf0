// The embedded model: our engine computes what the real class does from the same export, and answers one held-out prompt per skill in INT4.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ChatMessage } from '../../src/api/types.ts'
import { Engine } from '../../src/engine/engine.ts'
import { dawn } from '../../src/gpu/dawn.ts'
import { folderSource } from '../../src/weights/folder.ts'

const folder = fileURLToPath(new URL('../../models/pocket', import.meta.url))
const json = (name: string) => JSON.parse(readFileSync(`${folder}/${name}`, 'utf8'))

interface Golden {
  messages: ChatMessage[]
  ids: number[]
  top: [number, number][]
  greedy: number[]
}
interface HeldOut {
  skill: string
  lang: string
  messages: ChatMessage[]
  answer: string
  /** Whether the real class answers it right in f32. */
  correct: boolean
}

let gpu: GPU
beforeAll(async () => {
  gpu = await dawn()
})

describe('f32, against the real class', () => {
  let engine: Engine
  beforeAll(async () => {
    engine = await Engine.load({ gpu, source: folderSource(folder), weights: 'f32', context: 512 })
  })
  afterAll(() => engine.close())

  it.each(json('golden.json') as Golden[])(
    'ids, top logits and greedy continuation of $messages',
    async ({ messages, ids, top, greedy }) => {
      expect(engine.files.template!.render(messages).ids).toEqual(ids)
      let last = new Float32Array()
      const { vocabulary } = engine.info
      await engine.score(ids, (logits) => {
        last = logits.slice(-vocabulary)
      })
      for (const [id, logit] of top) expect(last[id]).toBeCloseTo(logit, 2)
      const own: number[] = []
      await engine.scheduler.run({
        prompt: ids,
        sampling: { temperature: 0, topK: 0, topP: 1, seed: [0, 0] },
        maxTokens: greedy.length,
        onToken: (token) => own.push(token) < greedy.length,
      })
      expect(own).toEqual(greedy)
    },
  )
})

describe('INT4, held-out prompts', () => {
  it('answers at least nine of ten that the real class answers in f32, one per skill and language', async () => {
    const prompts = (json('heldout.json') as HeldOut[]).filter(({ correct }) => correct)
    const first = prompts.filter(
      ({ skill, lang }, index) => prompts.findIndex((other) => other.skill === skill && other.lang === lang) === index,
    )
    const engine = await Engine.load({ gpu, source: folderSource(folder), context: 512 })
    expect(engine.info.weights).toBe('q4')
    const wrong: string[] = []
    const waiting = [...first]
    const chat = async () => {
      for (let one = waiting.shift(); one; one = waiting.shift()) {
        const { text, finish } = await engine.chat({ messages: one.messages, temperature: 0, max_tokens: 96 }, () => {})
        if (text.trim() !== one.answer.trim() || finish !== 'stop')
          wrong.push(`${one.skill} ${one.lang}: ${JSON.stringify(text)} for ${JSON.stringify(one.answer)}`)
      }
    }
    await Promise.all(Array.from({ length: 4 }, chat))
    expect(first.length).toBeGreaterThan(5)
    expect(wrong.length / first.length, wrong.join('\n')).toBeLessThanOrEqual(0.1)
    await engine.close()
  })
})
