// One of each kind of kernel variant against the oracle in real Chromium.
import { describe, expect, inject, it } from 'vitest'
import { httpSource } from '../../src/weights/http.ts'
import { boundOf, decoded, type Golden, kinds, loadVariant, prefilled, worst } from './variants.ts'

const fixtures = `${inject('server')}fixtures/`
const name = 'glm4-grid-q4'

describe(name, () => {
  it.each(kinds.map((variant) => [`variant ${variant.id}`, variant] as const))('%s', async (_, variant) => {
    const golden: Golden = await (await fetch(`${fixtures}goldens/${name}.json`)).json()
    const logits = await (await fetch(`${fixtures}goldens/${name}.f32`, { cache: 'no-store' })).arrayBuffer()
    const prompt = golden.prompts[2]!
    const source = httpSource({ base: `${fixtures}checkpoints/${name}/`, name })
    const engine = await loadVariant(navigator.gpu, source, variant)
    const own = await (variant.prefill === 'matmul' ? decoded(engine, prompt.ids, [1]) : prefilled(engine, prompt.ids))
    expect(worst(own, golden, prompt, logits)).toBeLessThan(boundOf(variant))
    await engine.close()
  })
})
