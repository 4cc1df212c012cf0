// A model that is packed while it loads, and cut off on the way: by the log of a server, what is asked for again, and by the store, what is kept.
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import type { WeightsFormat } from '../../src/api/types.ts'
import { readModel } from '../../src/engine/checkpoint.ts'
import { Engine, type EngineOptions } from '../../src/engine/engine.ts'
import { Keeping, keptName } from '../../src/engine/kept.ts'
import { bytesNeeded } from '../../src/engine/packed_load.ts'
import * as formats from '../../src/formats.ts'
import { dawn } from '../../src/gpu/dawn.ts'
import { cachedSource } from '../../src/weights/cache.ts'
import { httpSource } from '../../src/weights/http.ts'
import { listCache, type PieceStore, piecePrefix, rowKey } from '../../src/weights/store.ts'
import { startServer, type TestServer } from '../server.ts'

const name = 'model'
const kept = keptName(name, 'q4')
const ids = [5, 9, 2, 17, 33, 8, 21]
const pieceBytes = 512
const memoryBytes = 16 * pieceBytes
const lanes = 5

let gpu: GPU
let server: TestServer
beforeAll(async () => {
  gpu = await dawn()
  server = await startServer()
})
afterAll(() => server.close())

async function serve(path: string) {
  const folder = fileURLToPath(new URL(`../fixtures/${path}/`, import.meta.url))
  server.files.clear()
  for (const file of await readdir(folder)) server.files.set(file, await readFile(folder + file))
}

/** Counts the pieces of the source that are there, and at most were. */
class Store implements PieceStore {
  readonly map: Map<string, unknown>
  most = 0
  mostBytes = 0
  deletes = 0
  rows = 0
  constructor(map = new Map<string, unknown>()) {
    this.map = map
  }
  get pieces() {
    return [...this.map.keys()].filter((key) => key.startsWith(piecePrefix(name)))
  }
  copy() {
    return new Store(new Map(this.map))
  }
  async get(key: string) {
    return structuredClone(this.map.get(key))
  }
  async set(key: string, value: unknown) {
    this.map.set(key, structuredClone(value))
    if (key === rowKey(name)) this.rows++
    this.most = Math.max(this.most, this.pieces.filter((own) => own.includes('.safetensors')).length)
    const bytes = [...this.map.values()].reduce<number>((sum, value) => sum + (value instanceof Blob ? value.size : 0), 0)
    this.mostBytes = Math.max(this.mostBytes, bytes)
  }
  async delete(keys: string[]) {
    if (keys.some((key) => key.startsWith(piecePrefix(name)))) this.deletes++
    for (const key of keys) this.map.delete(key)
  }
  async keys() {
    return [...this.map.keys()]
  }
}

/** One lock after the other, by name. */
function lockManager(taken: string[] = []): LockManager {
  const last = new Map<string, Promise<unknown>>()
  const request = (name: string, _: unknown, run: () => Promise<void>) => {
    taken.push(name)
    const own = (last.get(name) ?? Promise.resolve()).then(run)
    last.set(name, own)
    return own
  }
  return { request } as unknown as LockManager
}

interface Options {
  weights?: WeightsFormat
  locks?: LockManager
  /** Sees every piece that came over the network. */
  onPiece?: (count: number, stop: () => void) => void
  room?: (name: string, bytes: number) => Promise<void>
}

/** Loads to the end, and says which pieces of weights were asked for behind the headers. */
async function load(store: Store, { weights = 'file', locks, onPiece, room }: Options = {}) {
  const stop = new AbortController()
  const { signal } = stop
  const came: string[] = []
  let first = 0
  const source = httpSource({ base: server.url, name, pause: 1 })
  const shared = { store, pieceBytes, signal, ...(locks ? { locks } : {}) }
  const keeping = new Keeping({
    read: readModel,
    load: Engine.load,
    through(own, keep) {
      first ||= server.log.length
      return cachedSource(own, {
        ...shared,
        keep,
        memoryBytes,
        onPiece({ file, bytes, cached }) {
          if (cached || !file.endsWith('.safetensors')) return
          came.push(`${file} ${bytes}`)
          onPiece?.(came.length, () => stop.abort())
        },
      })
    },
    ...(room ? { room } : {}),
    shardBytes: 16 * 1024,
    ...shared,
  })
  try {
    const options: EngineOptions = { gpu, source, weights, formats: async () => formats, context: 64, exact: true, chats: false, signal }
    const engine = await keeping.load(options)
    await keeping.finish()
    const bits = await logits(engine)
    return { bits, came: came.length, asked: askedSince(first) }
  } finally {
    await keeping.close()
  }
}

/** Pieces of weights that a server was asked for whole. */
function askedSince(first: number): Set<string> {
  const asked = new Set<string>()
  for (const { path, range } of server.log.slice(first)) {
    const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? []
    if (!path.endsWith('.safetensors') || start === undefined || Number(start) % pieceBytes !== 0) continue
    for (let at = Number(start); at <= Number(end) && Number(end) > 1; at += pieceBytes) asked.add(`${path}#${at / pieceBytes}`)
  }
  return asked
}

async function logits(engine: Engine): Promise<string> {
  const hash = createHash('sha256')
  await engine.score(ids, (rows) => hash.update(rows))
  await engine.close()
  return hash.digest('hex')
}

async function plain(): Promise<string> {
  const source = httpSource({ base: server.url, name })
  return logits(await Engine.load({ gpu, source, weights: 'q4', formats: async () => formats, context: 64, exact: true, chats: false }))
}

/** What is left of a load that was aborted after so many pieces; `crashed`: of a tab that was closed then. */
async function cut(pieces: number): Promise<{ left: Store; crashed: Store; asked: Set<string> }> {
  const left = new Store()
  let crashed = left
  const first = server.log.length
  const onPiece = (count: number, stop: () => void) => {
    if (count === pieces) crashed = left.copy()
    if (count === pieces) stop()
  }
  await expect(load(left, { onPiece })).rejects.toMatchObject({ code: 'aborted' })
  return { left, crashed, asked: askedSince(first) }
}

const both = (one: Set<string>, other: Set<string>) => [...one].filter((key) => other.has(key))

/** The packed form alone. */
async function expectPacked(store: Store) {
  expect(store.pieces).toEqual([])
  expect((await listCache(store)).map(({ name, complete }) => [name, complete])).toEqual([[kept, true]])
  const last = await load(store)
  expect(last.asked.size).toBe(0)
  return last.bits
}

// SwiftShader takes minutes to compile for each; what is held here is the same on every adapter.
const whole =
  inject('adapter') === 'lavapipe' ? ['checkpoints/glm4-sharded-bf16', 'checkpoints/glm-edge-f32', 'quantised/chatglm-bf16'] : []
describe.each(whole)('%s', (path) => {
  test('goes on where it was, after an abort and after a crash; only the packed form stays', async () => {
    await serve(path)
    const wanted = await plain()
    const whole = new Store()
    const { asked, came } = await load(whole)
    expect(came).toBe(asked.size)
    expect(await expectPacked(whole)).toBe(wanted)
    for (const part of [0.1, 0.5, 0.9]) {
      const { left, crashed, asked: before } = await cut(Math.round(came * part))
      for (const [kind, store] of Object.entries({ left, crashed })) {
        const rest = await load(store)
        expect(rest.bits).toBe(wanted)
        // Of each open request what had not come whole; after a crash, what came until the tab had gone.
        expect(both(before, rest.asked).length).toBeLessThanOrEqual(lanes * 8)
        expect(rest.came).toBeLessThanOrEqual(came - Math.round(came * part) + (kind === 'crashed' ? lanes : 0))
        expect(await expectPacked(store)).toBe(wanted)
      }
    }
  })

  test('keeps little beside the packed form, and writes few rows', async () => {
    await serve(path)
    const store = new Store()
    const source = httpSource({ base: server.url, name })
    const files = await readModel(source, { formats: async () => formats })
    const asked: number[] = []
    const { came } = await load(store, { room: async (_, bytes) => void asked.push(bytes) })
    const needed = bytesNeeded(files, { format: 'q4', shardBytes: 16 * 1024, pieceBytes } as never)
    expect(asked).toEqual([needed.packed + needed.source])
    expect(store.mostBytes).toBeLessThan(needed.packed + needed.source + memoryBytes)
    expect(store.most * pieceBytes).toBeLessThan(needed.source + memoryBytes)
    expect(store.most).toBeLessThan(came * 0.45)
    expect(store.deletes).toBeLessThanOrEqual(files.config.layers * 4 + 3)
    expect(store.rows).toBeLessThan(20)
  })
})

describe('a resumed load', () => {
  const path = 'checkpoints/glm4-sharded-bf16'

  test('fetches a lost piece alone', async () => {
    await serve(path)
    const { left } = await cut(300)
    const pieces = left.pieces.filter((key) => key.includes('.safetensors'))
    const [lost] = pieces.slice(pieces.length / 2)
    const whole = await load(left.copy())
    left.map.delete(lost!)
    const { bits, asked } = await load(left)
    expect(bits).toBe(whole.bits)
    expect([...asked].filter((key) => !whole.asked.has(key))).toEqual([lost!.slice(piecePrefix(name).length)])
    await expectPacked(left)
  })

  test('starts over where a file changed', async () => {
    await serve(path)
    const { left, asked: before } = await cut(300)
    const file = 'model-00001-of-00004.safetensors'
    const other = server.files.get(file)!.slice()
    for (let at = 2000; at < 50_000; at += 2) other[at]! ^= 1
    server.files.set(file, other)
    const wanted = await plain()
    const { bits, asked } = await load(left)
    expect(bits).toBe(wanted)
    const own = [...before].filter((key) => key.startsWith(file) && !key.endsWith('#0')) // there the header is
    expect(both(new Set(own), asked)).toHaveLength(own.length)
    expect(await expectPacked(left)).toBe(wanted)
  })

  test('two at once: one downloads; none waits for the other for ever, whatever it keeps', async () => {
    await serve(path)
    const store = new Store()
    const taken: string[] = []
    const locks = lockManager(taken)
    const [one, other] = await Promise.all([load(store, { locks }), load(store, { locks })])
    expect(other.bits).toBe(one.bits)
    expect([one.came, other.came].sort((a, b) => a - b)[0]).toBe(0)
    // A lock that is let go and taken again lets the other in between.
    expect(taken.sort()).toEqual([name, kept, kept].map((lock) => `glm-webgpu:${lock}`))
    expect(await expectPacked(store)).toBe(one.bits)
    const mixed = new Store()
    const loads = (['q4', 'q8', 'f16', 'q4'] as const).map((weights) => load(mixed, { weights, locks }))
    const [q4] = await Promise.all(loads)
    expect(q4!.bits).toBe(one.bits)
    expect((await listCache(mixed)).filter(({ complete }) => !complete)).toEqual([])
  })

  test('takes what was kept as it is, and leaves it there', async () => {
    await serve(path)
    const store = new Store()
    await load(store, { weights: 'f16' })
    const { length } = store.pieces
    const { came } = await load(store)
    expect(came).toBe(0)
    expect(store.pieces).toHaveLength(length)
    expect((await listCache(store)).map(({ name, complete }) => [name, complete])).toEqual([
      [name, true],
      [kept, true],
    ])
  })
})
