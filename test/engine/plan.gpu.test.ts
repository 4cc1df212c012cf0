// A plan against what was loaded: weights and keys and values to the byte, activations within a twentieth.
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { PlanOptions } from '../../src/api/plan.ts'
import type { WeightsFormat } from '../../src/api/types.ts'
import { findGpu } from '../../src/cli/gpu.ts'
import { readModel } from '../../src/engine/checkpoint.ts'
import { Engine } from '../../src/engine/engine.ts'
import { planModel } from '../../src/engine/plan.ts'
import * as reading from '../../src/formats.ts'
import { readShown } from '../../src/media/shown.ts'
import { folderSource } from '../../src/weights/folder.ts'

const place = (name: string) => fileURLToPath(new URL(`../fixtures/${name.includes('/') ? '' : 'checkpoints/'}${name}`, import.meta.url))
const formats = async () => reading

const cases: [string, PlanOptions & { weights?: WeightsFormat }, binding: number | undefined][] = [
  ['glm-chat-bf16', {}, undefined],
  ['glm4-chat-f32', { weights: 'q8', context: 100 }, undefined],
  ['glm-odd-f16', { weights: 'f16', context: 300 }, undefined],
  ['gguf/glm-q4_k_m.gguf', {}, undefined],
  ['gguf/glm4-mrope-q4_0.gguf', { kv: 'f32' }, undefined],
  ['gguf/glm-fused-q5_1.gguf', { weights: 'q4' }, undefined],
  ['quantised/gptq-order', {}, undefined],
  ['quantised/chatglm-awq', {}, undefined],
  ['glm4-sharded-bf16', { weights: 'f32' }, 64 * 1024],
]

test.each(cases)('%s %j, bindings of %s', { timeout: 300_000 }, async (name, options, binding) => {
  const source = folderSource(place(name))
  const limits = binding === undefined ? {} : { limits: { binding } }
  const engine = await Engine.load({ ...options, ...limits, gpu: await findGpu(), source, formats, chats: false })
  const { gpu, info, weights, buffers } = engine
  const plan = planModel(name, await readModel(source, { formats }), options, {
    binding: gpu.limits.binding,
    buffer: gpu.limits.buffer,
    software: info.adapter.software,
  })
  const matrices = [weights.embed, weights.head, ...weights.layers.flatMap(({ qkv, o, gateUp, down }) => [qkv, o, gateUp, down])]
  const parts = new Set(matrices.flatMap(({ parts, order }) => [...parts.map(({ buffer }) => buffer), ...(order ? [order] : [])]))
  const own = [...parts, ...weights.layers.map(({ aux }) => aux), weights.final.aux].reduce((sum, { size }) => sum + size, 0)
  const split = new Set(matrices.filter((matrix) => matrix.parts.length > 1)).size
  const kv = engine.runner.decoder.kv.reduce((sum, { size }) => sum + size, 0)
  expect({ weights: plan.gpu.weights, kv: plan.gpu.kv, split: plan.tensors.length, context: plan.context }).toEqual({
    weights: own,
    kv,
    split,
    context: info.context,
  })
  const scratch = buffers.bytes - own - kv
  expect(Math.abs(plan.gpu.scratch / scratch - 1)).toBeLessThan(0.05)
  await engine.close()
})

test('a model that sees: its weights to the byte, and no more than planned when it looks', { timeout: 300_000 }, async () => {
  const source = folderSource(fileURLToPath(new URL('../fixtures/vision/glm46v', import.meta.url)))
  const vision = () => import('../../src/vision.ts')
  for (const options of [{}, { weights: 'f16' }, { visionWeights: 'q4' }] as const) {
    const engine = await Engine.load({ ...options, gpu: await findGpu(), source, formats, vision, chats: false, context: 512 })
    const { gpu, info, buffers } = engine
    const machine = { binding: gpu.limits.binding, buffer: gpu.limits.buffer, software: info.adapter.software }
    const plan = planModel('m', await readModel(source, { formats }), { ...options, context: 512 }, machine)
    expect(plan.gpu.weights).toBe(info.bytes.weights)
    const before = buffers.bytes
    const image = { format: 'RGBA' as const, width: 112, height: 112, data: new Uint8Array(112 * 112 * 4) }
    const request = { messages: [{ role: 'user' as const, content: [{ type: 'image' as const, image }] }] }
    const prompt = await engine.prompt(await readShown(request, { sees: info.sees }))
    expect(buffers.bytes - before).toBeLessThan(plan.gpu.seeing!)
    prompt.release()
    await engine.close()
  }
})
