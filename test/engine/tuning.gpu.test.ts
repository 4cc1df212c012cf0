// What the tuner measures for a loaded model: every variant of every shape computes right by its own probe, and what was kept is used at the next load.
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { Engine } from '../../src/engine/engine.ts'
import { Tuning, tuneModel } from '../../src/engine/tuning.ts'
import { Variants } from '../../src/engine/variants.ts'
import { dawn } from '../../src/gpu/dawn.ts'
import type { Gpu } from '../../src/gpu/device.ts'
import type { Tuned } from '../../src/gpu/tuned.ts'
import { choiceId, shapeKey } from '../../src/model/choices.ts'
import * as tools from '../../src/tools.ts'
import { folderSource } from '../../src/weights/folder.ts'

let engine: Engine
/** The same device, taken for a GPU. */
let hardware: Gpu
beforeAll(async () => {
  const source = folderSource(fileURLToPath(new URL('../fixtures/checkpoints/glm4-grid-q4', import.meta.url)))
  engine = await Engine.load({ gpu: await dawn(), source, weights: 'q4', context: 128 })
  hardware = { ...engine.gpu, info: { ...engine.gpu.info, software: false } }
})
afterAll(() => engine?.close())

const keeping = (kept?: unknown) => {
  const store = {
    kept,
    get: async () => store.kept,
    async put(found: Tuned) {
      store.kept = structuredClone(found)
    },
  }
  return store
}

it('every variant of every shape passes its probe, and one that computes nothing does not', async () => {
  const variants = await Variants.open({ tuned: async () => tools, gpu: hardware, rounding: true, store: keeping() })
  const tuning = new Tuning(engine.gpu, engine.weights, variants, true)
  const { device } = engine.gpu
  let probes = 0
  for (const { current, variants: own, weight } of tuning.tasks) {
    expect(own[0]!.id).toBe(current)
    expect(weight).toBeGreaterThan(0)
    for (const variant of own) {
      const prepared = await variant.prepare()
      expect(await prepared.probe(), variant.id).toBe(true)
      expect(prepared.dispatches(0).length).toBe(variant.id.startsWith('gemm8') ? 2 : 1) // rounded first
      probes++
    }
  }
  expect(tuning.tasks.length).toBe(4 + 3) // qkv, which has the shape of gate and up here; o; down; head; and all but the head in prompts
  expect(probes).toBeGreaterThan(4 * 3 + 3 * 2)
  expect(tuning.tasks.flatMap(({ variants }) => variants.filter(({ id }) => id.endsWith('subgroups'))).length).toBeGreaterThan(0)
  const prepared = await tuning.tasks[0]!.variants[0]!.prepare()
  const submit = vi.spyOn(device.queue, 'submit').mockImplementationOnce(() => undefined)
  device.queue.writeBuffer(tuning.scratch, 0, new Float32Array(64))
  expect(await prepared.probe().catch(() => false)).toBe(false)
  submit.mockRestore()
  tuning.close()
})

it('what was measured is kept, and is in use at the next load', async () => {
  const store = keeping()
  const { head } = engine.weights
  let time = 0
  const options = { store, key: await tools.tunedKey(hardware), idle: async () => {}, clock: () => (time += 30), budget: 2000 }
  const choices = await Variants.open({ tuned: async () => tools, gpu: hardware, rounding: false, store })
  await tuneModel({ gpu: hardware, weights: engine.weights, choices, rounding: false }, options)
  expect(Object.keys((store.kept as Tuned).tasks).length).toBeGreaterThan(0)
  const kept = { key: options.key, tasks: { [shapeKey(head)]: { best: 'matmul:64:2:1', times: {} } } }
  const next = await Variants.open({ tuned: async () => tools, gpu: hardware, rounding: false, store: keeping(kept) })
  expect(choiceId(next.decode(head))).toBe('matmul:64:2:1')
  expect(next.id).not.toBe(choices.id)
  const other = await Variants.open({
    tuned: async () => tools,
    gpu: hardware,
    rounding: false,
    store: keeping({ ...kept, key: 'another adapter' }),
  })
  expect(choiceId(other.decode(head))).toBe(choiceId(choices.decode(head)))
})
