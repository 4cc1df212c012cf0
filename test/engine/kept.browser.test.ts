// The packed form of a model that is not quantised, kept in the browser's own IndexedDB under its own locks.
import { afterEach, expect, inject, test } from 'vitest'
import { readModel } from '../../src/engine/checkpoint.ts'
import { Engine, type EngineOptions } from '../../src/engine/engine.ts'
import { Keeping, keptName } from '../../src/engine/kept.ts'
import { GlmError } from '../../src/errors.ts'
import * as formats from '../../src/formats.ts'
import { cachedSource } from '../../src/weights/cache.ts'
import { httpSource } from '../../src/weights/http.ts'
import type { Source } from '../../src/weights/source.ts'
import { deleteFromCache, listCache } from '../../src/weights/store.ts'

const name = 'test/kept'
const kept = keptName(name, 'q4')
const ids = [5, 9, 2, 17, 33, 8, 21]
const sizes = { shardBytes: 32 * 1024, pieceBytes: 4096 }

/** The model over HTTP; `most`: the connection ends after so many bytes of weights. */
function network(most = Number.POSITIVE_INFINITY) {
  const log = { requests: 0, weights: 0 }
  const counted: typeof fetch = (address, init) => {
    log.requests++
    return fetch(address, init)
  }
  const http = httpSource({ base: `${inject('server')}fixtures/checkpoints/glm4-sharded-bf16/`, name, fetch: counted, pause: 1 })
  const { stream, ...rest } = http
  const source: Source = {
    ...rest,
    // Of these small shards the first request brings the whole: bytes are counted as they are asked for.
    async read(path, start, end, signal) {
      if (path.endsWith('.safetensors')) log.weights += end - start
      if (log.weights > most) throw new GlmError('network_failed', 'cut')
      return http.read(path, start, end, signal)
    },
  }
  return { source, log }
}

interface Seen {
  signal?: AbortSignal
  onPiece?: (piece: { file: string; bytes: number; cached: boolean }) => void
}

async function load({ source }: ReturnType<typeof network>, { signal, onPiece }: Seen = {}): Promise<string> {
  const seen = { ...(signal && { signal }), ...(onPiece && { onPiece }) }
  const keeping = new Keeping({
    read: readModel,
    load: Engine.load,
    through: (own, keep) => cachedSource(own, { keep, pieceBytes: sizes.pieceBytes, memoryBytes: 16_384, ...seen }),
    ...sizes,
  })
  try {
    const asked = { context: 64, exact: true, chats: false, ...(signal && { signal }) }
    const options: EngineOptions = { gpu: navigator.gpu, source, formats: async () => formats, ...asked }
    const engine = await keeping.load(options)
    await keeping.finish()
    return await logits(engine)
  } finally {
    await keeping.close()
  }
}

async function logits(engine: Engine): Promise<string> {
  const all: number[] = []
  await engine.score(ids, (rows) => void all.push(...new Uint32Array(rows.slice().buffer)))
  await engine.close()
  return all.join()
}

afterEach(async () => {
  await deleteFromCache(kept)
  await deleteFromCache(name)
})

test('a second load asks for nothing; of two at once, one downloads', async () => {
  const direct = await Engine.load({ gpu: navigator.gpu, source: network().source, weights: 'q4', context: 64, exact: true, chats: false })
  const wanted = await logits(direct)
  const first = network()
  expect(await load(first)).toBe(wanted)
  expect(await listCache()).toMatchObject([{ name: kept, complete: true, source: name }])
  const second = network()
  expect(await load(second)).toBe(wanted)
  expect(second.log.requests).toBe(0)
  await deleteFromCache(kept)
  const both = [network(), network()]
  expect(await Promise.all(both.map((own) => load(own)))).toEqual([wanted, wanted])
  const [one, other] = both.map(({ log }) => log.weights).sort((a, b) => a - b)
  expect(other).toBeGreaterThan(first.log.weights * 0.9)
  expect(one).toBeLessThan(first.log.weights * 0.3)
})

test('a load that was cut off goes on', async () => {
  const whole = network()
  const wanted = await load(whole)
  await deleteFromCache(kept)
  const cut = network(whole.log.weights * 0.7)
  await expect(load(cut)).rejects.toMatchObject({ code: 'network_failed' })
  const rest = network()
  expect(await load(rest)).toBe(wanted)
  expect(rest.log.weights).toBeLessThan(whole.log.weights * 0.6)
  const last = network()
  expect(await load(last)).toBe(wanted)
  expect(last.log.requests).toBe(0)
})

test('a load that was aborted goes on within a tensor; only the packed form stays', async () => {
  const stop = new AbortController()
  const came = { first: 0, rest: 0, whole: 0 }
  const count =
    (key: keyof typeof came, most = Number.POSITIVE_INFINITY) =>
    ({ file, bytes, cached }: { file: string; bytes: number; cached: boolean }) => {
      if (!cached && file.endsWith('.safetensors')) came[key] += bytes
      if (came[key] >= most) stop.abort()
    }
  const wanted = await load(network(), { onPiece: count('whole') })
  await deleteFromCache(kept)
  // Within the embedding, the first tensor.
  const aborted = load(network(), { signal: stop.signal, onPiece: count('first', 40_000) })
  await expect(aborted).rejects.toMatchObject({ code: 'aborted' })
  expect((await listCache()).map((row) => [row.name, row.complete])).toEqual([
    [name, false],
    [kept, false],
  ])
  expect(await load(network(), { onPiece: count('rest') })).toBe(wanted)
  expect(came.first).toBeLessThan(60_000)
  expect(came.first + came.rest).toBe(came.whole)
  expect((await listCache()).map((row) => [row.name, row.complete])).toEqual([[kept, true]])
})
