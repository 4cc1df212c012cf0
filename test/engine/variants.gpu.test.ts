// Every kernel variant against the oracle on Dawn, through the kernels that decode and those of prompts. SwiftShader, which takes up to half a
// minute to compile one, has one of each kind.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, inject, it } from 'vitest'
import { dawn } from '../../src/gpu/dawn.ts'
import { folderSource } from '../../src/weights/folder.ts'
import { boundOf, decoded, type Golden, kinds, loadVariant, prefilled, variants, worst } from './variants.ts'

const fixtures = fileURLToPath(new URL('../fixtures', import.meta.url))
let gpu: GPU
beforeAll(async () => {
  gpu = await dawn()
})

const few = variants.filter(({ id }) => ['matmul:64:1:1', 'dot8:64:1:2', 'gemm8'].includes(id))

describe.each([
  ['glm4-grid-q4', inject('adapter') === 'lavapipe' ? variants : kinds],
  ['glm-grid-q8', few],
] as const)('%s', (name, variants) => {
  const golden: Golden = JSON.parse(readFileSync(`${fixtures}/goldens/${name}.json`, 'utf8'))
  const bytes = readFileSync(`${fixtures}/goldens/${name}.f32`)
  const logits = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)
  const prompt = golden.prompts[2]!

  it.each(variants.map((variant) => [`variant ${variant.id}`, variant] as const))('%s', async (_, variant) => {
    const engine = await loadVariant(gpu, folderSource(`${fixtures}/checkpoints/${name}`), variant)
    if (variant.prefill === 'matmul') {
      const one = await decoded(engine, prompt.ids, [1], true)
      expect(worst(one, golden, prompt, logits)).toBeLessThan(boundOf(variant))
      // A row's bits do not depend on the rows beside it, nor on how attention is split. (SwiftShader takes ten seconds to compile for more rows.)
      if (inject('adapter') === 'lavapipe') expect(await decoded(engine, prompt.ids, [8])).toEqual(one)
    } else expect(worst(await prefilled(engine, prompt.ids), golden, prompt, logits)).toBeLessThan(boundOf(variant))
    await engine.close()
  })
})
