// What the tests of the tuner share: an adapter, a task, and a store that can be looked into.
import type { AdapterInfo } from '../../src/api/types.ts'
import type { Tuned, TunedStore } from '../../src/gpu/tuned.ts'
import type { Task, Variant } from '../../src/gpu/tuner.ts'

export const info: AdapterInfo = {
  vendor: 'nvidia',
  architecture: 'hopper',
  description: '',
  software: false,
  f16: true,
  subgroups: true,
  maxBufferSize: 2 ** 30,
  maxStorageBufferBindingSize: 2 ** 30,
}

export const task = (current: string, variants: Variant[], key = 'shape', weight = 1): Task => ({ key, weight, current, variants })

/** A store, and what it was given each time. */
export function shelf(found?: unknown) {
  const puts: Tuned[] = []
  const store: TunedStore = {
    get: async () => puts.at(-1) ?? found,
    put: async (tuned) => {
      puts.push(structuredClone(tuned))
    },
  }
  return { store, puts }
}
