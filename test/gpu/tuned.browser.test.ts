// The record of tuning in the browser's own IndexedDB.
import { clear, createStore, get, set } from 'idb-keyval'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { openGpu } from '../../src/gpu/device.ts'
import { browserMajor, readTuned, type Tuned, tunedKey, tunedStore } from '../../src/gpu/tuned.ts'

const database = createStore('glm-tuned', 'tuned')
const tuned: Tuned = { key: 'this', tasks: { shape: { best: 'fast', times: { now: 1, fast: 0.5, wrong: Infinity } } } }

beforeEach(() => clear(database))
afterEach(() => {
  vi.unstubAllGlobals()
})

test('a record stays, under a name of its own, and another key finds nothing', async () => {
  expect(await readTuned(tunedStore(), 'this')).toEqual({ key: 'this', tasks: {} })
  await tunedStore().put(tuned)
  expect(await readTuned(tunedStore(), 'this')).toEqual(tuned)
  expect(await readTuned(tunedStore(), 'that')).toEqual({ key: 'that', tasks: {} })
  expect(await get('tuned', database)).toEqual(tuned)
  await tunedStore().put({ key: 'that', tasks: {} })
  expect(await readTuned(tunedStore(), 'this')).toEqual({ key: 'this', tasks: {} })
})

test('what somebody else wrote there counts as none', async () => {
  for (const value of ['tuned', null, 7, { key: 'this', tasks: [null] }, { key: 'this', tasks: { shape: { best: 1, times: {} } } }]) {
    await set('tuned', value, database)
    expect(await readTuned(tunedStore(), 'this')).toEqual({ key: 'this', tasks: {} })
  }
})

test('an IndexedDB that throws gives an empty record, and putting rejects', async () => {
  const open = () => {
    throw new DOMException('denied', 'SecurityError')
  }
  vi.stubGlobal('indexedDB', { open })
  expect(await readTuned(tunedStore(), 'this')).toEqual({ key: 'this', tasks: {} })
  await expect(tunedStore().put(tuned)).rejects.toThrow('denied')
})

test('the key names this browser and this adapter', async () => {
  const gpu = await openGpu(navigator.gpu)
  const key = await tunedKey(gpu, ['fn main() {}'])
  gpu.close()
  expect(browserMajor()).toMatch(/^Chrome\/\d+$/)
  expect(key).toContain(`|${browserMajor()}|`)
  expect(key).toContain(gpu.info.vendor)
})
