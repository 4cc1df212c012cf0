// What a token costs, counted: dispatches near and far, greedy and sampled, and the pipelines that stay alive. And that attention in stretches,
// which begins at 1,024 positions, says what attention at once says.
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Engine } from '../../src/engine/engine.ts'
import { dawn } from '../../src/gpu/dawn.ts'
import { pageSize } from '../../src/kernels/rows.ts'
import type { SamplingSettings } from '../../src/model/rows.ts'
import { folderSource } from '../../src/weights/folder.ts'
import type { Source } from '../../src/weights/source.ts'
import { relativeL2 } from '../reference.ts'

const context = 4224
const greedy: SamplingSettings = { temperature: 0, topK: 0, topP: 1, seed: [0, 0] }
const drawn: SamplingSettings = { temperature: 1, topK: 40, topP: 0.9, seed: [3, 7] }

/** A checkpoint that says it was made for longer contexts. */
function stretched(name: string): Source {
  const source = folderSource(fileURLToPath(new URL(`../fixtures/checkpoints/${name}`, import.meta.url)))
  const config = async () => {
    const text = new TextDecoder().decode(await source.read('config.json', 0, await source.size('config.json')))
    return new TextEncoder().encode(JSON.stringify({ ...JSON.parse(text), max_position_embeddings: context }))
  }
  return {
    name,
    size: async (path, signal) => (path === 'config.json' ? (await config()).length : source.size(path, signal)),
    read: async (path, start, end, signal) =>
      path === 'config.json' ? (await config()).slice(start, end) : source.read(path, start, end, signal),
  }
}

let gpu: GPU
beforeAll(async () => {
  gpu = await dawn()
})

describe.each(['glm-grid-q4', 'glm4-grid-q4'])('%s', (name) => {
  let engine: Engine
  beforeAll(async () => {
    engine = await Engine.load({ gpu, source: stretched(name), weights: 'q4', context, clock: () => 0 })
  })
  afterAll(() => engine?.close())

  /** Dispatches of each token after the first; `marks` tells at which positions they were counted. */
  async function dispatches(prompt: number, count: number, sampling: SamplingSettings): Promise<number> {
    const { counts } = engine.runner
    let before = 0
    let seen = 0
    await engine.scheduler.run({
      prompt: Array.from({ length: prompt }, (_, index) => (index * 7 + sampling.temperature) % 100),
      sampling,
      maxTokens: count,
      onToken: () => {
        if (seen === 0) before = counts.dispatches
        return ++seen < count
      },
    })
    return (counts.dispatches - before) / (count - 1)
  }

  it('at 64 positions: 5 L + 3, drawn as greedy; penalties and log-probabilities add two', async () => {
    const near = 5 * engine.info.layers + 3
    expect(await dispatches(55, 9, greedy)).toBe(near)
    expect(await dispatches(55, 9, drawn)).toBe(near)
    expect(await dispatches(55, 9, { ...drawn, presence: 0.5, logprobs: 20 })).toBe(near + 2)
  })

  it('past 1,024 positions the merge adds L', async () => {
    const far = 6 * engine.info.layers + 3
    expect(await dispatches(1030, 5, greedy)).toBe(far)
    expect(await dispatches(1030, 5, drawn)).toBe(far)
  })

  it('at 4,096 positions: 6 L + 3, and the logits of attention at once', async () => {
    const { runner, weights, gpu: own, pages } = engine
    const recording = await runner.recording(runner.decodeRows, 1, 1, true, true)
    expect(recording.length).toBe(6 * engine.info.layers + 3)
    const decoder = runner.decoder
    for (const pool of decoder.kv) {
      // f16 between -1 and 1 everywhere.
      const halves = Uint16Array.from({ length: pool.size / 2 }, (_, index) => ((index * 40503) & 0x83ff) | 0x3800)
      own.device.queue.writeBuffer(pool, 0, halves)
    }
    expect(weights.layers.length).toBe(decoder.kv.length)
    const held: Parameters<typeof pages.grow>[0] = []
    pages.grow(held, 4096 + pageSize)
    const ids = held.map(({ id }) => id)
    const at = await runner.logits([5], 4095, ids)
    const split = await runner.logits([5], 4095, ids, runner.decodeRows, true)
    pages.close(held)
    expect(relativeL2(split, at)).toBeLessThan(1e-4)
    expect(at.some((value) => Math.abs(value) > 1e-3)).toBe(true)
  })

  it('at most 30 pipelines are alive', () => {
    expect(engine.pipelines.size).toBeLessThanOrEqual(30)
  })
})
