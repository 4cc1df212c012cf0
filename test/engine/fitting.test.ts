// A model that does not fit: the next smaller format is offered, or with `auto` taken, and told.
import { expect, it } from 'vitest'
import type { Engine, EngineOptions } from '../../src/engine/engine.ts'
import { loadFitting } from '../../src/engine/fitting.ts'
import { GlmError } from '../../src/errors.ts'
import * as formats from '../../src/formats.ts'
import * as tools from '../../src/tools.ts'

const source = { name: 'model', size: async () => 0, read: async () => new Uint8Array() }
const full = new GlmError('out_of_memory', 'The GPU has no room.')

/** Loads on a GPU that takes only what is in `fits`. */
function on(fits: (EngineOptions['weights'] | undefined)[]) {
  const tried: EngineOptions['weights'][] = []
  const warnings: string[] = []
  const load = async ({ weights }: EngineOptions) => {
    tried.push(weights)
    if (!fits.includes(weights)) throw full
    return { weights } as unknown as Engine
  }
  const options = { gpu: undefined, source, formats: async () => formats, plan: async () => tools, load, read: (() => {}) as never }
  return { tried, warnings, options: { ...options, onWarning: ({ message }: GlmError) => warnings.push(message) } }
}

it('what was asked fits: nothing else is tried', async () => {
  const { tried, options } = on(['q8'])
  await loadFitting({ ...options, weights: 'q8' })
  expect(tried).toEqual(['q8'])
})

it.each([
  ['f32', 'f16'],
  ['f16', 'q8'],
  ['q8', 'q4'],
  ['file', 'q4'],
  [undefined, 'q4'],
] as const)('%s does not fit: %s is offered', async (weights, next) => {
  const { tried, warnings, options } = on([])
  await expect(loadFitting({ ...options, weights })).rejects.toMatchObject({
    code: 'out_of_memory',
    message: `The GPU has no room. Or load it with weights ${next}.`,
  })
  expect({ tried, warnings }).toEqual({ tried: [weights], warnings: [] })
})

it('q4 does not fit: nothing smaller is there', async () => {
  await expect(loadFitting({ ...on([]).options, weights: 'q4' })).rejects.toBe(full)
})

it('other faults are not tried again', async () => {
  const fault = new GlmError('file_missing', 'gone')
  const options = { ...on([]).options, load: () => Promise.reject(fault) }
  await expect(loadFitting({ ...options, weights: 'f16' })).rejects.toBe(fault)
})
