// Vision towers of tiny random models against the real classes, and against the f64 twin over the weights as they stand on the GPU.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest'
import { Buffers, readBack } from '../../src/gpu/buffers.ts'
import { dawn } from '../../src/gpu/dawn.ts'
import { type Gpu, openGpu } from '../../src/gpu/device.ts'
import { Pipelines } from '../../src/gpu/pipeline.ts'
import type { Format } from '../../src/kernels/matrix.ts'
import { type Grid, loadVision, parseVision, planVision, tokensOf, VisionTower } from '../../src/model/vision.ts'
import { folderSource } from '../../src/weights/folder.ts'
import { Loader } from '../../src/weights/load.ts'
import { openCheckpoint } from '../../src/weights/safetensors.ts'
import type { Checkpoint } from '../../src/weights/tensor.ts'
import { numbers } from '../kernels/run.ts'
import { type Levels, pixelValues } from '../reference/sights.ts'
import { loadVision as loadTwin, see } from '../reference/vision.ts'
import { relativeL2 } from '../reference.ts'
import { dequantised } from './held_tower.ts'

const folder = fileURLToPath(new URL('../fixtures/vision', import.meta.url))
const json = (name: string) => JSON.parse(readFileSync(`${folder}/${name}`, 'utf8'))
const levels: Levels = json('levels.json')
const pixels = new Uint8Array(readFileSync(`${folder}/levels.bin`))
const names = ['glm4v', 'glm46v', 'glm_ocr', 'glm_edge_v'] as const

interface Golden {
  hidden: number
  sights: Record<string, { tokens: number; patches: number; rows: number }>
}

const sightsOf = (name: string) => (name === 'glm_edge_v' ? levels.edge : levels.sights)

function expected(name: string, sight: string): Float32Array {
  const golden: Golden = json(`${name}.json`)
  const { tokens, rows } = golden.sights[sight]!
  const bytes = readFileSync(`${folder}/${name}.f32`)
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset + rows, bytes.byteOffset + rows + tokens * golden.hidden * 4))
}

const values = (name: string, sight: string) => pixelValues(levels, pixels, sightsOf(name)[sight]!)
const gridOf = (name: string, sight: string) => sightsOf(name)[sight]!.grid as Grid

let gpu: Gpu
let buffers: Buffers
let pipelines: Pipelines
beforeAll(async () => {
  gpu = await openGpu(await dawn())
  buffers = new Buffers(gpu)
  pipelines = new Pipelines(gpu)
})
afterAll(() => buffers?.close())

type Limits = NonNullable<Parameters<typeof VisionTower.open>[0]['limits']>

async function open(name: string, format: Format, options: { limits?: Limits; rename?: (tensor: string) => string; gpu?: Gpu } = {}) {
  const source = folderSource(`${folder}/${name}`)
  const config = parseVision(json(`${name}/config.json`))
  const plan = planVision(config, renamed(await openCheckpoint(source), options.rename))
  const loader = new Loader({ gpu, buffers, pipelines, source, checkpoint: plan.checkpoint })
  const weights = loadVision(plan, loader, format)
  await loader.fill()
  await loader.finish()
  return {
    tower: VisionTower.open({
      gpu: options.gpu ?? gpu,
      buffers,
      pipelines,
      config,
      weights,
      ...(options.limits ? { limits: options.limits } : {}),
    }),
    weights,
  }
}

function renamed(checkpoint: Checkpoint, rename = (tensor: string) => tensor): Checkpoint {
  return {
    ...checkpoint,
    tensors: new Map([...checkpoint.tensors].map(([name, entry]) => [rename(name), { ...entry, name: rename(name) }])),
  }
}

function upload(...all: Float32Array<ArrayBuffer>[]): GPUBuffer {
  const buffer = buffers.make(
    'pixels',
    all.reduce((sum, { byteLength }) => sum + byteLength, 0),
  )
  let at = 0
  for (const one of all) {
    gpu.device.queue.writeBuffer(buffer, at, one)
    at += one.byteLength
  }
  return buffer
}

async function encode(tower: VisionTower, patches: GPUBuffer, grids: Grid[]): Promise<Float32Array> {
  const { buffer, tokens } = await tower.encode(patches, grids)
  expect(tokens).toBe(grids.reduce((sum, grid) => sum + tokensOf(tower.config, grid), 0))
  const own = new Float32Array(await readBack(gpu.device, buffer, 0, tokens * tower.config.text * 4))
  buffers.free(buffer)
  return own
}

describe.each(names)('%s', (name) => {
  it('f32: what the class makes of every sight, each alone and all at once', async () => {
    const { tower } = await open(name, 'f32')
    const sights = Object.keys(sightsOf(name))
    const apart: number[] = []
    for (const sight of sights) {
      const patches = upload(values(name, sight))
      const own = await encode(tower, patches, [gridOf(name, sight)])
      expect(relativeL2(own, expected(name, sight)), sight).toBeLessThan(1e-4)
      apart.push(...own)
      buffers.free(patches)
    }
    const all = upload(...sights.map((sight) => values(name, sight)))
    expect(
      Array.from(
        await encode(
          tower,
          all,
          sights.map((sight) => gridOf(name, sight)),
        ),
      ),
    ).toEqual(apart)
    tower.close()
  })
})

const formats = inject('adapter') === 'lavapipe' ? (['f16', 'q8', 'q4'] as const) : (['q8'] as const)
it.each(names.flatMap((name) => formats.map((format) => [name, format] as const)))('%s in %s', async (name, format) => {
  const { tower, weights } = await open(name, format)
  const twin = await dequantised(gpu.device, weights, loadTwin(`${folder}/${name}`))
  for (const sight of Object.keys(sightsOf(name)).slice(0, 2)) {
    const patches = upload(values(name, sight))
    const grid = gridOf(name, sight)
    const wanted = see(twin, values(name, sight), [[...grid]]).rows
    expect(relativeL2(await encode(tower, patches, [grid]), wanted), sight).toBeLessThan(3e-3)
    buffers.free(patches)
  }
  tower.close()
})

/** Noise as a large picture: more chunks than one. */
function noise(patches: number, width: number): Float32Array<ArrayBuffer> {
  return new Float32Array(numbers(patches).array(patches * width))
}

it('chunks and batches of any size give the same bits, and they are those of the twin', async () => {
  const grids: Grid[] = [
    [1, 18, 20],
    [5, 4, 6],
    [2, 2, 2],
    [1, 2, 2],
  ]
  const pictures = noise(360 + 120 + 8 + 4, 1176)
  const patches = upload(pictures)
  const results = []
  for (const limits of [
    { chunk: 64, batch: 1 },
    { chunk: 64, batch: 70 },
    { chunk: 256, batch: 1000 },
  ]) {
    const { tower } = await open('glm_ocr', 'f32', { limits })
    results.push(await encode(tower, patches, grids))
    // A GPU so slow that dispatches become submits of their own, and the attention of the large picture two.
    let now = 0
    const slow = vi.spyOn(performance, 'now').mockImplementation(() => (now += 1000))
    try {
      results.push(await encode(tower, patches, grids))
      expect(now / 2000).toBeGreaterThan(25)
    } finally {
      slow.mockRestore()
    }
    tower.close()
  }
  const wanted = see(
    loadTwin(`${folder}/glm_ocr`),
    pictures,
    grids.map((grid) => [...grid]),
  ).rows
  expect(relativeL2(results[0]!, wanted)).toBeLessThan(1e-4)
  for (const other of results.slice(1)) expect(other).toEqual(results[0])
})

it('tensors without the prefix of transformers 5, and a room that grows and is used again', async () => {
  const { tower } = await open('glm46v', 'f32', { rename: (tensor) => tensor.replace('model.visual.', 'visual.') })
  const [small, large] = ['pair', 'square'].map((sight) => ({ sight, patches: upload(values('glm46v', sight)) }))
  for (const { sight, patches } of [small!, large!, small!]) {
    expect(relativeL2(await encode(tower, patches, [gridOf('glm46v', sight)]), expected('glm46v', sight))).toBeLessThan(1e-4)
  }
  tower.close()
})

const fixed = { glm4v: [9, 6], glm_ocr: [7, 6], glm_edge_v: [8, 7] } as const
it.each(Object.entries(fixed))('%s: %j dispatches around the blocks, and in each', async (name, [around, each]) => {
  const { tower } = await open(name, 'q8')
  const patches = upload(values(name, 'wide'))
  let dispatches = 0
  const { device } = gpu
  const create = device.createCommandEncoder
  device.createCommandEncoder = (...own) => {
    const encoder = create.apply(device, own)
    const begin = encoder.beginComputePass
    encoder.beginComputePass = (...which) => {
      const pass = begin.apply(encoder, which)
      const dispatch = pass.dispatchWorkgroups
      pass.dispatchWorkgroups = (...groups) => {
        dispatches++
        dispatch.apply(pass, groups)
      }
      return pass
    }
    return encoder
  }
  try {
    await encode(tower, patches, [gridOf(name, 'wide')])
  } finally {
    device.createCommandEncoder = create
  }
  expect(dispatches).toBe(around + 2 * each)
  tower.close()
})

describe('what can go wrong', () => {
  it('grids that cannot be seen', async () => {
    const { tower } = await open('glm4v', 'q8')
    const patches = upload(values('glm4v', 'wide'))
    const faults: [Grid[], string, RegExp][] = [
      [[], 'request_invalid', /no picture/],
      [[[1, 3, 4]], 'request_invalid', /multiples of 2/],
      [[[1.5, 2, 2]], 'request_invalid', /multiples of 2/],
      [[[0, 2, 2]], 'request_invalid', /multiples of 2/],
      [[[1, 8, 8]], 'request_invalid', /fewer than the 64 patches/],
      [[[1, 4000, 4000]], 'out_of_memory', new RegExp(`${tower.most} .*lower maxPixels`)],
    ]
    for (const [grids, code, message] of faults) {
      await expect(tower.encode(patches, grids)).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
    }
    expect(tower.most % 64).toBe(0)
    // Nothing is left over, and the next picture is seen.
    expect(await encode(tower, patches, [gridOf('glm4v', 'wide')])).toHaveLength(12 * 64)
    tower.close()
  })

  it('a model of one size sees no other', async () => {
    const { tower } = await open('glm_edge_v', 'q8')
    const patches = upload(values('glm_edge_v', 'wide'))
    await expect(tower.encode(patches, [[1, 4, 16]])).rejects.toMatchObject({ code: 'request_invalid' })
    tower.close()
  })

  it('stopped and closed under way: nothing stays', async () => {
    const { tower } = await open('glm4v', 'q8')
    const sights = ['wide', 'tall', 'square', 'wide', 'tall', 'square']
    const patches = upload(...sights.map((sight) => values('glm4v', sight)))
    const grids = sights.map((sight) => gridOf('glm4v', sight))
    const before = buffers.bytes
    const told: number[] = []
    const stop = new AbortController()
    const onProgress = ({ loaded, total }: { loaded: number; total: number }) => {
      expect(total).toBe(320)
      told.push(loaded)
      if (loaded >= 96) stop.abort()
    }
    await expect(tower.encode(patches, grids, { signal: stop.signal, onProgress })).rejects.toMatchObject({ code: 'aborted' })
    expect(told.at(-1)).toBeLessThan(320)
    expect(told).toEqual([...told].sort((a, b) => a - b))
    const all: number[] = []
    const { buffer } = await tower.encode(patches, grids, { onProgress: ({ loaded }) => all.push(loaded) })
    expect(all.at(-1)).toBe(320)
    buffers.free(buffer)
    const running = tower.encode(patches, grids, { onProgress: () => tower.close() })
    await expect(running).rejects.toMatchObject({ code: 'closed' })
    await expect(tower.encode(patches, grids)).rejects.toMatchObject({ code: 'closed' })
    expect(buffers.bytes).toBe(before)
  })
})
