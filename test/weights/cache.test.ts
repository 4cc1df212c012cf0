import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Cache } from '../../src/api/types.ts'
import { GlmError } from '../../src/errors.ts'
import { cache } from '../../src/formats.ts'
import { type CacheOptions, cachedSource } from '../../src/weights/cache.ts'
import { httpSource } from '../../src/weights/http.ts'
import { exists, readWhole, type Source } from '../../src/weights/source.ts'
import { cacheSize, deleteFromCache, listCache } from '../../src/weights/store.ts'
import { startServer, type TestServer } from '../server.ts'
import { MemoryStore } from './memory.ts'

const pieceBytes = 1000
const data = Uint8Array.from({ length: 10_500 }, (_, at) => (at * 31 + (at >> 8)) & 255)
const config = new TextEncoder().encode('{"a":1}')

/** Not `toEqual`: printing the difference of long arrays takes minutes. */
const same = (bytes: Uint8Array, wanted: Uint8Array) => expect(Buffer.compare(bytes, wanted)).toBe(0)

/** A source in memory that logs what it is asked. */
function memory(
  files = new Map([
    ['data.bin', data],
    ['config.json', config],
  ]),
) {
  const log: string[] = []
  const state = { etag: '"1"', offline: false }
  const find = (path: string) => {
    if (state.offline) throw new GlmError('network_failed', 'offline')
    const bytes = files.get(path)
    if (!bytes) throw new GlmError('file_missing', path)
    return bytes
  }
  const source: Source = {
    name: 'model',
    async size(path) {
      log.push(`size ${path}`)
      return find(path).length
    },
    async read(path, start, end) {
      log.push(`${path} ${start}-${end}`)
      await new Promise((resolve) => setTimeout(resolve))
      return find(path).slice(start, end)
    },
    etag: () => state.etag,
  }
  return { source, log, state, files }
}

let store = new MemoryStore()
beforeEach(() => {
  store = new MemoryStore()
})

const key = (index: number) => `part:model/data.bin#${index}`
const quotaError = () => Object.assign(new Error('full'), { name: 'QuotaExceededError' })

/** Loads the way the loader does: looks for files, reads some, finishes. */
async function load(source: Source, options: CacheOptions = {}) {
  const pieces: { file: string; bytes: number; cached: boolean }[] = []
  const warnings: GlmError[] = []
  const cached = await cachedSource(source, {
    store,
    pieceBytes,
    onPiece: (piece) => pieces.push(piece),
    onWarning: (warning) => warnings.push(warning),
    ...options,
  })
  expect(await exists(cached, 'nothing.json')).toBe(false)
  expect(await readWhole(cached, 'config.json')).toEqual(config)
  same(await cached.read('data.bin', 0, 10), data.slice(0, 10))
  same(await cached.read('data.bin', 990, 3010), data.slice(990, 3010))
  same(await readWhole(cached, 'data.bin'), data)
  same(await cached.read('data.bin', 5, 9), data.slice(5, 9)) // no longer in memory
  await cached.finish()
  cached.close?.()
  return { pieces, warnings, downloaded: pieces.filter((piece) => !piece.cached).map(({ bytes }) => bytes) }
}

describe('a first and a second load', () => {
  test('each byte is fetched once, in pieces; the row is written last', async () => {
    const { source, log } = memory()
    const { pieces, warnings } = await load(source)
    expect(warnings).toEqual([])
    expect(log.filter((line) => line.startsWith('data.bin')).sort()).toHaveLength(11)
    expect(log).toContain('data.bin 10000-10500')
    expect(log.filter((line) => line.startsWith('size')).sort()).toEqual(['size config.json', 'size data.bin', 'size nothing.json'])
    expect(pieces.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(data.length + config.length)
    expect(pieces.every((piece) => !piece.cached)).toBe(true)
    expect(store.writes.at(-1)).toBe('model:model')
    expect(store.rows.get(key(10))).toBeInstanceOf(Blob)
  })

  test('the second asks the address for nothing, and works offline', async () => {
    await load(memory().source)
    const { source, log, state } = memory()
    state.offline = true
    const digest = vi.spyOn(crypto.subtle, 'digest')
    const { pieces, warnings } = await load(source, { verify: 'always' })
    expect(digest).toHaveBeenCalledTimes(12) // each piece once, though some were read twice
    digest.mockRestore()
    expect(log).toEqual([])
    expect(warnings).toEqual([])
    expect(pieces).toHaveLength(12)
    expect(pieces.every(({ cached }) => cached)).toBe(true)
  })

  test('a file asked for later is fetched then', async () => {
    await load(memory().source)
    const { source, log, files } = memory()
    files.set('new.json', config)
    const cached = await cachedSource(source, { store, pieceBytes })
    expect(await readWhole(cached, 'new.json')).toEqual(config)
    await cached.finish()
    expect(log).toEqual(['size new.json', 'new.json 0-7'])
  })

  test('readers at once share fetches; memory stays small', async () => {
    const { source, log } = memory()
    const cached = await cachedSource(source, { store, pieceBytes })
    const parts = await Promise.all(Array.from({ length: 40 }, (_, at) => cached.read('data.bin', at * 250, at * 250 + 300)))
    parts.forEach((part, at) => {
      expect(part).toEqual(data.slice(at * 250, at * 250 + 300))
    })
    expect(log.filter((line) => line.startsWith('data.bin'))).toHaveLength(11)
  })

  test('ranges outside the file are refused before memory is taken', async () => {
    const cached = await cachedSource(memory().source, { store, pieceBytes })
    await expect(cached.read('data.bin', 0, 2 ** 50)).rejects.toMatchObject({ code: 'file_truncated' })
    await expect(cached.read('data.bin', 0, 1, AbortSignal.abort())).rejects.toMatchObject({ code: 'aborted' })
    expect(await cached.read('data.bin', 5, 5)).toHaveLength(0)
  })

  test('a manifest of another version or piece size counts as none', async () => {
    await load(memory().source)
    expect((await load(memory().source, { pieceBytes: 2000 })).downloaded).toHaveLength(7)
    for (const row of [7, null, 'x', {}, { version: 1 }, { version: 99, files: new Map(), missing: new Set() }]) {
      store.rows.set('model:model', row)
      expect((await load(memory().source)).downloaded).toHaveLength(12)
    }
  })
})

describe('pieces that were lost are fetched again, alone', () => {
  const lost: [string, CacheOptions['verify'], () => void][] = [
    ['missing', 'download', () => store.rows.delete(key(3))],
    ['short', 'download', () => store.rows.set(key(3), new Blob([data.slice(3000, 3500)]))],
    ['not a Blob', 'download', () => store.rows.set(key(3), 'nonsense')],
    [
      'unreadable in the store',
      'download',
      () => {
        store.fault = (call, at) => {
          if (call === 'get' && at === key(3)) throw Object.assign(new Error('Data lost due to missing file'), { name: 'NotReadableError' })
        }
      },
    ],
    [
      'an unreadable Blob',
      'download',
      () => {
        const blob = new Blob([data.slice(3000, 4000)])
        blob.arrayBuffer = () => Promise.reject(new DOMException('gone', 'NotFoundError'))
        store.rows.set(key(3), blob)
      },
    ],
    [
      'damaged, with verify: always',
      'always',
      () => {
        const bad = data.slice(3000, 4000)
        bad[500]! ^= 1
        store.rows.set(key(3), new Blob([bad]))
      },
    ],
  ]
  test.each(lost)('%s', async (_, verify, lose) => {
    await load(memory().source)
    lose()
    const { source, log } = memory()
    const { downloaded, warnings } = await load(source, { verify })
    expect(log).toEqual(['size data.bin', 'data.bin 3000-4000'])
    expect(downloaded).toEqual([1000])
    expect(warnings).toEqual([])
    // Mended: the third load finds it.
    store.fault = undefined
    const third = memory()
    await load(third.source, { verify })
    expect(third.log).toEqual([])
  })

  test('a damaged piece is not looked for unless asked', async () => {
    await load(memory().source)
    const bad = data.slice(3000, 4000)
    bad[500]! ^= 1
    store.rows.set(key(3), new Blob([bad]))
    const cached = await cachedSource(memory().source, { store, pieceBytes })
    expect(await cached.read('data.bin', 3500, 3501)).toEqual(bad.slice(500, 501))
  })

  test.each(['size', 'etag'])('never from a changed file (%s): the entry is dropped, and the next load is whole', async (what) => {
    await load(memory().source)
    store.rows.delete(key(3))
    const { source, state, files } = memory()
    if (what === 'etag') state.etag = '"2"'
    else files.set('data.bin', data.slice(0, 9000))
    const cached = await cachedSource(source, { store, pieceBytes })
    await expect(readWhole(cached, 'data.bin')).rejects.toMatchObject({
      code: 'file_invalid',
      message: expect.stringContaining('load again'),
    })
    cached.close?.()
    expect([...store.rows.keys()]).toEqual([])
    if (what === 'etag') expect((await load(source)).downloaded).toHaveLength(12)
  })

  test('a source that notices a change under way drops the entry too', async () => {
    const { source } = memory()
    const read = source.read.bind(source)
    source.read = async (path, start, end) => {
      if (start === 5000) throw new GlmError('file_invalid', 'changed')
      return read(path, start, end)
    }
    const cached = await cachedSource(source, { store, pieceBytes })
    await expect(readWhole(cached, 'data.bin')).rejects.toMatchObject({ code: 'file_invalid' })
    expect([...store.rows.keys()]).toEqual([])
  })
})

describe('a load that ended early', () => {
  test('is gone on with; what was missing is asked for again', async () => {
    const first = memory()
    const cached = await cachedSource(first.source, { store, pieceBytes })
    await exists(cached, 'tokenizer.json')
    await cached.read('data.bin', 0, 5000)
    cached.close?.()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(await listCache(store)).toMatchObject([{ name: 'model', bytes: 5000, files: 1, complete: false }])

    const second = memory()
    second.files.set('tokenizer.json', config)
    const again = await cachedSource(second.source, { store, pieceBytes })
    expect(await exists(again, 'tokenizer.json')).toBe(true)
    same(await readWhole(again, 'data.bin'), data)
    await again.finish()
    expect(second.log.filter((line) => line.startsWith('data.bin'))).toHaveLength(6)
    expect(await listCache(store)).toMatchObject([{ bytes: 10_500, files: 2, complete: true }])
  })

  test('after a crash the pieces that a row names are there, others are fetched again', async () => {
    const cached = await cachedSource(memory().source, { store, pieceBytes })
    await cached.read('data.bin', 0, 5000)
    await cached.read('data.bin', 5000, 6000)
    // Nothing is closed or finished. The first piece wrote a row at once; later ones wait up to a second.
    const { source, log } = memory()
    await load(source)
    const fetched = log.filter((line) => line.startsWith('data.bin'))
    expect(fetched.length).toBeLessThan(11)
    expect(fetched).toContain('data.bin 10000-10500')
  })
})

describe('where files cannot be kept', () => {
  test('a full disk: the load goes on, and says so once', async () => {
    let left = 4
    store.fault = (call) => {
      if (call === 'set' && left-- <= 0) throw quotaError()
    }
    const { warnings, pieces } = await load(memory().source)
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatchObject({ code: 'quota_exceeded', message: expect.stringContaining('no room') })
    expect(pieces).toHaveLength(12)
    store.fault = undefined
    expect((await load(memory().source)).warnings).toEqual([])
  })

  test.each(['get', 'set'] as const)('a store whose %s throws', async (call) => {
    store.fault = (at) => {
      if (at === call) throw new Error('broken')
    }
    const { warnings } = await load(memory().source)
    expect(warnings).toMatchObject([{ code: 'quota_exceeded', message: expect.stringContaining('IndexedDB') }])
  })

  test('no IndexedDB (Node)', async () => {
    const { source } = memory()
    const { warnings, pieces } = await load(source, { store: undefined })
    expect(warnings).toHaveLength(1)
    expect(pieces.every(({ cached }) => !cached)).toBe(true)
    const surface: Omit<Cache, 'persist'> = cache
    expect(await surface.list()).toEqual([])
    expect(await surface.size()).toBe(0)
    await surface.delete('model')
  })

  test('faults of the network are thrown, and leave what is whole', async () => {
    const { source, state } = memory()
    const cached = await cachedSource(source, { store, pieceBytes })
    await cached.read('data.bin', 0, 3000)
    state.offline = true
    await expect(readWhole(cached, 'data.bin')).rejects.toMatchObject({ code: 'network_failed' })
    state.offline = false
    same(await readWhole(cached, 'data.bin'), data)
  })
})

describe('kept meanwhile', () => {
  const open = (options: CacheOptions = {}) => cachedSource(memory().source, { store, pieceBytes, keep: 'meanwhile', ...options })
  const pieces = () => [...store.rows.keys()].filter((key) => key.startsWith('part:')).length

  test('pieces that lie wholly inside a range are dropped, at once; finished, nothing is left', async () => {
    const cached = await open()
    same(await readWhole(cached, 'data.bin'), data)
    const deleted = vi.spyOn(store, 'delete')
    await cached.drop([
      { file: 'data.bin', start: 1001, end: 4999 },
      { file: 'data.bin', start: 8000, end: Number.POSITIVE_INFINITY },
      { file: 'other.bin', start: 0, end: 5000 },
    ])
    await cached.drop([{ file: 'data.bin', start: 2000, end: 4000 }])
    expect(deleted.mock.calls).toEqual([[[2, 3, 8, 9, 10].map(key)]])
    same(await cached.read('data.bin', 0, 10_500), data) // fetched again where it must be
    await cached.finish()
    expect(store.rows.size).toBe(0)
    expect(await readWhole(cached, 'config.json')).toEqual(config)
    await cached.close()
    expect(store.rows.size).toBe(0)
  })

  test('a cut leaves what was not dropped; a row that names a dropped piece does no harm', async () => {
    const cached = await open()
    await cached.read('data.bin', 0, 6000)
    const row = structuredClone(store.rows.get('model:model'))
    await cached.drop([{ file: 'data.bin', start: 0, end: 3000 }])
    await cached.close()
    expect(pieces()).toBe(3)
    store.rows.set('model:model', row)
    const { source, log } = memory()
    const again = await cachedSource(source, { store, pieceBytes, keep: 'meanwhile' })
    same(await readWhole(again, 'data.bin'), data)
    expect(log.filter((line) => line.startsWith('data.bin'))).toHaveLength(8)
    await again.finish()
    expect(store.rows.size).toBe(0)
  })

  test('the network does not run ahead to the end of the file', async () => {
    const { source, log } = memory()
    const cached = await cachedSource(source, { store, pieceBytes: 100, memoryBytes: 2000, keep: 'meanwhile' })
    await cached.size('data.bin')
    cached.announce([{ file: 'data.bin', start: 0, end: data.length }])
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(log.length).toBeLessThanOrEqual(21)
    same(await readWhole(cached, 'data.bin'), data)
    await cached.close()
  })

  test('what was kept before stays, and its follower is asked; of the rest nobody is', async () => {
    const follow = vi.fn(() => ({ kept: vi.fn(), finish: vi.fn(async () => {}) }))
    const first = await open({ follow })
    await first.read('data.bin', 0, 3000)
    await first.finish()
    expect(follow.mock.results[0]!.value.kept).not.toHaveBeenCalled()
    expect(follow.mock.results[0]!.value.finish).not.toHaveBeenCalled()
    await load(memory().source)
    const { size } = store.rows
    store.rows.delete(key(3))
    const again = await open({ follow })
    same(await readWhole(again, 'data.bin'), data)
    await again.drop([{ file: 'data.bin', start: 0, end: data.length }])
    await again.drop()
    await again.finish()
    expect(store.rows.size).toBe(size)
    expect(follow.mock.results[1]!.value.finish).toHaveBeenCalledOnce()
  })

  test('a full disk is no reason for a warning, and pieces are dropped there too', async () => {
    let left = 6
    store.fault = (call) => {
      if (call === 'set' && left-- <= 0) throw quotaError()
    }
    const onWarning = vi.fn()
    const cached = await open({ onWarning })
    same(await readWhole(cached, 'data.bin'), data)
    expect(pieces()).toBeGreaterThan(2)
    await cached.drop([{ file: 'data.bin', start: 0, end: data.length }])
    expect(pieces()).toBe(0)
    await cached.finish()
    expect(store.rows.size).toBe(0)
    expect(onWarning).not.toHaveBeenCalled()
  })
})

test('list, size and delete keep models apart', async () => {
  const other = { ...memory().source, name: 'model/data.bin' }
  await load(memory().source)
  await load(other)
  expect((await listCache(store)).map(({ name, bytes, files, complete }) => [name, bytes, files, complete])).toEqual([
    ['model', data.length + config.length, 2, true],
    ['model/data.bin', data.length + config.length, 2, true],
  ])
  expect(await cacheSize(store)).toBe(2 * (data.length + config.length))
  await deleteFromCache('model', store)
  expect((await listCache(store)).map(({ name }) => name)).toEqual(['model/data.bin'])
  expect(await cacheSize(store)).toBe(data.length + config.length)
  expect([...store.rows.keys()]).toHaveLength(13)
  await deleteFromCache('model/data.bin', store)
  expect([...store.rows.keys()]).toEqual([])
})

describe('over http', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await startServer({ files: { 'data.bin': data, 'config.json': config } })
  })
  afterAll(() => server.close())

  test('the second load sends no request; a lost piece sends its own range', async () => {
    const source = () => httpSource({ base: server.url, name: 'model' })
    await load(source())
    server.log.length = 0
    await load(source())
    expect(server.log).toEqual([])
    store.rows.delete(key(3))
    await load(source())
    expect(server.log.map(({ path, range }) => [path, range])).toEqual([
      ['data.bin', 'bytes=0-1'],
      ['data.bin', 'bytes=3000-3999'],
    ])
  })
})
