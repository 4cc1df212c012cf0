// Where a model may lie, through the built package: on a hub, at an address, in files a person gave; and the plan of each.
import { GlmError, loadGlm, planModel } from 'glm-webgpu'
import { beforeEach, expect, inject, test } from 'vitest'

const hub = inject('hub')
const fixtures = `${inject('server')}fixtures/`
const request = { messages: [{ role: 'user' as const, content: 'Hello' }], max_tokens: 4, temperature: 0 }
const log = async (): Promise<{ path: string; range?: string }[]> => (await fetch(`${inject('control')}log`)).json()

beforeEach(async () => {
  await fetch(`${inject('control')}reset`, { method: 'POST' })
})

async function file(name: string): Promise<File> {
  const bytes = await (await fetch(`${fixtures}gguf/${name}`, { cache: 'no-store' })).blob()
  return new File([bytes], name)
}

async function answer(model: Parameters<typeof loadGlm>[0], options: Parameters<typeof loadGlm>[1] = {}) {
  const glm = await loadGlm(model, { cache: 'none', ...options })
  try {
    const { choices } = await glm.chat.completions.create(request)
    return { model: glm.model, text: choices[0].message.content }
  } finally {
    await glm.close()
  }
}

test('a GGUF as a file, at its address and on a hub is one model', { timeout: 300_000 }, async () => {
  const given = await answer(await file('glm-q4_0.gguf'))
  const addressed = await answer(`${fixtures}gguf/glm-q4_0.gguf`)
  const hubbed = await answer('test/gguf', { hub })
  expect(addressed.text).toBe(given.text)
  expect(hubbed.text).toBe(given.text)
  expect(hubbed.model.choice).toMatchObject({ file: 'glm-Q4_0.gguf', why: expect.stringContaining('Q6_K') })
  expect(hubbed.model.choice!.variants.map(({ label }) => label)).toEqual(['Q6_K', 'Q4_0'])
  expect(given.model.choice).toBeUndefined()
})

test('kernels that the embedded model does without come with what wants them', { timeout: 300_000 }, async () => {
  const sandwich = await answer(await file('glm4-odd-q4_k_m.gguf')) // norms behind, centres
  expect(sandwich.model.family).toBe('glm4')
  for (const options of [{ kv: 'q8' }, { exact: true }, { weights: 'f16' }] as const)
    expect((await answer('pocket', options)).text).toBeTruthy()
})

test('log-probabilities and penalties come when they are asked for, after an answer without', { timeout: 300_000 }, async () => {
  const glm = await loadGlm('pocket')
  const plain = await glm.chat.completions.create(request)
  const { choices } = await glm.chat.completions.create({ ...request, logprobs: true, top_logprobs: 2, repetition_penalty: 1 })
  expect(choices[0].message.content).toBe(plain.choices[0].message.content)
  expect(choices[0].logprobs!.content.length).toBeGreaterThan(0)
  expect(choices[0].logprobs!.content[0]!.top_logprobs.length).toBe(2)
  const other = await glm.chat.completions.create({ ...request, logit_bias: { 5: 100 }, max_tokens: 3 })
  expect(other.choices[0].message.content).not.toBe(plain.choices[0].message.content)
  await glm.close()
})

test('a plan reads headers only, and says what was chosen', { timeout: 120_000 }, async () => {
  const plan = await planModel('test/gguf', { hub, context: 128, memory: 8e9 })
  expect(plan).toMatchObject({ name: 'test/gguf', family: 'glm', context: 128, fits: true, faults: [], choice: { file: 'glm-Q6_K.gguf' } })
  expect(plan.verdict).toMatch(/fits: .* to download, and .* on the GPU .*, of 8\.00 GB that it may take\.$/)
  const folder = await planModel(`${fixtures}checkpoints/glm-chat-bf16`, { weights: 'auto' })
  expect(folder.weights).toBe('f16')
  const weights = (await log()).filter(({ path }) => path.endsWith('.safetensors')).map(({ range }) => range)
  expect(weights.map((range) => Number(/-(\d+)$/.exec(range ?? '')![1])).every((last) => last < folder.download / 2)).toBe(true)
})

test('what is not there is said', { timeout: 120_000 }, async () => {
  const faults: [() => Promise<unknown>, string][] = [
    [() => loadGlm('test/nothing', { hub }), 'model_unknown'],
    [() => loadGlm('nothing'), 'model_unknown'],
    [() => loadGlm([]), 'request_invalid'],
    [() => loadGlm(new Blob(['GGUF'])), 'file_truncated'],
    [() => planModel('test/safe', { hub, context: 1 }), 'request_invalid'],
  ]
  for (const [call, code] of faults) {
    const error = await call().then(
      () => undefined,
      (error: unknown) => error,
    )
    expect(error).toBeInstanceOf(GlmError)
    expect((error as GlmError).code).toBe(code)
  }
})
