// What tuning found, kept from load to load: one record, of one adapter, one browser version and one set of kernels. Any other counts as none.
import { createStore, get, set } from 'idb-keyval'
import type { Gpu } from './device.ts'

/** The state of one task. */
export interface Tuning {
  /** Id of the fastest right variant so far. */
  best: string
  /** By variant id: time over that of the variant that was best at first. Infinity: wrong, too slow, or it did not come back. */
  times: Record<string, number>
}

export interface Tuned {
  key: string
  tasks: Record<string, Tuning>
}

export interface TunedStore {
  get(): Promise<unknown>
  put(tuned: Tuned): Promise<void>
}

/** What a record holds for. A driver's update shows in the description where the browser tells it, else with the next browser version. */
export async function tunedKey({ device, info, limits }: Gpu, sources: readonly string[]): Promise<string> {
  const { device: model = '', subgroupMinSize = 0, subgroupMaxSize = 0 } = device.adapterInfo ?? {}
  const adapter = [info.vendor, info.architecture, model, info.description]
  const abilities = [info.f16 ? 'f16' : '', info.subgroups ? `subgroups ${subgroupMinSize}-${subgroupMaxSize}` : '']
  return [...adapter, ...abilities, limits.binding, limits.buffer, browserMajor(), await hash(sources)].join('|')
}

/** `Chrome/156`, `Version/18` for Safari, `Node.js/22`; all of an agent that says nothing of the kind. */
export function browserMajor(agent: string = globalThis.navigator?.userAgent ?? `Node.js/${process.versions.node}`): string {
  return /(Chrome|CriOS|Firefox|Version|Node\.js)\/\d+/.exec(agent)?.[0] ?? agent
}

/** The record under `key`, empty where there is none that can be used. */
export async function readTuned(store: TunedStore, key: string): Promise<Tuned> {
  const found = (await store.get().catch(() => undefined)) as Partial<Tuned> | null | undefined
  return found?.key === key && isTasks(found.tasks) ? { key, tasks: found.tasks } : { key, tasks: {} }
}

/** IndexedDB where there is one; otherwise the record lives as long as the process. */
export function tunedStore(): TunedStore {
  if (typeof indexedDB === 'undefined') return memory
  const database = createStore('glm-tuned', 'tuned')
  return { get: async () => get('tuned', database), put: async (tuned) => set('tuned', tuned, database) }
}

let remembered: Tuned | undefined
const memory: TunedStore = {
  get: async () => structuredClone(remembered),
  async put(tuned) {
    remembered = structuredClone(tuned)
  },
}

function isTasks(value: unknown): value is Tuned['tasks'] {
  const isObject = (one: unknown) => typeof one === 'object' && one !== null
  const isTuning = ({ best, times }: Partial<Tuning>) =>
    typeof best === 'string' && isObject(times) && Object.values(times!).every((time) => typeof time === 'number')
  return isObject(value) && Object.values(value as object).every((one) => isObject(one) && isTuning(one))
}

async function hash(sources: readonly string[]): Promise<string> {
  const bytes = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(sources.join('\0')))
  return Array.from(new Uint8Array(bytes, 0, 8), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
