import { expect, test, vi } from 'vitest'
import { checkRoom } from '../../src/weights/room.ts'
import { emptyManifest, newFile, rowKey } from '../../src/weights/store.ts'
import { MemoryStore } from './memory.ts'

const gb = 1e9

test('what does not fit is told with both sizes, before a byte', async () => {
  const store = new MemoryStore()
  const estimate = async () => ({ quota: 5 * gb, usage: 4 * gb })
  await checkRoom('model', 1 * gb, { store, estimate })
  const error = await checkRoom('model', 1.5 * gb, { store, estimate }).catch((reason) => reason)
  expect(error).toMatchObject({ code: 'quota_exceeded' })
  for (const word of ['1500000000', '1000000000', "cache: 'none'"]) expect(error.message).toContain(word)
})

test('what is kept already need not fit again', async () => {
  const store = new MemoryStore()
  const row = emptyManifest('model')
  const file = newFile(3 * 2 ** 20, row.pieceBytes)
  file.hashes.fill(7, 0, 64)
  row.files.set('data.bin', file)
  await store.set(rowKey('model'), row)
  const estimate = async () => ({ quota: 3 * 2 ** 20, usage: 2 * 2 ** 20 })
  await checkRoom('model', 3 * 2 ** 20, { store, estimate })
  await expect(checkRoom('model', 3 * 2 ** 20 + 1, { store, estimate })).rejects.toMatchObject({ code: 'quota_exceeded' })
})

test('where nobody can tell, it passes', async () => {
  const store = new MemoryStore()
  await checkRoom('model', 1e15, { store, estimate: async () => ({}) })
  await checkRoom('model', 1e15, { store, estimate: () => Promise.reject(new Error('no')) })
  await checkRoom('model', 1e15, { store, estimate: () => undefined })
  await checkRoom('model', 1e15, { estimate: vi.fn() }) // no IndexedDB: nothing is kept
  store.fault = () => {
    throw new Error('broken')
  }
  await checkRoom('model', 1, { store, estimate: async () => ({ quota: 5 }) })
})
