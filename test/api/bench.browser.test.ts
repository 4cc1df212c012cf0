// `glm.bench` in real Chromium: figures from the worker, progress beside them, errors whole, an abort that arrives.
import { type BenchPhase, type Glm, loadGlm } from 'glm-webgpu'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'

let glm: Glm
beforeAll(async () => {
  glm = await loadGlm(`${inject('server')}pocket/`, { cache: 'none' })
})
afterAll(() => glm?.close())

it('measures in the worker, and tells where it is', async () => {
  const phases: BenchPhase[] = []
  const { adapter, software, model, weights, ...figures } = await glm.bench({
    prompt: 8,
    gen: 4,
    onProgress: (phase) => phases.push(phase),
  })
  expect(phases).toEqual(['prefill', 'decode', 'gpu', 'stream'])
  expect({ software, weights, named: adapter !== '', model }).toEqual({ software: true, weights: 'q4', named: true, model: glm.model.id })
  expect(figures).toMatchObject({ prompt: 8, gen: 4, rows: 1, context: 8, bind_groups_per_token: 0, creates_per_token: 0 })
  expect(figures.dispatches_per_token).toBe(5 * glm.model.layers + 3)
  expect(Object.values(figures).every(Number.isFinite)).toBe(true)
  const { prefill_tok_s, decode_tok_s, ttft_ms, gpu_ms_per_token, stream_gb_s, stream_share } = figures
  expect(Math.min(prefill_tok_s, decode_tok_s, ttft_ms, gpu_ms_per_token, stream_gb_s, stream_share)).toBeGreaterThan(0)
})

it('refuses what does not fit, and ends when it is aborted', async () => {
  await expect(glm.bench({ prompt: 1e6 })).rejects.toThrow(
    expect.objectContaining({ code: 'request_invalid', message: expect.stringContaining('prompt is 1000000') }),
  )
  const controller = new AbortController()
  const ended = glm.bench({
    prompt: 8,
    gen: 100,
    signal: controller.signal,
    onProgress: (phase) => phase === 'decode' && controller.abort(),
  })
  await expect(ended).rejects.toThrow(expect.objectContaining({ code: 'aborted' }))
})
