// Repair, export, import; and files that loading made.
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { GlmError } from '../../src/errors.ts'
import { cachedSource } from '../../src/weights/cache.ts'
import { exportModel, importModel, manifestName, repairCache } from '../../src/weights/carry.ts'
import { cacheWriter, keptSource } from '../../src/weights/keep.ts'
import { exists, readWhole } from '../../src/weights/source.ts'
import { listCache } from '../../src/weights/store.ts'
import { MemoryFolder } from './folder_memory.ts'
import { bytesOf, MemoryStore, memoryLocks, memorySource } from './memory.ts'

const pieceBytes = 1000
const data = bytesOf(10_500)
const config = new TextEncoder().encode('{"a":1}')
const files = new Map([
  ['data.bin', data],
  ['sub/folder/config.json', config],
  ['empty', new Uint8Array()],
])
const same = (bytes: Uint8Array, wanted: Uint8Array) => expect(Buffer.compare(bytes, wanted)).toBe(0)

let store = new MemoryStore()
let options = { store, pieceBytes }
beforeEach(() => {
  store = new MemoryStore()
  options = { store, pieceBytes }
})

async function load(source = memorySource(files).source, verify: 'always' | 'download' = 'download') {
  const cached = await cachedSource(source, { ...options, verify, origin: { source: 'https://a.example/', revision: 'abc' } })
  for (const [path, bytes] of files) same(await readWhole(cached, path), bytes)
  expect(await exists(cached, 'nothing.json')).toBe(false)
  await cached.finish()
  cached.close?.()
}

describe('repair', () => {
  test('drops what fails, and the next load fetches that alone', async () => {
    await load()
    const bad = data.slice(3000, 4000)
    bad[7]! ^= 1
    store.rows.set('part:model/data.bin#3', new Blob([bad]))
    store.rows.delete('part:model/data.bin#10')
    const progress: number[] = []
    const result = await repairCache('model', { ...options, onBytes: (done, total) => progress.push(done / total) })
    expect(result).toEqual({ checked: 12, dropped: 2, droppedBytes: 1500 })
    expect(progress.at(-1)).toBe(1)
    expect(await repairCache('model', options)).toEqual({ checked: 10, dropped: 0, droppedBytes: 0 })
    const { source, log } = memorySource(files)
    await load(source)
    expect(log.filter((line) => !line.startsWith('size'))).toEqual(['data.bin 3000-4000', 'data.bin 10000-10500'])
  })

  test('of what is not there, and aborted', async () => {
    await expect(repairCache('model', options)).rejects.toMatchObject({ code: 'file_missing' })
    await load()
    await expect(repairCache('model', { ...options, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'aborted' })
  })

  test('waits for a load of the same model', async () => {
    const locks = memoryLocks()
    const cached = await cachedSource(memorySource(files).source, { ...options, locks })
    await readWhole(cached, 'data.bin')
    const repair = repairCache('model', { ...options, locks })
    await new Promise((resolve) => setTimeout(resolve, 10))
    expect(locks.waiting).toBe(1)
    await cached.finish()
    expect(await repair).toMatchObject({ checked: 11, dropped: 0 })
  })
})

describe('export and import', () => {
  test('ordinary files, which another browser loads without network', async () => {
    await load()
    const folder = new MemoryFolder()
    await exportModel('model', folder, options)
    same(folder.files.get('data.bin')!, data)
    same(folder.folders.get('sub')!.folders.get('folder')!.files.get('config.json')!, config)
    expect(folder.files.get('empty')).toHaveLength(0)
    expect(folder.json(manifestName)).toMatchObject({
      name: 'model',
      source: 'https://a.example/',
      revision: 'abc',
      missing: ['nothing.json'],
    })
    store = new MemoryStore()
    options = { store, pieceBytes }
    expect(await importModel(folder, options)).toBe('model')
    expect(await listCache(store)).toMatchObject([{ name: 'model', complete: true, bytes: 10_507, files: 3, revision: 'abc' }])
    const { source, log, state } = memorySource(files)
    state.offline = true
    await load(source, 'always')
    expect(log).toEqual([])
  })

  test('pieces that no load needed stay away on the other side, too', async () => {
    const cached = await cachedSource(memorySource(files).source, options)
    await cached.read('data.bin', 5000, 6000)
    await cached.finish()
    const folder = new MemoryFolder()
    await exportModel('model', folder, options)
    expect(folder.files.get('data.bin')).toHaveLength(10_500)
    store = new MemoryStore()
    options = { store, pieceBytes }
    await importModel(folder, options)
    const { source, log } = memorySource(files)
    const again = await cachedSource(source, options)
    same(await again.read('data.bin', 4500, 6000), data.slice(4500, 6000))
    expect(log).toEqual(['size data.bin', 'data.bin 4000-5000'])
  })

  test('what is not whole, damaged or kept already is refused', async () => {
    const cached = await cachedSource(memorySource(files).source, options)
    await cached.read('data.bin', 0, 10)
    cached.close?.()
    await new Promise((resolve) => setTimeout(resolve, 10))
    const folder = new MemoryFolder()
    await expect(exportModel('model', folder, options)).rejects.toMatchObject({
      code: 'request_invalid',
      message: expect.stringContaining('load it once'),
    })
    await load()
    await exportModel('model', folder, options)
    await expect(importModel(folder, options)).rejects.toMatchObject({ code: 'request_invalid' })
    expect(await listCache(store)).toHaveLength(1)
    store.rows.delete('part:model/data.bin#3')
    await expect(exportModel('model', folder, options)).rejects.toMatchObject({ message: expect.stringContaining('repair') })

    const bad = data.slice()
    bad[5]! ^= 1
    folder.files.set('data.bin', bad)
    store.rows.clear()
    await expect(importModel(folder, options)).rejects.toMatchObject({ code: 'file_invalid' })
    expect(store.rows.size).toBe(0)
    folder.files.set('data.bin', data.slice(1))
    await expect(importModel(folder, options)).rejects.toMatchObject({ code: 'file_invalid' })
    folder.files.delete('data.bin')
    await expect(importModel(folder, options)).rejects.toMatchObject({ code: 'file_missing' })
    await expect(importModel(new MemoryFolder(), options)).rejects.toMatchObject({ code: 'file_invalid' })
    await expect(importModel(folder, { ...options, pieceBytes: 2000 })).rejects.toMatchObject({ code: 'file_invalid' })
  })

  test('a model for which there is no room is refused before its first piece', async () => {
    await load()
    const folder = new MemoryFolder()
    await exportModel('model', folder, options)
    store.rows.clear()
    const tight = { ...options, estimate: async () => ({ quota: 1000, usage: 0 }) }
    await expect(importModel(folder, tight)).rejects.toMatchObject({ code: 'quota_exceeded' })
    expect(store.rows.size).toBe(0)
  })

  test.each(['../data.bin', '/etc/passwd', 'a/../../b', '..\\b', 'a//b', './a', 'C:/x', 'a\0b', '', manifestName])(
    'a list that names %j leads nowhere',
    async (path) => {
      await load()
      const folder = new MemoryFolder()
      await exportModel('model', folder, options)
      const list = folder.json(manifestName)
      list.files[0].path = path
      folder.setJson(manifestName, list)
      store.rows.clear()
      folder.names.length = 0
      await expect(importModel(folder, options)).rejects.toMatchObject({ code: 'file_invalid' })
      expect(folder.names).toEqual([manifestName])
    },
  )

  test('whatever the list holds: a GlmError, or what was exported', async () => {
    await load()
    const folder = new MemoryFolder()
    await exportModel('model', folder, options)
    const text = new TextDecoder().decode(folder.files.get(manifestName)!)
    const list = JSON.parse(text)
    const places: [string, (value: unknown) => unknown][] = [
      ...Object.keys(list).map((field): [string, (value: unknown) => unknown] => [field, (value) => ({ ...list, [field]: value })]),
      ...Object.keys(list.files[0]).map((field): [string, (value: unknown) => unknown] => [
        `files.${field}`,
        (value) => ({ ...list, files: [{ ...list.files[0], [field]: value }, ...list.files.slice(1)] }),
      ]),
    ]
    const check = async () => {
      store.rows.clear()
      try {
        await importModel(folder, options)
        await listCache(store)
      } catch (error) {
        expect(error).toBeInstanceOf(GlmError)
      }
    }
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...places),
        fc.oneof(fc.jsonValue(), fc.constantFrom<unknown>(-1, 1e300, 2 ** 40, 0.1, '../x', [null], { toString: false })),
        async ([, change], value) => {
          folder.setJson(manifestName, change(value))
          await check()
        },
      ),
      { numRuns: 300 },
    )
    await fc.assert(
      fc.asyncProperty(fc.nat(text.length - 1), fc.string({ maxLength: 3 }), async (at, put) => {
        folder.files.set(manifestName, new TextEncoder().encode(text.slice(0, at) + put + text.slice(at + 1)))
        await check()
      }),
      { numRuns: 300 },
    )
  })
})

describe('files that loading made', () => {
  test('are written in any steps, and read back without a source', async () => {
    const writer = await cacheWriter('model#packed', { ...options, origin: { source: 'https://a.example/', licence: 'MIT' } })
    expect(writer.complete).toBe(false)
    const file = await writer.open('data.bin', data.length)
    expect(file.kept).toBe(0)
    for (let at = 0; at < data.length; at += 333) await file.write(data.subarray(at, at + 333))
    await file.close()
    await (await writer.open('empty', 0)).close()
    await writer.finish()
    expect(await listCache(store)).toMatchObject([{ name: 'model#packed', complete: true, bytes: data.length, files: 2, licence: 'MIT' }])
    const cached = await cachedSource(keptSource('model#packed'), { ...options, verify: 'always' })
    same(await readWhole(cached, 'data.bin'), data)
    same(await readWhole(cached, 'empty'), new Uint8Array())
    await expect(cached.size('other')).rejects.toMatchObject({ code: 'file_missing' })
    store.rows.delete('part:model%23packed/data.bin#3')
    const lost = await cachedSource(keptSource('model#packed'), options)
    await expect(readWhole(lost, 'data.bin')).rejects.toMatchObject({ code: 'file_missing' })
  })

  test('go on after a cut from the last whole piece', async () => {
    const first = await cacheWriter('made', options)
    const early = await first.open('data.bin', data.length)
    await early.write(data.subarray(0, 4700))
    await early.close()
    await first.close()
    const second = await cacheWriter('made', options)
    const file = await second.open('data.bin', data.length)
    expect(file.kept).toBe(4000)
    await file.write(data.subarray(4000))
    await expect(file.write(new Uint8Array(1))).rejects.toMatchObject({ code: 'internal' })
    await second.finish()
    same(await readWhole(await cachedSource(keptSource('made'), options), 'data.bin'), data)
    // Of another size: from the start.
    const third = await cacheWriter('made', options)
    expect(third.complete).toBe(true)
    expect((await third.open('data.bin', 9000)).kept).toBe(0)
    expect(store.pieces()).toEqual([])
    expect(third.complete).toBe(false)
    await third.close()
  })

  test('another tab waits, and finds them made', async () => {
    const locks = memoryLocks()
    const first = await cacheWriter('made', { ...options, locks })
    const second = cacheWriter('made', { ...options, locks })
    const stop = new AbortController()
    const third = cacheWriter('made', { ...options, locks, signal: stop.signal })
    third.catch(() => {})
    const file = await first.open('data.bin', data.length)
    await file.write(data)
    stop.abort()
    await expect(third).rejects.toMatchObject({ code: 'aborted' })
    await first.finish()
    expect((await second).complete).toBe(true)
  })

  test('a full disk is told, so that the caller goes on without', async () => {
    const writer = await cacheWriter('made', options)
    const file = await writer.open('data.bin', data.length)
    store.fault = (call) => {
      if (call === 'set') throw Object.assign(new Error('full'), { name: 'QuotaExceededError' })
    }
    await expect(file.write(data)).rejects.toMatchObject({ code: 'quota_exceeded' })
    await expect(cacheWriter('made')).rejects.toMatchObject({ code: 'quota_exceeded' }) // Node has no IndexedDB
  })
})
