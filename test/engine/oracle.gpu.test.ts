// Tiny random GLMs against Hugging Face: logits at every stored position, and 24 greedy tokens, per weight format, on Dawn.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { Engine } from '../../src/engine/engine.ts'
import { dawn } from '../../src/gpu/dawn.ts'
import { folderSource } from '../../src/weights/folder.ts'
import { forward, loadReference, type ReferenceModel, relativeL2 } from '../reference.ts'
import { greedy, logitsOf } from './asked.ts'
import { heldTensors } from './read-matrix.ts'

const fixtures = fileURLToPath(new URL('../fixtures', import.meta.url))

interface Golden {
  checkpoint: string
  vocab: number
  stored: { logits: string; greedy: number[][] }
  weightsF16?: { logits: string; greedy: number[][] }
  prompts: { ids: number[]; positions: number[]; offset: number }[]
}

const golden = (name: string): Golden => JSON.parse(readFileSync(`${fixtures}/goldens/${name}.json`, 'utf8'))
const names = readdirSync(`${fixtures}/goldens`)
  .filter((name) => name.endsWith('.json'))
  .map((name) => name.slice(0, -5))

/** Rows of the expected logits of one prompt. */
function expected(file: string, { positions, offset }: Golden['prompts'][number], vocab: number): Float32Array {
  const bytes = readFileSync(`${fixtures}/goldens/${file}`)
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset + offset, bytes.byteOffset + offset + positions.length * vocab * 4))
}

/** The reference model with the matrices that the engine really holds. */
async function dequantised(engine: Engine, reference: ReferenceModel): Promise<ReferenceModel> {
  const tensors = await heldTensors(engine)
  return { ...reference, tensor: (name) => tensors.get(name) ?? reference.tensor(name) }
}

let gpu: GPU
beforeAll(async () => {
  gpu = await dawn()
})

// SwiftShader takes seconds to compile each model's kernels: there one checkpoint of each family and kind of shape stands for the others.
const some = inject('adapter') === 'lavapipe' ? names : names.filter((name) => /^(glm-(chat|edge|odd)|glm4-(tied|yarn))/.test(name))

describe.each(some)('%s', (name) => {
  const { vocab, stored, prompts, checkpoint } = golden(name)
  const folder = `${fixtures}/${checkpoint}`
  let engine: Engine
  afterAll(() => engine?.close())

  it("f32: logits of every stored position and 24 greedy tokens are the class's", async () => {
    engine = await Engine.load({ gpu, source: folderSource(folder), weights: 'f32', context: 512, chats: false })
    for (const [index, prompt] of prompts.entries()) {
      const own = await logitsOf(engine, prompt.ids)
      const wanted = expected(stored.logits, prompt, vocab)
      prompt.positions.forEach((position, row) => {
        const error = relativeL2(own.subarray(position * vocab, (position + 1) * vocab), wanted.subarray(row * vocab, (row + 1) * vocab))
        expect(error, `prompt of ${prompt.ids.length}, position ${position}`).toBeLessThan(1e-4)
      })
      expect(await greedy(engine, prompt.ids, 24)).toEqual(stored.greedy[index])
    }
    await engine.close()
  })
})

describe('stored weights, f16 keys and values', () => {
  const own = inject('adapter') === 'lavapipe' ? names : names.filter((name) => name.includes('grid') || /^(glm-odd|glm4-tied)/.test(name))
  const cases = own.flatMap(
    (name) =>
      (name.includes('grid')
        ? [[name, name.slice(-2) as 'q4' | 'q8']]
        : [
            [name, 'f16'],
            [name, 'q8'],
            [name, 'q4'],
          ]) as [string, 'f16' | 'q8' | 'q4'][],
  )
  it.each(cases)('%s in %s', async (name, weights) => {
    const { vocab, stored, prompts, checkpoint } = golden(name)
    const folder = `${fixtures}/${checkpoint}`
    const engine = await Engine.load({ gpu, source: folderSource(folder), weights, context: 512, chats: false })
    // On-grid weights are recovered exactly: the oracle's own logits are the reference. Others: the f64 twin (itself held against the oracle)
    // over the weights as they stand on the GPU.
    const reference = name.includes('grid') ? undefined : await dequantised(engine, loadReference(folder))
    for (const prompt of prompts.slice(1, 3)) {
      const own = await logitsOf(engine, prompt.ids)
      const all = reference && forward(reference, prompt.ids)
      const wanted = expected(stored.logits, prompt, vocab)
      prompt.positions.forEach((position, row) => {
        const want = all ? all.subarray(position * vocab, (position + 1) * vocab) : wanted.subarray(row * vocab, (row + 1) * vocab)
        expect(
          relativeL2(own.subarray(position * vocab, (position + 1) * vocab), want),
          `prompt of ${prompt.ids.length}, position ${position}`,
        ).toBeLessThan(5e-3)
      })
    }
    await engine.close()
  })
})
