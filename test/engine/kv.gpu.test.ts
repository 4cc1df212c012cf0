// How keys and values are stored: 8 bits stay near the oracle, and a page that is shared in part is copied with its scales.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeAll, expect, it } from 'vitest'
import type { KvFormat } from '../../src/api/types.ts'
import { Engine } from '../../src/engine/engine.ts'
import { dawn } from '../../src/gpu/dawn.ts'
import { folderSource } from '../../src/weights/folder.ts'
import { type Golden, prefilled, worst } from './variants.ts'

const fixtures = fileURLToPath(new URL('../fixtures', import.meta.url))
const name = 'glm4-grid-q4'
let gpu: GPU
let engine: Engine | undefined
beforeAll(async () => {
  gpu = await dawn()
})
afterEach(() => engine?.close())

async function load(options: { kv?: KvFormat; exact?: boolean }, checkpoint = name): Promise<Engine> {
  engine = await Engine.load({
    gpu,
    source: folderSource(`${fixtures}/checkpoints/${checkpoint}`),
    weights: 'q4',
    context: 512,
    ...options,
  })
  return engine
}

async function errorOf(options: { kv?: KvFormat; exact?: boolean }): Promise<number> {
  const golden: Golden = JSON.parse(readFileSync(`${fixtures}/goldens/${name}.json`, 'utf8'))
  const bytes = readFileSync(`${fixtures}/goldens/${name}.f32`)
  const prompt = golden.prompts[3]! // 300 tokens
  const own = await prefilled(await load(options), prompt.ids)
  return worst(own, golden, prompt, bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
}

it('q8 is within 3e-2 of the oracle, f16 within 5e-3, f32 and exact within 1e-4; each takes the room it says', async () => {
  const perPosition = (kv: number) => 2 * 2 * 2 * 32 * kv * 512 // layers, keys and values, heads, dims, positions
  const q8 = await errorOf({ kv: 'q8' })
  expect(q8).toBeLessThan(3e-2)
  expect(engine!.info.bytes.kv).toBe(perPosition(1.125))
  await engine!.close()
  const f16 = await errorOf({})
  expect(f16).toBeLessThan(5e-3)
  expect(f16).toBeLessThan(q8)
  expect(engine!.info.bytes.kv).toBe(perPosition(2))
  await engine!.close()
  expect(await errorOf({ exact: true })).toBeLessThan(1e-4)
  expect(engine!.info.bytes.kv).toBe(perPosition(4))
})

it('q8: a page shared in part is copied whole, scales too', async () => {
  const { scheduler } = await load({ kv: 'q8' })
  const run = async (prompt: number[]) => {
    const tokens: number[] = []
    const sampling = { temperature: 0, topK: 0, topP: 1, seed: [0, 0] as const }
    const { cached } = await scheduler.run({ prompt, sampling, maxTokens: 12, onToken: (token) => tokens.push(token) < 12 })
    return { tokens, cached }
  }
  const start = Array.from({ length: 90 }, (_, index) => (index * 37) % 150)
  const [one, two] = [
    [...start, 5],
    [...start, 9, 11],
  ]
  await run(one)
  const shared = await run(two)
  expect(shared.cached).toBe(90)
  await engine!.close()
  const alone = await (await load({ kv: 'q8' })).scheduler
  const tokens: number[] = []
  await alone.run({
    prompt: two,
    sampling: { temperature: 0, topK: 0, topP: 1, seed: [0, 0] },
    maxTokens: 12,
    onToken: (token) => tokens.push(token) < 12,
  })
  expect(shared.tokens).toEqual(tokens)
})

it('what cannot be is refused', async () => {
  await expect(load({ kv: 'q4' as KvFormat })).rejects.toMatchObject({ code: 'request_invalid' })
  await expect(load({ kv: 'q8' }, 'glm-grid-q4')).rejects.toMatchObject({ code: 'request_invalid' }) // heads of 16
})
