// weights: 'auto' on a real device: the plan chooses, and a smaller format follows where the GPU has less than it seemed.
import { afterEach, beforeAll, expect, it } from 'vitest'
import { readModel } from '../../src/engine/checkpoint.ts'
import { Engine, type EngineOptions } from '../../src/engine/engine.ts'
import { loadFitting } from '../../src/engine/fitting.ts'
import { GlmError } from '../../src/errors.ts'
import * as formats from '../../src/formats.ts'
import { dawn } from '../../src/gpu/dawn.ts'
import * as tools from '../../src/tools.ts'
import { folderSource } from '../../src/weights/folder.ts'

let gpu: GPU
let engine: Engine | undefined
beforeAll(async () => {
  gpu = await dawn()
})
afterEach(() => engine?.close())

const source = folderSource('models/pocket')
const rest = {
  source,
  context: 64,
  chats: false,
  weights: 'auto',
  formats: async () => formats,
  plan: async () => tools,
  read: readModel,
} as const

it.each([
  [1e9, 'f16'],
  [3e6, 'q8'],
] as const)('in %i bytes it is %s', async (memory, weights) => {
  engine = await loadFitting({ ...rest, gpu, memory, load: Engine.load })
  expect(engine.info.weights).toBe(weights)
})

it('a GPU that has less than it seemed: the next smaller one, and it is told', async () => {
  const warnings: GlmError[] = []
  const load = async (options: EngineOptions) => {
    if (options.weights === 'f16') throw new GlmError('out_of_memory', 'The GPU has no room.')
    return Engine.load(options)
  }
  engine = await loadFitting({ ...rest, gpu, memory: 1e9, load, onWarning: (warning) => warnings.push(warning) })
  expect(engine.info.weights).toBe('q8')
  expect(warnings).toMatchObject([{ code: 'out_of_memory', message: expect.stringContaining('loaded as q8') }])
})
