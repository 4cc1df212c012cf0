// Valid headers and indexes changed at random, four thousand times: only a GlmError may come out, in bounded work.
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { GlmError } from '../../src/errors.ts'
import { openCheckpoint } from '../../src/weights/safetensors.ts'
import type { Source } from '../../src/weights/source.ts'
import { changes, known, LIMIT, mutate } from './mutate.ts'

const checkpoints = new URL('../fixtures/checkpoints/', import.meta.url).pathname
const index = 'model.safetensors.index.json'
const codes = ['file_missing', 'file_truncated', 'file_invalid', 'tensor_invalid']

/** The header of a fixture, and how many bytes of tensors follow. */
function header(path: string) {
  const bytes = readFileSync(checkpoints + path)
  const length = Number(bytes.readBigUint64LE(0))
  return { text: bytes.subarray(8, 8 + length).toString(), body: bytes.length - 8 - length }
}
const singles = ['glm-edge-f32', 'glm4-yarn-bf16', 'glm-odd-f16'].map((name) => header(`${name}/model.safetensors`))
const small = {
  text: '{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"U8","shape":[0],"data_offsets":[24,24]}}',
  body: 24,
}
const shardNames = [1, 2, 3, 4].map((at) => `model-0000${at}-of-00004.safetensors`)
const shards = shardNames.map((name) => header(`glm4-sharded-bf16/${name}`))
const shardIndex = readFileSync(`${checkpoints}glm4-sharded-bf16/${index}`, 'utf8')

/** A header with its length before it; `claim` is written there instead. */
function framed(text: string, claim?: bigint): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(text)
  const all = new Uint8Array(8 + bytes.length)
  new DataView(all.buffer).setBigUint64(0, claim ?? BigInt(bytes.length), true)
  all.set(bytes, 8)
  return all
}

/** Files with nothing but their beginnings: `size` counts the rest too. What is asked is counted. */
function counting(files: Record<string, { bytes: Uint8Array<ArrayBuffer>; size: number }>) {
  const work = { sizes: 0, reads: 0, bytes: 0 }
  const find = (path: string) => {
    const file = Object.hasOwn(files, path) ? files[path] : undefined
    if (!file) throw new GlmError('file_missing', path)
    return file
  }
  const source: Source = {
    name: 'counting',
    async size(path) {
      work.sizes++
      return find(path).size
    },
    async read(path, start, end) {
      const { bytes, size } = find(path)
      expect(0 <= start && start <= end && end <= size).toBe(true)
      work.reads++
      work.bytes += end - start
      const part = new Uint8Array(end - start)
      part.set(bytes.subarray(start, end))
      return part
    },
  }
  return { source, work }
}

/** Opens it: in time, with a GlmError or tensors that lie in their files. `steps`: numbers that were checked. */
async function open(files: Parameters<typeof counting>[0]) {
  const { source, work } = counting(files)
  const { isSafeInteger } = Number
  let steps = 0
  Number.isSafeInteger = (value) => {
    steps++
    return isSafeInteger(value)
  }
  const began = performance.now()
  const result = await openCheckpoint(source).catch((error) => known(codes, error))
  expect(performance.now() - began).toBeLessThan(LIMIT)
  Number.isSafeInteger = isSafeInteger
  if (!(result instanceof GlmError)) {
    for (const { file, start, end } of result.tensors.values()) expect(start <= end && end <= files[file]!.size).toBe(true)
  }
  return { result, work, steps }
}

describe('changed at random', () => {
  test('a header: twice read at most, a step or two for each of its numbers', async () => {
    const outcomes = { opened: 0, refused: 0 }
    const input = fc.record({
      which: fc.nat(singles.length),
      changes,
      claim: fc.oneof(
        { weight: 6, arbitrary: fc.constant(undefined) },
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        fc.bigInt({ min: 0n, max: 9000n }),
      ),
      tail: fc.constantFrom(0, 1, 1, 1, 1, 2 ** 20),
    })
    const property = fc.asyncProperty(input, async ({ which, changes, claim, tail }) => {
      const { text, body } = singles[which] ?? small
      const bytes = framed(changes.reduce(mutate, text), claim)
      const size = bytes.length + body * tail
      const { result, work, steps } = await open({ 'model.safetensors': { bytes, size } })
      outcomes[result instanceof GlmError ? 'refused' : 'opened']++
      expect(work.reads).toBeLessThanOrEqual(2)
      expect(work.sizes).toBe(2)
      expect(work.bytes).toBeLessThanOrEqual(Math.max(bytes.length, claim ? Number(claim) + 8 : 0) + 8)
      expect(steps).toBeLessThanOrEqual(work.bytes)
    })
    await fc.assert(property, { numRuns: 2500, seed: 41 })
    for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(150)
  })

  test('an index and its shards: each once', async () => {
    const outcomes = { opened: 0, refused: 0 }
    const input = fc.record({ changes, file: fc.nat(4), others: changes, both: fc.boolean() })
    const property = fc.asyncProperty(input, async ({ changes, file, others, both }) => {
      const list = file === 4 || both ? changes.reduce(mutate, shardIndex) : shardIndex
      const files = Object.fromEntries(
        shards.map(({ text, body }, at) => {
          const bytes = framed(at === file ? others.reduce(mutate, text) : text)
          return [shardNames[at]!, { bytes, size: bytes.length + body }]
        }),
      )
      const bytes = new TextEncoder().encode(list)
      const { result, work, steps } = await open({ ...files, [index]: { bytes, size: bytes.length } })
      outcomes[result instanceof GlmError ? 'refused' : 'opened']++
      expect(work.reads).toBeLessThanOrEqual(1 + 2 * shards.length)
      const all = Object.values(files).reduce((sum, { bytes }) => sum + bytes.length + 8, bytes.length)
      expect(work.bytes).toBeLessThanOrEqual(all)
      expect(steps).toBeLessThanOrEqual(all)
    })
    await fc.assert(property, { numRuns: 1500, seed: 42 })
    for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(100)
  })
})

const tensor = (dtype: string, shape = '[1]') => `{"a":{"dtype":${dtype},"shape":${shape},"data_offsets":[0,1]}}`
const nested = (depth: number, [open, close]: [string, string]) => open.repeat(depth) + close.repeat(depth)

describe('made to cost', () => {
  test.each<[string, string]>([
    ['a dtype a hundred thousand deep', tensor(nested(100_000, ['[', ']']))],
    ['a dtype of objects', tensor(`${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`)],
    ['a dtype of a megabyte', tensor(JSON.stringify('F'.repeat(2 ** 20)))],
    ['a shape a million deep', tensor('"U8"', nested(1_000_000, ['[', ']']))],
    ['a shape of a million ones', tensor('"U8"', `[${'1,'.repeat(999_999)}1]`)],
    ['a shape of a million huge sizes', tensor('"U8"', `[${'9007199254740991,'.repeat(99_999)}0]`)],
    ['a header a million deep', nested(1_000_000, ['[', ']'])],
    ['a tensor a hundred thousand times', `{${'"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'.repeat(99_999)}"b":1}`],
    [
      'fifty thousand on one byte',
      `{${Array.from({ length: 50_000 }, (_, at) => `"${at}":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}`)}}`,
    ],
    ['a name of a megabyte', `{${JSON.stringify('n'.repeat(2 ** 20))}:1}`],
  ])('%s', async (_, text) => {
    const bytes = framed(text)
    const { work, steps } = await open({ 'model.safetensors': { bytes, size: bytes.length + 1 } })
    expect(work.bytes).toBeLessThanOrEqual(bytes.length + 8)
    expect(steps).toBeLessThanOrEqual(bytes.length)
  })

  test('an index of ten thousand shards that are not there asks for four', async () => {
    const map = Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`t${at}`, `s${at}.safetensors`]))
    const bytes = new TextEncoder().encode(JSON.stringify({ weight_map: map }))
    const { result, work } = await open({ [index]: { bytes, size: bytes.length } })
    expect(result).toMatchObject({ code: 'file_missing' })
    expect(work.sizes).toBeLessThanOrEqual(3 + 4)
  })
})
