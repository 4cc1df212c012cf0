// The bench counts what the loop does, on a tiny checkpoint; how fast it is depends on the day and is asserted nowhere.
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { BenchPhase, BenchResult } from '../../src/api/types.ts'
import { bench, benchContext } from '../../src/engine/bench.ts'
import { Engine } from '../../src/engine/engine.ts'
import { GlmError } from '../../src/errors.ts'
import { dawn } from '../../src/gpu/dawn.ts'
import { folderSource } from '../../src/weights/folder.ts'

const folder = fileURLToPath(new URL('../fixtures/checkpoints/glm-edge-f32', import.meta.url))
const greedy = { temperature: 0, topK: 0, topP: 1, seed: [0, 0] } as const

// The pacer sees no time, so that a busy machine cuts no pass into several submits.
let engine: Engine
beforeAll(async () => {
  engine = await Engine.load({ gpu: await dawn(), source: folderSource(folder), id: 'tiny', clock: () => 0 })
})
afterAll(() => engine?.close())
afterEach(() => {
  vi.restoreAllMocks()
})

/** Dispatches of one pass: five for each layer, embedding, head and sampling. */
const pass = () => 5 * engine.info.layers + 3

function expectWell(result: BenchResult): void {
  const { bind_groups_per_token, creates_per_token, adapter, software, model, weights, ...figures } = result
  expect({ bind_groups_per_token, creates_per_token, model, weights }).toEqual({
    bind_groups_per_token: 0,
    creates_per_token: 0,
    model: 'tiny',
    weights: 'q4',
  })
  expect(adapter).not.toBe('')
  expect(software).toBe(true)
  for (const [name, value] of Object.entries(figures)) expect(Number.isFinite(value) && value > 0, `${name} is ${value}`).toBe(true)
}

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error: unknown) => (error instanceof GlmError ? error.code : String(error)),
  )

describe('one sequence', () => {
  it('counts per token: no bind group, nothing created, one read and one submit at most', async () => {
    const phases: BenchPhase[] = []
    const result = await bench(engine, { prompt: 40, gen: 16 }, (phase) => phases.push(phase))
    expectWell(result)
    expect(result).toMatchObject({ prompt: 40, gen: 16, rows: 1, context: 40 })
    expect(result.dispatches_per_token).toBe(pass())
    expect(result.submits_per_token).toBeLessThanOrEqual(1)
    expect(result.reads_per_token).toBeLessThanOrEqual(1)
    expect(result.encoders_per_token).toBe(result.submits_per_token)
    expect(phases).toEqual(['prefill', 'decode', 'gpu', 'stream'])
  })

  it('what the loop creates shows', async () => {
    const decode = engine.runner.decode.bind(engine.runner)
    vi.spyOn(engine.runner, 'decode').mockImplementation((...given) => {
      engine.gpu.device.createBuffer({ size: 16, usage: GPUBufferUsage.STORAGE }).destroy()
      return decode(...given)
    })
    const { creates_per_token, submits_per_token } = await bench(engine, { prompt: 4, gen: 8 })
    expect(creates_per_token).toBe(submits_per_token)
    expect(creates_per_token).toBeGreaterThan(0)
  })

  it('a longer context is filled first, and its keys and values are among the bytes', async () => {
    const near = await bench(engine, { prompt: 8, gen: 4 })
    const far = await bench(engine, { prompt: 8, gen: 4, context: 200 })
    expect(far).toMatchObject({ prompt: 8, context: 200 })
    const perPosition = engine.info.bytes.kv / (engine.pages.count * 64)
    const more = (far.bytes_per_token - near.bytes_per_token) / perPosition
    expect(Math.abs(more - 192)).toBeLessThanOrEqual(8) // bursts do not end on the position
    const { head, layers } = engine.weights
    const least = head.rows * head.columns + layers.reduce((sum, { gateUp: { rows, columns } }) => sum + rows * columns, 0)
    expect(near.bytes_per_token - 40 * perPosition).toBeLessThan(engine.info.bytes.weights)
    expect(near.bytes_per_token).toBeGreaterThan(least / 2)
  })
})

describe('four sequences', () => {
  it('counts per pass, which makes a token in each', async () => {
    const result = await bench(engine, { prompt: 16, gen: 8, rows: 4 })
    expectWell(result)
    expect(result.rows).toBe(4)
    expect(result.dispatches_per_token).toBe(pass())
    expect(result.submits_per_token).toBeLessThanOrEqual(1)
    expect(result.reads_per_token).toBeLessThanOrEqual(1)
  })
})

describe('what it refuses', () => {
  it.each([
    [{ prompt: 0 }, /^prompt is 0; use a whole number from 1 to \d+, what the context of 512 leaves\.$/],
    [{ prompt: 1.5 }, /^prompt is 1\.5/],
    [{ prompt: 2000 }, /^prompt is 2000/],
    [{ gen: -1 }, /^gen is -1/],
    [{ context: 5000 }, /^context is 5000/],
    [{ rows: 99 }, /^rows is 99; use a whole number from 1 to 8\.$/],
    [{ rows: 8, context: 900 }, /leaves to each of 8 rows/],
    [{ gen: Number.NaN }, /^gen is NaN/],
  ])('%o', async (options, sentence) => {
    await expect(bench(engine, options)).rejects.toThrow(
      expect.objectContaining({ code: 'request_invalid', message: expect.stringMatching(sentence) }),
    )
  })

  it('a model that answers, and an abort ends it; nothing is left behind', async () => {
    const { device } = engine.gpu
    const buffers = engine.buffers.count
    const answer = engine.scheduler.run({ prompt: [1, 2], sampling: greedy, maxTokens: 4, onToken: () => true })
    expect(await codeOf(bench(engine, { prompt: 4, gen: 4 }))).toBe('request_invalid')
    await answer
    for (const phase of ['decode', 'stream']) {
      const controller = new AbortController()
      const stop = (now: BenchPhase) => now === phase && controller.abort()
      expect([phase, await codeOf(bench(engine, { prompt: 4, gen: 4 }, stop, controller.signal))]).toEqual([phase, 'aborted'])
    }
    expect(engine.pages.free).toBe(engine.pages.count)
    expect(engine.buffers.count).toBe(buffers)
    expect(Object.keys(device).filter((name) => name.startsWith('create'))).toEqual([])
  })
})

it('says what context to load with', () => {
  expect(benchContext({ prompt: 512, gen: 64 })).toBe(640)
  expect(benchContext({ prompt: 8, gen: 8, rows: 4, context: 100 })).toBe(4 * 256)
  expect(benchContext({})).toBe(640)
})
