// The cache in the browser's own IndexedDB.
import { createStore, get, keys, set } from 'idb-keyval'
import { beforeEach, expect, test } from 'vitest'
import { GlmError } from '../../src/errors.ts'
import { cache, cachedSource } from '../../src/weights/cache.ts'
import { httpSource } from '../../src/weights/http.ts'
import { readJson, readWhole, type Source } from '../../src/weights/source.ts'

const name = 'test/weights'
const mebi = 2 ** 20
const data = new Uint8Array(20 * mebi + 123)
for (let at = 0; at < data.length; at += 97) data[at] = at & 255

const store = createStore('glm-files', 'files')
const pieces = async () => (await keys<string>(store)).filter((key) => key.startsWith('piece:test%2Fweights/')).sort()

function memory() {
  const log: string[] = []
  const source: Source = {
    name,
    async size(path) {
      log.push(`size ${path}`)
      if (path !== 'data.bin') throw new GlmError('file_missing', path)
      return data.length
    },
    async read(path, start, end) {
      log.push(`${path} ${start / mebi}-${Math.floor(end / mebi)}`)
      return data.slice(start, end)
    },
  }
  return { source, log }
}

async function load(verify: 'download' | 'always' = 'download') {
  const { source, log } = memory()
  const warnings: GlmError[] = []
  const cached = await cachedSource(source, { verify, onWarning: (warning) => warnings.push(warning) })
  const bytes = await readWhole(cached, 'data.bin')
  await cached.finish()
  cached.close?.()
  expect(bytes.length).toBe(data.length)
  expect(bytes.every((byte, at) => byte === data[at])).toBe(true)
  expect(warnings).toEqual([])
  return log
}

beforeEach(() => cache.delete(name))

test('8 MiB Blobs, and a second load without a request', async () => {
  expect(await load()).toEqual(['size data.bin', 'data.bin 0-8', 'data.bin 8-16', 'data.bin 16-20'])
  expect(await pieces()).toEqual([0, 1, 2].map((index) => `part:test%2Fweights/data.bin#${index}`))
  const blob = await get(`part:test%2Fweights/data.bin#0`, store)
  expect([blob instanceof Blob, blob.size]).toEqual([true, 8 * mebi])
  expect(await load()).toEqual([])
  expect(await load('always')).toEqual([])
})

test('a lost, a short and a damaged piece are fetched again, alone', async () => {
  await load()
  const key = `part:test%2Fweights/data.bin#1`
  await set(key, new Blob([data.slice(0, 5)]), store)
  expect(await load()).toEqual(['size data.bin', 'data.bin 8-16'])
  const bad = data.slice(8 * mebi, 16 * mebi)
  bad[12345]! ^= 4
  await set(key, new Blob([bad]), store)
  expect(await load('always')).toEqual(['size data.bin', 'data.bin 8-16'])
  expect(await load('always')).toEqual([])
})

test('list, size, delete', async () => {
  const before = await cache.size()
  await load()
  expect((await cache.list()).find((model) => model.name === name)).toMatchObject({ bytes: data.length, files: 1, complete: true })
  expect((await cache.size()) - before).toBe(data.length)
  await cache.delete(name)
  expect(await pieces()).toEqual([])
  expect(typeof (await cache.persist())).toBe('boolean')
})

test('data: and blob: addresses are read as files', async () => {
  const files = { 'a.json': 'data:application/json,{"a":1}', 'b.bin': URL.createObjectURL(new Blob([data])) }
  const source = httpSource({ base: location.href, name, files })
  expect(await readJson(source, 'a.json')).toEqual({ a: 1 })
  expect(await source.read('b.bin', 97, 200)).toEqual(data.slice(97, 200))
})
