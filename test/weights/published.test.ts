// Hashes of whole files: what is not what its publisher says is never used twice.
import { createHash } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import { type CacheOptions, cachedSource } from '../../src/weights/cache.ts'
import { checkPublished } from '../../src/weights/published.ts'
import { readWhole } from '../../src/weights/source.ts'
import { asManifest, listCache } from '../../src/weights/store.ts'
import { bytesOf, MemoryStore, memorySource } from './memory.ts'

const pieceBytes = 1000
const data = bytesOf(20_500)
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const same = (bytes: Uint8Array, wanted: Uint8Array) => expect(Buffer.compare(bytes, wanted)).toBe(0)

let store = new MemoryStore()
beforeEach(() => {
  store = new MemoryStore()
})

function published(hash: string, bytes = data) {
  const made = memorySource(new Map([['data.bin', bytes]]), { chunk: 400 })
  made.source.sha256 = (path) => (path === 'data.bin' ? hash : undefined)
  return made
}
const open = (source: Parameters<typeof cachedSource>[0], options: CacheOptions = {}) =>
  cachedSource(source, { store, pieceBytes, follow: checkPublished, ...options })
const row = () => asManifest(store.rows.get('model:model'))

describe('a published hash', () => {
  test.each(['in order', 'out of order', 'in part'])('that is right, with the file read %s: the row says so', async (how) => {
    const { source, state } = published(sha256(data).toUpperCase())
    const cached = await open(source)
    await cached.size('data.bin')
    if (how === 'out of order') for (let at = 20_000; at >= 0; at -= 1000) await cached.read('data.bin', at, at + 10)
    else if (how === 'in part') await cached.read('data.bin', 9000, 9500)
    else same(await readWhole(cached, 'data.bin'), data)
    await cached.finish()
    cached.close?.()
    expect(row()).toMatchObject({ complete: true })
    expect(row()?.files.get('data.bin')?.sha256).toBe(sha256(data))
    expect(state.streamed).toBe(data.length)
    const second = published(sha256(data))
    const again = await open(second.source)
    same(await readWhole(again, 'data.bin'), data)
    await again.finish()
    expect(second.log).toEqual([])
  })

  test('that is wrong: the load ends with file_invalid, and nothing of the file is used again', async () => {
    const { source } = published(sha256(data))
    const bad = data.slice()
    bad[12_345]! ^= 1
    const wrong = published(sha256(data), bad)
    const cached = await open(wrong.source)
    const reading = readWhole(cached, 'data.bin').then(() => cached.finish())
    await expect(reading).rejects.toMatchObject({ code: 'file_invalid', message: expect.stringContaining('SHA-256') })
    await expect(cached.read('data.bin', 0, 1)).rejects.toMatchObject({ code: 'file_invalid' })
    cached.close?.()
    await new Promise((resolve) => setTimeout(resolve, 10))
    expect(store.rows.size).toBe(0)
    const again = await open(source)
    same(await readWhole(again, 'data.bin'), data)
    await again.finish()
    expect((await listCache(store))[0]).toMatchObject({ complete: true })
  })

  test('of a file in several loads: what was kept is read again, not fetched', async () => {
    const first = published(sha256(data))
    const early = await open(first.source)
    await early.read('data.bin', 3000, 9000)
    early.close?.()
    await new Promise((resolve) => setTimeout(resolve, 10))
    const { source, state } = published(sha256(data))
    const cached = await open(source)
    await cached.read('data.bin', 0, 10)
    await cached.finish()
    expect(state.streamed).toBe(data.length - 6000)
    expect(row()?.files.get('data.bin')?.sha256).toBe(sha256(data))
  })

  test('a wrong piece of an earlier load is found, too', async () => {
    const early = await open(published(sha256(data)).source)
    await early.read('data.bin', 3000, 9000)
    early.close?.()
    await new Promise((resolve) => setTimeout(resolve, 10))
    store.rows.set('part:model/data.bin#4', new Blob([new Uint8Array(1000)]))
    const cached = await open(published(sha256(data)).source)
    await expect(cached.finish()).rejects.toMatchObject({ code: 'file_invalid' })
    expect(store.rows.size).toBe(0)
  })

  test('a mended piece makes the file show its hash again', async () => {
    const cached = await open(published(sha256(data)).source)
    await readWhole(cached, 'data.bin')
    await cached.finish()
    store.rows.delete('part:model/data.bin#4')
    const bad = data.slice()
    bad[4321]! ^= 1
    const again = await open(published(sha256(data), bad).source)
    await readWhole(again, 'data.bin')
    await expect(again.finish()).rejects.toMatchObject({ code: 'file_invalid' })
  })

  test('of a file larger than 64 MiB goes through WebAssembly, piece by piece', async () => {
    const large = new Uint8Array(65 * 2 ** 20 + 1)
    for (let at = 0; at < large.length; at += 4099) large[at] = at & 255
    const made = memorySource(new Map([['data.bin', large]]), { chunk: 2 ** 20 })
    const hash = sha256(large)
    made.source.sha256 = () => hash
    const cached = await cachedSource(made.source, { store, follow: checkPublished })
    await cached.size('data.bin')
    await cached.finish()
    expect(row()?.files.get('data.bin')?.sha256).toBe(hash)
  })

  test('where nothing can be kept, nothing is checked', async () => {
    const { source } = published('00')
    const cached = await open(source, { keep: false })
    same(await readWhole(cached, 'data.bin'), data)
    await cached.finish()
  })
})
