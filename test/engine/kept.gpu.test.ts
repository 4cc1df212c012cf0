// A model that is not quantised is kept in the packed form that loading made of it: here with a store in memory, and a source that counts.
import { createHash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import type { WeightsFormat } from '../../src/api/types.ts'
import { readModel } from '../../src/engine/checkpoint.ts'
import { Engine, type EngineOptions } from '../../src/engine/engine.ts'
import { Keeping, keptName } from '../../src/engine/kept.ts'
import type { GlmError } from '../../src/errors.ts'
import * as formats from '../../src/formats.ts'
import { dawn } from '../../src/gpu/dawn.ts'
import { readShown } from '../../src/media/shown.ts'
import { cachedSource } from '../../src/weights/cache.ts'
import { folderSource } from '../../src/weights/folder.ts'
import type { Source } from '../../src/weights/source.ts'
import { listCache, type PieceStore } from '../../src/weights/store.ts'

const fixtures = fileURLToPath(new URL('../fixtures/', import.meta.url))
const model = 'checkpoints/glm4-sharded-bf16'
const name = 'glm4-sharded-bf16'
const ids = [5, 9, 2, 17, 33, 8, 21]
const sizes = { shardBytes: 16 * 1024, pieceBytes: 1024 }

let gpu: GPU
beforeAll(async () => {
  gpu = await dawn()
})

function memoryStore(): PieceStore & { map: Map<string, unknown>; full: boolean } {
  const map = new Map<string, unknown>()
  return {
    map,
    full: false,
    get: async (key) => structuredClone(map.get(key)),
    async set(key, value) {
      if (this.full) throw Object.assign(new Error('full'), { name: 'QuotaExceededError' })
      map.set(key, structuredClone(value))
    },
    async delete(keys) {
      for (const key of keys) map.delete(key)
    },
    keys: async () => [...map.keys()],
  }
}

/** A folder that counts what is asked of it, and fails after so many bytes of weights. */
function counting(path: string, { most = Infinity, etag = 'one', revision }: { most?: number; etag?: string; revision?: string } = {}) {
  const { local, ...own } = folderSource(fixtures + path)
  const seen = { requests: 0, weights: 0 }
  const source: Source = {
    ...own,
    etag: () => etag,
    ...(revision ? { revision } : {}),
    async size(file, signal) {
      seen.requests++
      return own.size(file, signal)
    },
    async read(file, start, end, signal) {
      seen.requests++
      if (file.endsWith('.safetensors')) seen.weights += end - start
      if (seen.weights > most) throw Object.assign(new Error('cut'), { code: 'network_failed', name: 'GlmError' })
      return own.read(file, start, end, signal)
    },
  }
  return { source, seen }
}

interface Loaded {
  bits: string
  weights: string
  id: string
  warnings: GlmError[]
}

async function load(
  store: PieceStore,
  source: Source,
  weights: WeightsFormat = 'file',
  look?: (engine: Engine) => Promise<void>,
): Promise<Loaded> {
  const warnings: GlmError[] = []
  const onWarning = (warning: GlmError) => void warnings.push(warning)
  const keeping = new Keeping({
    read: readModel,
    load: Engine.load,
    through: (own, keep) => cachedSource(own, { keep, store, onWarning, pieceBytes: sizes.pieceBytes, memoryBytes: 4096 }),
    store,
    origin: { licence: 'MIT' },
    onWarning,
    ...sizes,
  })
  try {
    const vision = look && (() => import('../../src/vision.ts'))
    const options: EngineOptions = { gpu, source, weights, formats: async () => formats, vision, context: 64, exact: true, chats: false }
    const engine = await keeping.load(options)
    await keeping.finish()
    await look?.(engine)
    const told = { bits: await logits(engine), weights: engine.info.weights, id: engine.info.id, warnings }
    await engine.close()
    return told
  } finally {
    await keeping.close()
  }
}

async function logits(engine: Engine): Promise<string> {
  const hash = createHash('sha256')
  await engine.score(ids, (rows) => hash.update(rows))
  return hash.digest('hex')
}

async function plain(path: string, weights: WeightsFormat): Promise<string> {
  const options = {
    gpu,
    source: folderSource(fixtures + path),
    weights,
    formats: async () => formats,
    context: 64,
    exact: true,
    chats: false,
  }
  const engine = await Engine.load(options)
  try {
    return await logits(engine)
  } finally {
    await engine.close()
  }
}

const names = async (store: PieceStore) => (await listCache(store)).map(({ name, complete }) => [name, complete])

describe('a model that is not quantised', () => {
  test.each(['checkpoints/glm4-sharded-bf16', 'checkpoints/glm-edge-f32', 'quantised/chatglm-bf16'])(
    '%s: the second load asks for nothing, and gives the same logits',
    async (path) => {
      const store = memoryStore()
      const own = path.split('/')[1]!
      const first = counting(path, { revision: 'abc' })
      const wanted = await plain(path, 'q4')
      const once = await load(store, first.source)
      expect(once).toMatchObject({ bits: wanted, weights: 'q4', id: own, warnings: [] })
      expect(await listCache(store)).toMatchObject([
        { name: keptName(own, 'q4'), complete: true, source: own, revision: 'abc', licence: 'MIT' },
      ])
      const second = counting(path, { revision: 'abc' })
      expect(await load(store, second.source)).toEqual(once)
      expect(second.seen.requests).toBe(0)
      expect(await load(store, counting(path).source, 'q4')).toEqual(once)
    },
  )

  test('with a tower, which is kept as it is: the second load sees the same, and asks for nothing', { timeout: 300_000 }, async () => {
    const store = memoryStore()
    const path = 'vision/glm46v'
    const image = {
      format: 'RGBA' as const,
      width: 112,
      height: 84,
      data: Uint8Array.from({ length: 112 * 84 * 4 }, (_, i) => (i * 7) % 251),
    }
    const request = { messages: [{ role: 'user' as const, content: [{ type: 'image' as const, image }] }] }
    const seen: string[] = []
    const look = async (engine: Engine) => {
      const prompt = await engine.prompt(await readShown(request, { sees: engine.info.sees }))
      const hash = createHash('sha256')
      await engine.score(prompt.ids, (rows) => hash.update(rows), undefined, prompt.seen)
      prompt.release()
      seen.push(hash.digest('hex'))
    }
    const first = counting(path)
    await load(store, first.source, 'file', look)
    expect(await names(store)).toEqual([[keptName('glm46v', 'q4'), true]])
    const second = counting(path)
    await load(store, second.source, 'file', look)
    expect(second.seen.requests).toBe(0)
    expect(seen[1]).toBe(seen[0])
    const cut = counting(path, { most: first.seen.weights * 0.6 })
    const other = memoryStore()
    await expect(load(other, cut.source, 'file', look)).rejects.toMatchObject({ code: 'network_failed' })
    await load(other, counting(path).source, 'file', look)
    expect(seen[2]).toBe(seen[0])
  })

  test('in 8 bits it is kept apart; another revision is not taken', async () => {
    const store = memoryStore()
    await load(store, counting(model, { revision: 'abc' }).source)
    const wanted = await plain(model, 'q8')
    expect((await load(store, counting(model).source, 'q8')).bits).toBe(wanted)
    expect(await names(store)).toEqual([
      [keptName(name, 'q4'), true],
      [keptName(name, 'q8'), true],
    ])
    const again = counting(model, { revision: 'def' })
    await load(store, again.source)
    expect(again.seen.weights).toBeGreaterThan(0)
    expect(await listCache(store)).toContainEqual(expect.objectContaining({ name: keptName(name, 'q4'), revision: 'def' }))
  })

  test('a load that was cut off: what was kept is not downloaded again', async () => {
    const store = memoryStore()
    const wanted = await plain(model, 'q4')
    const whole = counting(model)
    await load(memoryStore(), whole.source)
    const cut = counting(model, { most: whole.seen.weights * 0.7 })
    await expect(load(store, cut.source)).rejects.toMatchObject({ code: 'network_failed' })
    expect(await names(store)).toEqual([
      [keptName(name, 'q4'), false],
      [name, false],
    ])
    const rest = counting(model)
    expect(await load(store, rest.source)).toMatchObject({ bits: wanted, warnings: [] })
    expect(rest.seen.weights).toBeLessThan(whole.seen.weights * 0.6)
    const last = counting(model)
    expect((await load(store, last.source)).bits).toBe(wanted)
    expect(last.seen.requests).toBe(0)
  })

  test('a source that changed after a cut is not stitched together', async () => {
    const store = memoryStore()
    const whole = counting(model)
    await load(memoryStore(), whole.source)
    await expect(load(store, counting(model, { most: whole.seen.weights * 0.7 }).source)).rejects.toThrow()
    const other = counting(model, { etag: 'two' })
    expect((await load(store, other.source)).bits).toBe(await plain(model, 'q4'))
    expect(other.seen.weights).toBeGreaterThan(whole.seen.weights * 0.95)
  })

  test('pieces that were lost, of a whole row or of part of one, are made again', async () => {
    const store = memoryStore()
    const wanted = await plain(model, 'q4')
    await load(store, counting(model).source)
    const lose = () => {
      const key = [...store.map.keys()].filter((key) => key.includes('.safetensors#'))[8]!
      store.map.delete(key)
    }
    lose()
    const again = counting(model)
    expect((await load(store, again.source)).bits).toBe(wanted)
    expect(again.seen.weights).toBeGreaterThan(0)
    const cut = memoryStore()
    await expect(load(cut, counting(model, { most: again.seen.weights * 0.7 }).source)).rejects.toThrow()
    cut.map.delete([...cut.map.keys()].filter((key) => key.includes('.safetensors#'))[8]!)
    expect((await load(cut, counting(model).source)).bits).toBe(wanted)
    const last = counting(model)
    expect((await load(cut, last.source)).bits).toBe(wanted)
    expect(last.seen.requests).toBe(0)
  })

  test('where there is no room it loads, and says so', async () => {
    const store = memoryStore()
    store.full = true
    const full = await load(store, counting(model).source)
    expect(full.bits).toBe(await plain(model, 'q4'))
    expect(full.warnings.map(({ code }) => code)).toContain('quota_exceeded')
    const soon = memoryStore()
    const { set } = soon
    let writes = 0
    soon.set = async (key, value) => {
      if (++writes > 40) throw Object.assign(new Error('full'), { name: 'QuotaExceededError' })
      return set.call(soon, key, value)
    }
    const later = await load(soon, counting(model).source)
    expect(later).toMatchObject({ bits: full.bits })
    expect(later.warnings).toHaveLength(1)
  })
})

test('what is quantised, or not coded, is kept as it is', async () => {
  const store = memoryStore()
  await load(store, counting('quantised/awq-g128').source)
  await load(store, counting(model).source, 'f16')
  expect(await names(store)).toEqual([
    ['awq-g128', true],
    [name, true],
  ])
  const again = counting(model)
  await load(store, again.source, 'f16')
  expect(again.seen.requests).toBe(0)
})
