// Tiny random GLMs as GGUF, in every type that is read, against the class with the very weights that gguf-py reads out of the file.
import { readFileSync } from 'node:fs'
import { afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import type { WeightsFormat } from '../../src/api/types.ts'
import { Engine } from '../../src/engine/engine.ts'
import * as formats from '../../src/formats.ts'
import { dawn } from '../../src/gpu/dawn.ts'
import { folderSource } from '../../src/weights/folder.ts'
import { relativeL2 } from '../reference.ts'
import { folder, type Golden, goldens } from '../weights/gguf.ts'
import { greedy, logitsOf } from './asked.ts'

let gpu: GPU
let engine: Engine | undefined
beforeAll(async () => {
  gpu = await dawn()
})
afterEach(() => engine?.close())

const load = async ({ files }: Golden, options: { weights?: WeightsFormat; exact?: boolean } = { exact: true }) => {
  const source = folderSource(`${folder}/${files.at(-1)}`)
  engine = await Engine.load({ gpu, source, formats: async () => formats, context: 512, chats: false, ...options })
  return engine
}

function expected({ name, vocab }: Golden, { positions, offset }: Golden['prompts'][number]): Float32Array {
  const bytes = readFileSync(`${folder}/${name}.f32`)
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset + offset, bytes.byteOffset + offset + positions.length * vocab * 4))
}

/** The largest relative error of a position. */
async function worst(own: Engine, golden: Golden): Promise<number> {
  const { vocab } = golden
  let error = 0
  for (const prompt of golden.prompts) {
    const wanted = expected(golden, prompt)
    const all = await logitsOf(own, prompt.ids)
    prompt.positions.forEach((position, row) => {
      const [mine, theirs] = [all.subarray(position * vocab, (position + 1) * vocab), wanted.subarray(row * vocab, (row + 1) * vocab)]
      error = Math.max(error, relativeL2(mine, theirs))
    })
  }
  return error
}

// It takes seconds to compile each model's kernels: one file of each family of types stands for the others on SwiftShader, and in other formats
// than the file's own (test/kernels/repack.gpu.test.ts has every type in every format).
const some = /mrope|fused|odd/
const own = (inject('adapter') === 'lavapipe' ? goldens : goldens.filter(({ name }) => some.test(name))).map(
  (golden) => [golden.name, golden] as const,
)

describe.each(own)('%s', (name, golden) => {
  it('as the file has it: logits and 24 greedy tokens are the class’s', async () => {
    const own = await load(golden)
    // Codes, scales and minima of most types are kept exactly; centres of others in f16.
    expect(await worst(own, golden)).toBeLessThan(/1$/.test(name) ? 1e-4 : 1e-5)
    for (const prompt of golden.prompts) expect(await greedy(own, prompt.ids, 24)).toEqual(prompt.greedy)
  })

  if (!some.test(name)) return
  it('in f32', async () => {
    expect(await worst(await load(golden, { weights: 'f32' }), golden)).toBeLessThan(1e-4)
  })
  it('with f16 keys and values', async () => {
    expect(await worst(await load(golden, {}), golden)).toBeLessThan(5e-3)
  })
})
