// Towers and text models in f16 and q8 together, on the processor's own pixel values: the logits of the f64 twins over the weights as they stand on the GPU.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, inject, it } from 'vitest'
import { Engine } from '../../src/engine/engine.ts'
import { dawn } from '../../src/gpu/dawn.ts'
import type { Grid } from '../../src/model/mrope.ts'
import { expandPlaceholders } from '../../src/model/placeholders.ts'
import { type Encoded, seenOf } from '../../src/model/seen.ts'
import { folderSource } from '../../src/weights/folder.ts'
import { dequantised } from '../model/held_tower.ts'
import { forwardSeeing } from '../reference/seeing.ts'
import { type Levels, pixelValues } from '../reference/sights.ts'
import { loadVision, see } from '../reference/vision.ts'
import { relativeL2 } from '../reference.ts'
import { heldTensors } from './read-matrix.ts'

const fixtures = fileURLToPath(new URL('../fixtures/vision', import.meta.url))
const read = (path: string) => JSON.parse(readFileSync(`${fixtures}/${path}`, 'utf8'))
const levels: Levels = read('levels.json')
const bytes = new Uint8Array(readFileSync(`${fixtures}/levels.bin`))

const names = ['glm46v', 'glm4v', 'glm_ocr', 'glm_edge_v']
// q8 is what towers stand in unless told; a checkpoint in F16 keeps its bits in f16. The same kernels for all: an adapter that is slow at them takes one.
const all = [...names.map((name) => [name, 'q8'] as const), ['glm46v', 'f16'] as const]

it.each(inject('adapter') === 'lavapipe' ? all : all.slice(0, 1))('%s in %s', async (name, weights) => {
  const edge = name === 'glm_edge_v'
  const golden = read(`${name}.json`)
  const { vocab, tokens: placeholders } = golden
  const own = golden.cases.find((one: { name: string }) => one.name === (edge ? 'first' : 'one'))!
  const engine = await Engine.load({
    gpu: await dawn(),
    source: folderSource(`${fixtures}/${name}`),
    weights,
    visionWeights: weights,
    context: 512,
    chats: false,
    vision: () => import('../../src/vision.ts'),
  })
  const twin = loadVision(`${fixtures}/${name}`)
  const { tower } = engine.seeing!
  const tensors = await heldTensors(engine)
  const text = {
    ...twin,
    tensor: (tensor: string) => tensors.get(tensor.replace('model.language_model.', 'model.')) ?? twin.tensor(tensor),
  }
  const held = await dequantised(engine.gpu.device, tower.weights, twin)
  const pictures: Encoded[] = []
  const rows: number[] = []
  const counts: number[] = []
  for (const [index, sight] of own.sights.entries()) {
    const level = (edge ? levels.edge : levels.sights)[sight]!
    const grid = level.grid as Grid
    const pixels = pixelValues(levels, bytes, level)
    const patches = engine.buffers.make('pixels', pixels.byteLength)
    engine.gpu.device.queue.writeBuffer(patches, 0, pixels)
    const { buffer, tokens } = await tower.encode(patches, [grid])
    pictures.push({ rows: buffer, row: 0, grid, key: 2 ** 32 + index })
    rows.push(...see(held, pixels, [[...grid]]).rows)
    counts.push(tokens)
  }
  const expanded = expandPlaceholders(own.promptIds, { ...placeholders, run: edge }, counts, [], () => [])
  expect(expanded.ids).toEqual(own.ids)
  const seen = seenOf(expanded.segments, { pictures, videos: [], ...(edge ? {} : { merge: 2 }) })
  const positions = own.positions ?? [0, 1, 2].map(() => own.ids.map((_: number, at: number) => at))
  const wanted = forwardSeeing(text, { ids: own.ids, placeholder: placeholders.image, rows, positions })
  const found = new Float32Array(wanted.length)
  await engine.score(own.ids, (logits, start) => found.set(logits, start * vocab), undefined, seen)
  for (const position of own.logits.positions) {
    const row = (of: Float32Array | Float64Array) => of.subarray(position * vocab, (position + 1) * vocab)
    expect(relativeL2(row(found), row(wanted)), `position ${position}`).toBeLessThan(3e-3)
  }
  await engine.close()
})
