// Towers read from mmproj files against the real classes: the goldens of the checkpoints that they were converted from.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readGguf } from '../../src/engine/gguf.ts'
import { Buffers, readBack } from '../../src/gpu/buffers.ts'
import { dawn } from '../../src/gpu/dawn.ts'
import { type Gpu, openGpu } from '../../src/gpu/device.ts'
import { Pipelines } from '../../src/gpu/pipeline.ts'
import { type Grid, loadVision, parseVision, planVision, VisionTower } from '../../src/model/vision.ts'
import { folderSource } from '../../src/weights/folder.ts'
import { Loader } from '../../src/weights/load.ts'
import { type Levels, pixelValues } from '../reference/sights.ts'
import { relativeL2 } from '../reference.ts'

const folder = fileURLToPath(new URL('../fixtures/vision', import.meta.url))
const json = (name: string) => JSON.parse(readFileSync(`${folder}/${name}`, 'utf8'))
const levels: Levels = json('levels.json')
const pixels = new Uint8Array(readFileSync(`${folder}/levels.bin`))

let gpu: Gpu
let buffers: Buffers
beforeAll(async () => {
  gpu = await openGpu(await dawn())
  buffers = new Buffers(gpu)
})
afterAll(() => buffers?.close())

async function open(name: string): Promise<VisionTower> {
  const source = folderSource(`${folder}/gguf/${name}`)
  const { sees, checkpoint } = await readGguf(source, 'model.gguf')
  const config = parseVision(sees)
  const plan = planVision(config, checkpoint)
  const pipelines = new Pipelines(gpu)
  const loader = new Loader({ gpu, buffers, pipelines, source, checkpoint: plan.checkpoint })
  const weights = loadVision(plan, loader, 'f32')
  await loader.fill()
  await loader.finish()
  return VisionTower.open({ gpu, buffers, pipelines, config, weights })
}

// The second frame of a clip's step counts: two kernels put together the wrong way round are seen by `move` alone.
it.each(['glm4v', 'glm_ocr', 'glm_edge_v'])('%s: what the class makes of every sight', async (name) => {
  const tower = await open(name)
  const { hidden, sights } = json(`${name}.json`)
  const bytes = readFileSync(`${folder}/${name}.f32`)
  for (const [sight, own] of Object.entries(name === 'glm_edge_v' ? levels.edge : levels.sights)) {
    const { tokens, rows } = sights[sight]
    const wanted = new Float32Array(bytes.buffer.slice(bytes.byteOffset + rows, bytes.byteOffset + rows + tokens * hidden * 4))
    const values = pixelValues(levels, pixels, own)
    const patches = buffers.make('pixels', values.byteLength)
    gpu.device.queue.writeBuffer(patches, 0, values)
    const { buffer } = await tower.encode(patches, [own.grid as Grid])
    expect(relativeL2(new Float32Array(await readBack(gpu.device, buffer, 0, wanted.byteLength)), wanted), sight).toBeLessThan(1e-4)
    buffers.free(buffer)
    buffers.free(patches)
  }
  tower.close()
})
