// The cache in the browser's own IndexedDB, with its own locks and folders.
import { createStore, get, keys, set } from 'idb-keyval'
import { beforeEach, expect, test } from 'vitest'
import { GlmError } from '../../src/errors.ts'
import { cache } from '../../src/formats.ts'
import { type CacheOptions, cachedSource } from '../../src/weights/cache.ts'
import { exportModel, importModel, repairCache } from '../../src/weights/carry.ts'
import { httpSource } from '../../src/weights/http.ts'
import { cacheWriter, keptSource } from '../../src/weights/keep.ts'
import { checkPublished } from '../../src/weights/published.ts'
import { checkRoom } from '../../src/weights/room.ts'
import { readJson, readWhole, type Source } from '../../src/weights/source.ts'
import { deleteFromCache, hex } from '../../src/weights/store.ts'

const name = 'test/weights'
const mebi = 2 ** 20
const data = new Uint8Array(20 * mebi + 123)
for (let at = 0; at < data.length; at += 97) data[at] = at & 255

const store = createStore('glm-files', 'files')
const piece = (index: number) => `part:test%2Fweights/data.bin#${index}`
const pieces = async () => (await keys<string>(store)).filter((key) => key.startsWith('part:test%2Fweights/'))
const same = (bytes: Uint8Array, wanted = data) => {
  expect(bytes.length).toBe(wanted.length)
  expect(bytes.every((byte, at) => byte === wanted[at])).toBe(true)
}

/** A server behind `fetch`, which cuts each answer after `cut` bytes. */
function network({ cut = Number.POSITIVE_INFINITY, hold = false } = {}) {
  const log = { asked: 0, sent: 0, requests: 0 }
  const answer: typeof fetch = async (_, init) => {
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(new Headers(init?.headers).get('range') ?? '')!.map(Number) as [
      number,
      number,
      number,
    ]
    const body = data.subarray(first, last + 1)
    if (last > 1) log.requests++
    if (last > 1) log.asked += body.length
    let at = 0
    const stream = new ReadableStream<Uint8Array>({
      pull(control) {
        if (at >= body.length) return control.close()
        const end = Math.min(at + 65_536, body.length, cut)
        if (end === at) {
          if (!hold) control.error(new Error('cut'))
          return hold ? new Promise((_, reject) => init?.signal?.addEventListener('abort', () => reject(init.signal?.reason))) : undefined
        }
        control.enqueue(body.slice(at, end))
        if (last > 1) log.sent += end - at
        at = end
      },
    })
    return new Response(stream, { status: 206, headers: { 'content-range': `bytes ${first}-${last}/${data.length}`, etag: '"1"' } })
  }
  return { log, source: httpSource({ base: 'https://model.example/', name, fetch: answer, pause: 1 }) }
}

async function load(source: Source, options: CacheOptions = {}) {
  const warnings: GlmError[] = []
  const cached = await cachedSource(source, { onWarning: (warning) => warnings.push(warning), ...options })
  same(await readWhole(cached, 'data.bin'))
  await cached.finish()
  cached.close?.()
  expect(warnings).toEqual([])
}

beforeEach(() => cache.delete(name))

test('1 MiB Blobs, and a second load without a request', async () => {
  const { source, log } = network()
  await load(source)
  expect(log).toEqual({ asked: data.length, sent: data.length, requests: 3 })
  expect((await pieces()).length).toBe(21)
  const blob = await get(piece(0), store)
  expect([blob instanceof Blob, blob.size]).toEqual([true, mebi])
  const second = network()
  await load(second.source)
  await load(second.source, { verify: 'always' })
  expect(second.log.requests).toBe(0)
})

test('a lost, a short and a damaged piece are fetched again, alone', async () => {
  await load(network().source)
  await set(piece(1), new Blob([data.slice(0, 5)]), store)
  const second = network()
  await load(second.source)
  expect(second.log.asked).toBe(mebi)
  const bad = data.slice(mebi, 2 * mebi)
  bad[12345]! ^= 4
  await set(piece(1), new Blob([bad]), store)
  expect(await repairCache(name)).toEqual({ checked: 21, dropped: 1, droppedBytes: mebi })
  await load(second.source, { verify: 'always' })
  expect(second.log.asked).toBe(2 * mebi)
  await set(piece(2), new Blob([bad]), store)
  await load(second.source, { verify: 'always' })
  expect(second.log.asked).toBe(3 * mebi)
})

test('a closed tab loses less than one MiB per open request', async () => {
  const { source, log } = network({ cut: 3.5 * mebi, hold: true })
  // The tab's own lock ends with it; here nobody ends it, so the first load takes none.
  const early = await cachedSource(source, {
    locks: { request: (...all: unknown[]) => (all.at(-1) as () => unknown)() } as unknown as LockManager,
  })
  await early.size('data.bin')
  early.announce([{ file: 'data.bin', start: 0, end: data.length }])
  await expect.poll(async () => (await pieces()).length, { timeout: 20_000 }).toBe(9)
  const second = network()
  await load(second.source)
  expect(log.sent + second.log.asked - data.length).toBeLessThanOrEqual(3 * mebi)
  expect(second.log.asked).toBe(data.length - 9 * mebi)
  early.close?.()
})

test('cuts on the way cost nothing; the published hash holds', async () => {
  const { source, log } = network({ cut: 1_300_000 })
  const hash = hex(new Uint8Array(await crypto.subtle.digest('SHA-256', data)))
  source.sha256 = () => hash
  await load(source, { follow: checkPublished })
  expect(log.sent).toBeLessThanOrEqual(data.length + log.requests * 65_536) // a stream that errs drops what it had in its queue
  await cache.delete(name)
  source.sha256 = () => hash.replace(/^./, (digit) => (digit === '0' ? '1' : '0'))
  const cached = await cachedSource(source, { follow: checkPublished })
  await expect(cached.size('data.bin').then(() => cached.finish())).rejects.toMatchObject({ code: 'file_invalid' })
  cached.close?.()
  expect(await pieces()).toEqual([])
})

test('two loads at once download once; the wait can be aborted', async () => {
  const { source, log } = network()
  await Promise.all([load(source), load(network().source), load(network().source)])
  expect(log.asked).toBe(data.length)
  await cache.delete(name)
  const first = await cachedSource(source)
  const stop = new AbortController()
  const second = cachedSource(source, { signal: stop.signal })
  setTimeout(() => stop.abort(), 50)
  await expect(second).rejects.toMatchObject({ code: 'aborted' })
  first.close?.()
})

test('a model larger than the room there is is refused before its first byte', async () => {
  await checkRoom(name, data.length)
  const error = await checkRoom(name, 2 ** 50).catch((reason) => reason)
  expect(error).toBeInstanceOf(GlmError)
  expect(error).toMatchObject({ code: 'quota_exceeded', message: expect.stringContaining("cache: 'none'") })
})

test('out to a folder and back in', async () => {
  await load(network().source)
  const root = await navigator.storage.getDirectory()
  await root.removeEntry('carried', { recursive: true }).catch(() => {})
  const folder = await root.getDirectoryHandle('carried', { create: true })
  await exportModel(name, folder)
  same(new Uint8Array(await (await (await folder.getFileHandle('data.bin')).getFile()).arrayBuffer()))
  await cache.delete(name)
  expect(await importModel(folder)).toBe(name)
  const { source, log } = network()
  await load(source, { verify: 'always' })
  expect(log.requests).toBe(0)
  await root.removeEntry('carried', { recursive: true })
})

test('files that loading made are kept and read back', async () => {
  await deleteFromCache('test/made')
  const writer = await cacheWriter('test/made')
  const file = await writer.open('model.bin', data.length)
  for (let at = 0; at < data.length; at += 3_000_000) await file.write(data.subarray(at, at + 3_000_000))
  await file.close()
  await writer.finish()
  same(await readWhole(await cachedSource(keptSource('test/made')), 'model.bin'))
  await cache.delete('test/made')
})

test('list, size, delete', async () => {
  const before = await cache.size()
  await load(network().source, { origin: { revision: 'abc' } })
  const found = (await cache.list()).find((model) => model.name === name)
  expect(found).toMatchObject({ bytes: data.length, files: 1, complete: true, revision: 'abc' })
  expect((await cache.size()) - before).toBe(data.length)
  await cache.delete(name)
  expect(await pieces()).toEqual([])
})

test('data: and blob: addresses are read as files', async () => {
  const files = { 'a.json': 'data:application/json,{"a":1}', 'b.bin': URL.createObjectURL(new Blob([data])) }
  const source = httpSource({ base: location.href, name, files })
  expect(await readJson(source, 'a.json')).toEqual({ a: 1 })
  expect(await source.read('b.bin', 97, 200)).toEqual(data.slice(97, 200))
})
