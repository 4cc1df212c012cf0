// Tiny random GLMs against Hugging Face in real Chromium: the same engine and shaders, files by HTTP ranges, logits and 24 greedy tokens.
// The worker and the public API are held to the oracle's answers in test/api/chat.browser.test.ts: they have no logits.
import { afterEach, describe, expect, inject, it } from 'vitest'
import { Engine } from '../../src/engine/engine.ts'
import { httpSource } from '../../src/weights/http.ts'

interface Golden {
  checkpoint: string
  vocab: number
  stored: { logits: string; greedy: number[][] }
  prompts: { ids: number[]; positions: number[]; offset: number }[]
}

const fixtures = `${inject('server')}fixtures/`
const goldens = Object.entries(import.meta.glob<Golden>('../fixtures/goldens/*.json', { eager: true, import: 'default' })).map(
  ([path, golden]) => [path.split('/').at(-1)!.slice(0, -5), golden] as const,
)

function relativeL2(own: Float32Array, wanted: Float32Array): number {
  let difference = 0
  let norm = 0
  wanted.forEach((value, index) => {
    difference += (own[index]! - value) ** 2
    norm += value ** 2
  })
  return Math.sqrt(difference / norm)
}

async function worstError(engine: Engine, golden: Golden, prompt: Golden['prompts'][number], logits: ArrayBuffer): Promise<number> {
  const { vocab } = golden
  const own = new Float32Array(prompt.ids.length * vocab)
  await engine.score(prompt.ids, (chunk, start) => own.set(chunk, start * vocab))
  const wanted = new Float32Array(logits, prompt.offset, prompt.positions.length * vocab)
  const errors = prompt.positions.map((position, row) =>
    relativeL2(own.subarray(position * vocab, (position + 1) * vocab), wanted.subarray(row * vocab, (row + 1) * vocab)),
  )
  return Math.max(...errors)
}

async function greedy(engine: Engine, prompt: readonly number[]): Promise<number[]> {
  const tokens: number[] = []
  const onToken = (token: number) => tokens.push(token) < 24
  await engine.scheduler.run({ prompt, sampling: { temperature: 0, topK: 0, topP: 1, seed: [0, 0] }, maxTokens: 24, onToken })
  return tokens
}

// Dawn in Node has every checkpoint (oracle.gpu.test.ts): here, with the same shaders, one of each family and kind of shape, and what lies on a grid.
const some = /grid|^(glm-chat|glm-odd|glm4-tied|glm4-yarn)/

describe.each(goldens.filter(([name]) => some.test(name)))('%s', (name, golden) => {
  let engine: Engine | undefined
  afterEach(() => engine?.close())

  const load = async (weights: 'f32' | 'q4' | 'q8') => {
    const source = httpSource({ base: `${fixtures}${golden.checkpoint}/` })
    const logits = await (await fetch(`${fixtures}goldens/${golden.stored.logits}`, { cache: 'no-store' })).arrayBuffer()
    engine = await Engine.load({ gpu: navigator.gpu, source, weights, context: 512, chats: false })
    return { engine, logits }
  }

  if (name.includes('grid')) {
    it('on-grid weights, f16 keys and values: logits within 5e-3', async () => {
      const { engine, logits } = await load(name.slice(-2) as 'q4' | 'q8')
      expect(await worstError(engine, golden, golden.prompts[2]!, logits)).toBeLessThan(5e-3)
    })
    return
  }
  it('f32: logits within 1e-4, greedy tokens the same', async () => {
    const { engine, logits } = await load('f32')
    for (const [index, prompt] of golden.prompts.entries()) {
      expect(await worstError(engine, golden, prompt, logits), `prompt of ${prompt.ids.length}`).toBeLessThan(1e-4)
      expect(await greedy(engine, prompt.ids)).toEqual(golden.stored.greedy[index])
    }
  })
})
