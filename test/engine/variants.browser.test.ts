// One of each kernel against the oracle in real Chromium; Dawn in Node, whose shaders are the same, has every kind of variant.
import { describe, expect, inject, it } from 'vitest'
import { httpSource } from '../../src/weights/http.ts'
import { boundOf, decoded, type Golden, kinds, loadVariant, prefilled, worst } from './variants.ts'

const each = kinds.filter(({ id }) => /^(matmul:64:1:1|matmul:128:16:1:subgroups|dot8:64:1:2|solo|gemm8$)/.test(id))

const fixtures = `${inject('server')}fixtures/`
const name = 'glm4-grid-q4'

describe(name, () => {
  it.each(each.map((variant) => [`variant ${variant.id}`, variant] as const))('%s', async (_, variant) => {
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
