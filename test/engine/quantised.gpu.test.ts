// Tiny GLMs in GPTQ, AWQ and compressed-tensors, and under ChatGLM's names, against the real class with the values that their codes stand for.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, inject, it } from 'vitest'
import { Engine, type EngineOptions } from '../../src/engine/engine.ts'
import { dawn } from '../../src/gpu/dawn.ts'
import { folderSource } from '../../src/weights/folder.ts'
import { relativeL2 } from '../reference.ts'
import { greedy, logitsOf } from './asked.ts'

const fixtures = fileURLToPath(new URL('../fixtures/quantised/', import.meta.url))

interface Golden {
  vocab: number
  prompts: { ids: number[]; positions: number[]; offset: number; greedy: number[] }[]
}

const golden = (name: string): Golden => JSON.parse(readFileSync(`${fixtures}${name}/golden.json`, 'utf8'))

/** Rows of the expected logits of one prompt. */
function expected(name: string, { positions, offset }: Golden['prompts'][number], vocab: number): Float32Array {
  const bytes = readFileSync(`${fixtures}${name}/golden.f32`)
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset + offset, bytes.byteOffset + offset + positions.length * vocab * 4))
}

let gpu: GPU
beforeAll(async () => {
  gpu = await dawn()
})

const load = (name: string, options: Partial<EngineOptions>) =>
  Engine.load({
    gpu,
    source: folderSource(fixtures + name),
    context: 128,
    chats: false,
    formats: () => import('../../src/formats.ts'),
    ...options,
  })

const down = (engine: Engine) => engine.weights.layers[1]!.down

/** The worst relative error of a stored position, and whether every greedy token is the class's. */
async function hold(engine: Engine, name: string, limit: number): Promise<void> {
  const { vocab, prompts } = golden(name)
  for (const prompt of prompts) {
    const own = await logitsOf(engine, prompt.ids)
    const wanted = expected(name, prompt, vocab)
    const errors = prompt.positions.map((position, row) =>
      relativeL2(own.subarray(position * vocab, (position + 1) * vocab), wanted.subarray(row * vocab, (row + 1) * vocab)),
    )
    expect(Math.max(...errors), `prompt of ${prompt.ids.length}`).toBeLessThan(limit)
    expect(await greedy(engine, prompt.ids, 24)).toEqual(prompt.greedy)
  }
}

// It takes seconds to compile each model's kernels: one checkpoint of each layout stands for those that only differ in shape on SwiftShader,
// and in f32.
const every = readdirSync(fixtures)
const some = /^(gptq-order|awq-g32|compressed-asym|chatglm-awq)$/
const names = inject('adapter') === 'lavapipe' ? every : every.filter((name) => some.test(name))

describe.each(names)('%s', (name) => {
  const dense = name.endsWith('bf16')

  it('as the file has it, activations in f32', async () => {
    const engine = await load(name, { exact: true, ...(dense && { weights: 'f16' }) })
    expect(down(engine).format).toBe(dense ? 'f16' : 'q4')
    expect(down(engine).order !== undefined).toBe(name.includes('order'))
    await hold(engine, name, 1e-3)
    await engine.close()
  })

  if (!some.test(name)) return
  it('with weights f32', async () => {
    const engine = await load(name, { weights: 'f32' })
    expect(down(engine).format).toBe('f32')
    expect(down(engine).order).toBeUndefined()
    await hold(engine, name, 1e-4)
    await engine.close()
  })
})
