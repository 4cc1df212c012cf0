// Reading ahead, resuming, memory bounds, locks: what a load costs the network, the memory and the next load.
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { GlmError } from '../../src/errors.ts'
import { type CacheOptions, cachedSource } from '../../src/weights/cache.ts'
import { httpSource } from '../../src/weights/http.ts'
import { readWhole } from '../../src/weights/source.ts'
import { listCache } from '../../src/weights/store.ts'
import { startServer, type TestServer } from '../server.ts'
import { bytesOf, MemoryStore, memoryLocks, memorySource } from './memory.ts'

const pieceBytes = 1000
const size = 100_500
const data = bytesOf(size)
const lanes = 5

const same = (bytes: Uint8Array, wanted: Uint8Array) => expect(Buffer.compare(bytes, wanted)).toBe(0)
const soon = (ms = 20) => new Promise((resolve) => setTimeout(resolve, ms))
const whole = [{ file: 'data.bin', start: 0, end: size }]

let store = new MemoryStore()
let server: TestServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.close())
beforeEach(() => {
  store = new MemoryStore()
  server.files.clear()
  server.files.set('data.bin', data)
  server.faults.clear()
  server.log.length = 0
})

const http = () => httpSource({ base: server.url, name: 'model', pause: 5 })
const open = (options: CacheOptions = {}) => cachedSource(http(), { store, pieceBytes, ...options })
/** Ranges of pieces, without the two bytes that tell the size. */
const ranges = () =>
  server.log.flatMap(({ range }) => {
    const [, start, last] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? []
    return last && last !== '1' ? [[Number(start), Number(last) + 1] as const] : []
  })
const asked = () => ranges().reduce((sum, [start, end]) => sum + end - start, 0)
const sent = () => server.log.reduce((sum, { sent, range }) => sum + (range === 'bytes=0-1' ? 0 : sent), 0)

describe('running ahead', () => {
  test('in the announced order, five requests at once, each of up to eight pieces; every byte once', async () => {
    const { source, log, state } = memorySource(new Map([['data.bin', data]]), { chunk: 700 })
    const cached = await cachedSource(source, { store, pieceBytes })
    await cached.size('data.bin')
    cached.announce([
      { file: 'data.bin', start: 50_000, end: size },
      { file: 'data.bin', start: 0, end: 50_500 },
      { file: 'unknown.bin', start: 0, end: 5 },
    ])
    same(await cached.read('data.bin', 50_000, 60_000), data.slice(50_000, 60_000))
    same(await readWhole(cached, 'data.bin'), data)
    await cached.finish()
    const starts = log.filter((line) => line.startsWith('data.bin')).map((line) => Number(/ (\d+)-/.exec(line)?.[1]))
    expect(starts.slice(0, 5)).toEqual([50_000, 58_000, 66_000, 74_000, 82_000])
    expect(starts).toHaveLength(14)
    expect(state.most).toBe(lanes)
    expect(state.streamed).toBe(size)
  })

  test('what a reader waits for comes before what was announced', async () => {
    const { source, log } = memorySource(new Map([['data.bin', data]]), { chunk: 1000 })
    const cached = await cachedSource(source, { store, pieceBytes })
    await cached.size('data.bin')
    cached.announce(whole)
    await cached.read('data.bin', 99_000, 99_010)
    const at = log.findIndex((line) => line.startsWith('data.bin 99000'))
    expect(at).toBeGreaterThan(0)
    expect(at).toBeLessThan(8)
    cached.close?.()
  })

  test('a fault that nobody waits for stops it; the next reader tries again', async () => {
    const { source, log, state } = memorySource(new Map([['data.bin', data]]), { chunk: 1000 })
    const cached = await cachedSource(source, { store, pieceBytes })
    await cached.size('data.bin')
    state.offline = true
    cached.announce(whole)
    await soon()
    expect(log.length).toBeLessThan(10)
    await expect(cached.read('data.bin', 0, 10)).rejects.toMatchObject({ code: 'network_failed' })
    state.offline = false
    same(await readWhole(cached, 'data.bin'), data)
  })

  test('with nothing kept: no store, no warning, and the memory is bounded while the reader sleeps', async () => {
    const memoryBytes = 20_000
    const { source, state } = memorySource(new Map([['data.bin', data]]), { chunk: 333 })
    const warnings: GlmError[] = []
    const cached = await cachedSource(source, { keep: false, pieceBytes, memoryBytes, onWarning: (warning) => warnings.push(warning) })
    await cached.size('data.bin')
    cached.announce(whole)
    let most = 0
    for (let at = 0; at < size; at += 500) {
      same(await cached.read('data.bin', at, at + 500), data.slice(at, at + 500))
      if (at % 5000 === 0) await soon(5)
      most = Math.max(most, state.streamed - at)
    }
    expect(state.streamed).toBe(size)
    expect(most).toBeGreaterThan(memoryBytes / 2)
    expect(most).toBeLessThanOrEqual(memoryBytes + 2 * pieceBytes)
    expect(warnings).toEqual([])
    await cached.finish()
    cached.close?.()
  })

  test('a slow disk holds the network back: two pieces a request', async () => {
    const { source, state } = memorySource(new Map([['data.bin', data]]), { chunk: 333 })
    let most = 0
    store.pause = async () => {
      most = Math.max(most, state.streamed - store.pieces().length * pieceBytes)
      await soon(2)
    }
    const cached = await cachedSource(source, { store, pieceBytes, memoryBytes: 10_000 })
    await cached.size('data.bin')
    cached.announce(whole)
    await vi.waitFor(() => expect(state.streamed).toBe(size), { timeout: 10_000 })
    expect(most).toBeLessThanOrEqual(lanes * (2 * pieceBytes + 333))
    same(await readWhole(cached, 'data.bin'), data) // from disk, for the most part
    expect(state.streamed).toBe(size)
  })
})

describe('a load that was cut', () => {
  /** Reads until the server holds every connection, then ends: well, or like a closed tab, whose disk stays as it was at that moment. */
  async function cut(after: number, end: 'close' | 'kill' = 'kill') {
    const cached = await open()
    await cached.size('data.bin')
    server.faults.set('data.bin', { kind: 'hold', after })
    cached.announce(whole)
    await vi.waitFor(() => expect(store.pieces()).toHaveLength(lanes * Math.floor(after / pieceBytes)), { timeout: 5000 })
    const disk = new MemoryStore()
    disk.rows = new Map(store.rows)
    cached.close?.()
    await soon()
    if (end === 'kill') store = disk
    server.faults.clear()
  }

  test.each(['kill', 'close'] as const)('%s: each open request costs less than one piece', async (end) => {
    await cut(4700, end)
    const before = sent()
    server.log.length = 0
    const cached = await open()
    same(await readWhole(cached, 'data.bin'), data)
    await cached.finish()
    expect(before).toBe(lanes * 4700)
    expect(before + asked() - size).toBe(lanes * 700)
    // And nothing the third time.
    server.log.length = 0
    same(await readWhole(await open(), 'data.bin'), data)
    expect(server.log).toEqual([])
  })

  test('pieces that no row names are not taken where they are of the wrong length', async () => {
    await cut(4700)
    const keys = store.pieces()
    store.rows.set(keys[1]!, new Blob([data.slice(0, 999)]))
    store.rows.set(keys[2]!, 'nonsense')
    store.rows.set('part:model/other.bin#0', new Blob([data.slice(0, 1000)]))
    store.rows.set('part:model/data.bin#x', new Blob([data.slice(0, 1000)]))
    same(await readWhole(await open(), 'data.bin'), data)
  })

  test('several cuts in a row on one line', async () => {
    const cached = await open()
    await cached.size('data.bin')
    server.faults.set('data.bin', { kind: 'cut', after: 2300, times: 12 })
    cached.announce(whole)
    same(await readWhole(cached, 'data.bin'), data)
    expect(sent()).toBe(size)
  })

  test('a file that changed in between is not stitched together', async () => {
    await cut(4700)
    const other = data.map((byte) => byte ^ 1)
    server.files.set('data.bin', other)
    const cached = await open()
    await expect(readWhole(cached, 'data.bin')).rejects.toMatchObject({ code: 'file_invalid' })
    cached.close?.()
    await soon()
    expect(store.rows.size).toBe(0)
    same(await readWhole(await open(), 'data.bin'), other)
  })

  test('a file that changes under way ends the load, and leaves nothing', async () => {
    const cached = await open()
    await cached.read('data.bin', 0, 5000)
    server.files.set(
      'data.bin',
      data.map((byte) => byte ^ 1),
    )
    await expect(readWhole(cached, 'data.bin')).rejects.toMatchObject({ code: 'file_invalid' })
    cached.close?.()
    await soon()
    expect(store.rows.size).toBe(0)
  })

  test('abort ends within a second, though the server says nothing, and keeps what is whole', async () => {
    server.faults.set('data.bin', { kind: 'hold', after: 2500, skip: 1 })
    const stop = new AbortController()
    const cached = await open()
    const reading = readWhole(cached, 'data.bin', stop.signal)
    reading.catch(() => {})
    await vi.waitFor(() => expect(store.pieces().length).toBeGreaterThanOrEqual(4), { timeout: 5000 })
    const from = performance.now()
    stop.abort(new Error('enough'))
    const error = await reading.catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'aborted', cause: expect.objectContaining({ message: 'enough' }) })
    cached.close?.()
    await soon()
    expect(performance.now() - from).toBeLessThan(1000)
    expect((await listCache(store))[0]).toMatchObject({ bytes: store.pieces().length * pieceBytes, complete: false })
  })

  test('one reader that aborts does not stop another', async () => {
    server.faults.set('data.bin', { kind: 'dribble', after: 500, skip: 1 })
    const stop = new AbortController()
    const cached = await open()
    const first = cached.read('data.bin', 0, 8000, stop.signal)
    const second = cached.read('data.bin', 0, 8000)
    setTimeout(() => stop.abort(), 30)
    await expect(first).rejects.toMatchObject({ code: 'aborted' })
    same(await second, data.slice(0, 8000))
  })
})

describe('two loads of one model', () => {
  test('the second waits, then asks for nothing', async () => {
    const locks = memoryLocks()
    const load = async () => {
      const cached = await open({ locks })
      const bytes = await readWhole(cached, 'data.bin')
      await cached.finish()
      cached.close?.()
      return bytes
    }
    for (const bytes of await Promise.all([load(), load(), load()])) same(bytes, data)
    expect(asked()).toBe(size)
  })

  test('where the first gives up, the second goes on from there', async () => {
    const locks = memoryLocks()
    const first = await open({ locks })
    await first.read('data.bin', 0, 50_000)
    const second = open({ locks })
    await soon()
    expect(locks.waiting).toBe(1)
    first.close?.()
    same(await readWhole(await second, 'data.bin'), data)
    expect(asked()).toBe(size)
  })

  test('the wait can be aborted', async () => {
    const locks = memoryLocks()
    const first = await open({ locks })
    const stop = new AbortController()
    const second = open({ locks, signal: stop.signal })
    second.catch(() => {})
    await soon()
    stop.abort()
    await expect(second).rejects.toMatchObject({ code: 'aborted' })
    first.close?.()
  })
})

describe('rows', () => {
  async function kept() {
    const cached = await open({ origin: { source: 'https://a.example/', revision: 'abc', licence: 'MIT' } })
    await readWhole(cached, 'data.bin')
    await cached.finish()
    return store.rows.get('model:model')
  }

  test('where files come from stands in the list', async () => {
    await kept()
    expect(await listCache(store)).toMatchObject([{ name: 'model', source: 'https://a.example/', revision: 'abc', licence: 'MIT' }])
  })

  test('whatever a row holds: the load works, or ends with a GlmError', async () => {
    const row = (await kept()) as Record<string, unknown>
    const file = (row.files as Map<string, Record<string, unknown>>).get('data.bin')!
    const odd = fc.oneof(
      fc.constantFrom(null, undefined, Number.NaN, -1, 0.5, 2 ** 53, 2 ** 40, '', 'x', new Map(), new Set([1]), new Uint8Array(5), [], {}),
      fc.anything(),
    )
    const pieces = [...store.rows].filter(([key]) => key !== 'model:model')
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...Object.keys(row), ...Object.keys(file).map((field) => `file.${field}`), 'row', 'file', 'path'),
        odd,
        async (field, value) => {
          const mutated = { ...row, files: new Map([['data.bin', { ...file }]]) } as Record<string, unknown> & {
            files: Map<unknown, unknown>
          }
          if (field === 'file') mutated.files.set('data.bin', value)
          else if (field === 'path') mutated.files.set(value, { ...file })
          else if (field.startsWith('file.')) (mutated.files.get('data.bin') as Record<string, unknown>)[field.slice(5)] = value
          else if (field !== 'row') mutated[field] = value
          store.rows = new Map<string, unknown>([...pieces, ['model:model', field === 'row' ? value : mutated]])
          server.log.length = 0
          const gets = vi.spyOn(store, 'get')
          try {
            const cached = await open()
            same(await readWhole(cached, 'data.bin'), data)
            await cached.finish()
            cached.close?.()
            await listCache(store)
          } catch (error) {
            expect(error).toBeInstanceOf(GlmError)
          }
          expect(gets.mock.calls.length).toBeLessThan(1000)
          expect(server.log.length).toBeLessThan(200)
          gets.mockRestore()
        },
      ),
      { numRuns: 150 },
    )
  })

  test('a file of five thousand pieces: few rows, small ones, and no time', async () => {
    const large = new Uint8Array(5_000_000)
    const { source } = memorySource(new Map([['data.bin', large]]), { chunk: 8000 })
    const cached = await cachedSource(source, { store, pieceBytes })
    await cached.size('data.bin')
    cached.announce([{ file: 'data.bin', start: 0, end: large.length }])
    const from = performance.now()
    for (let at = 0; at < large.length; at += 50_000) await cached.read('data.bin', at, at + 50_000)
    await cached.finish()
    const took = performance.now() - from
    const rows = store.writes.filter((key) => key === 'model:model').length
    expect(rows).toBeLessThan(took / 1000 + 4)
    const row = store.rows.get('model:model') as { files: Map<string, { hashes: Uint8Array }> }
    expect(row.files.get('data.bin')!.hashes).toHaveLength(5000 * 32)
    expect(took).toBeLessThan(20_000)
  })
})
