import { readdir } from 'node:fs/promises'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { GlmError } from '../../src/errors.ts'
import { folderSource } from '../../src/weights/folder.ts'
import { headerEnd, openCheckpoint, parseHeader, parseIndex } from '../../src/weights/safetensors.ts'
import type { Source } from '../../src/weights/source.ts'

const checkpoints = new URL('../fixtures/checkpoints/', import.meta.url).pathname

/** A safetensors file: header text (or an object for it), then `body` zero bytes. */
function safetensors(header: unknown, body: number): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header))
  const bytes = new Uint8Array(8 + text.length + body)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true)
  bytes.set(text, 8)
  return bytes
}

/** Files in memory; `largest` is the longest read, `reads` their number. */
function memory(files: Record<string, Uint8Array<ArrayBuffer>>) {
  const seen = { largest: 0, reads: 0 }
  const find = (path: string) => {
    const bytes = Object.hasOwn(files, path) ? files[path] : undefined
    if (!bytes) throw new GlmError('file_missing', path)
    return bytes
  }
  const source: Source = {
    name: 'memory',
    size: async (path) => find(path).length,
    async read(path, start, end) {
      const bytes = find(path)
      expect(end).toBeLessThanOrEqual(bytes.length)
      seen.reads++
      seen.largest = Math.max(seen.largest, end - start)
      return bytes.slice(start, end)
    },
  }
  return { source, seen }
}

const open = (bytes: Uint8Array<ArrayBuffer>) => openCheckpoint(memory({ 'model.safetensors': bytes }).source)
const tensor = (dtype: unknown, shape: unknown, offsets: unknown) => ({ dtype, shape, data_offsets: offsets })
const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))

describe('valid files', () => {
  test('ranges are absolute; metadata is no tensor', async () => {
    const header = {
      __metadata__: { format: 'pt' },
      b: tensor('F32', [2, 3], [0, 24]),
      a: tensor('BF16', [], [24, 26]),
      z: tensor('F16', [0, 5], [26, 26]),
    }
    const bytes = safetensors(header, 26)
    const data = bytes.length - 26
    const { tensors, bytes: total } = await open(bytes)
    expect(total).toBe(bytes.length)
    expect([...tensors.values()]).toEqual([
      { name: 'b', dtype: 'F32', shape: [2, 3], file: 'model.safetensors', start: data, end: data + 24 },
      { name: 'a', dtype: 'BF16', shape: [], file: 'model.safetensors', start: data + 24, end: data + 26 },
      { name: 'z', dtype: 'F16', shape: [0, 5], file: 'model.safetensors', start: data + 26, end: data + 26 },
    ])
  })

  test('every dtype, sub-byte ones too', async () => {
    const sizes = {
      F4: 4,
      F6_E2M3: 6,
      F6_E3M2: 6,
      BOOL: 8,
      U8: 8,
      I8: 8,
      F8_E4M3: 8,
      F8_E5M2: 8,
      F8_E8M0: 8,
      U16: 16,
      I16: 16,
      F16: 16,
      BF16: 16,
    }
    for (const [dtype, width] of Object.entries({ ...sizes, U32: 32, I32: 32, F32: 32, U64: 64, I64: 64, F64: 64, C64: 64 })) {
      expect((await open(safetensors({ a: tensor(dtype, [8], [0, width]) }, width))).tensors.get('a')?.dtype).toBe(dtype)
    }
  })

  test('names that are traps in JavaScript are only names', async () => {
    const header = `{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"constructor":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`
    const { tensors } = await open(safetensors(header, 2))
    expect([...tensors.keys()]).toEqual(['__proto__', 'constructor'])
    expect(Object.hasOwn(Object.prototype, 'dtype')).toBe(false)
    for (const dtype of ['constructor', '__proto__', 'toString']) {
      await expect(open(safetensors({ a: tensor(dtype, [1], [0, 1]) }, 1))).rejects.toMatchObject({ code: 'tensor_invalid' })
    }
  })

  test('fixtures of the oracle, sharded ones too', async () => {
    for (const name of await readdir(checkpoints)) {
      const source = folderSource(checkpoints + name)
      const { tensors, bytes } = await openCheckpoint(source)
      expect(tensors.has('model.embed_tokens.weight')).toBe(true)
      const used = [...tensors.values()].reduce((sum, { start, end }) => sum + end - start, 0)
      expect(used).toBeGreaterThan(0)
      expect(used).toBeLessThan(bytes)
    }
    const { tensors } = await openCheckpoint(folderSource(`${checkpoints}glm4-sharded-bf16`))
    expect(new Set([...tensors.values()].map(({ file }) => file)).size).toBeGreaterThan(1)
  })

  test('only headers are read', async () => {
    const { source, seen } = memory({ 'model.safetensors': safetensors({ a: tensor('U8', [1_000_000], [0, 1_000_000]) }, 1_000_000) })
    await openCheckpoint(source)
    expect(seen.largest).toBeLessThan(200)
  })
})

const one = (value: unknown, body = 8) => safetensors({ a: value }, body)
const length = (value: bigint, rest = 100) => {
  const bytes = new Uint8Array(8 + rest)
  new DataView(bytes.buffer).setBigUint64(0, value, true)
  return bytes
}
const faults: [string, Uint8Array<ArrayBuffer>, GlmError['code']][] = [
  ['an empty file', new Uint8Array(0), 'file_truncated'],
  ['seven bytes', new Uint8Array(7), 'file_truncated'],
  ['a header longer than the file', length(101n), 'file_truncated'],
  ['a header over 100 MB', length(100_000_001n), 'file_invalid'],
  ['a header of 2^64 - 1 bytes', length(2n ** 64n - 1n), 'file_invalid'],
  ['a header of no bytes', length(0n), 'file_invalid'],
  ['no JSON', safetensors('{"a":', 0), 'file_invalid'],
  ['a byte order mark', safetensors('\ufeff{}', 0), 'file_invalid'],
  ['no UTF-8', length(4n).fill(0xff, 8), 'file_invalid'],
  ['an array', safetensors([], 0), 'file_invalid'],
  ['null', safetensors('null', 0), 'file_invalid'],
  ['deep nesting', safetensors('['.repeat(1_000_000), 0), 'file_invalid'],
  ['a tensor that is no object', one(7), 'tensor_invalid'],
  ['null for a tensor', one(null), 'tensor_invalid'],
  ['no dtype', one({ shape: [8], data_offsets: [0, 8] }), 'tensor_invalid'],
  ['an unknown dtype', one(tensor('Q4', [8], [0, 8])), 'tensor_invalid'],
  ['a dtype in an array', one(tensor(['U8'], [8], [0, 8])), 'tensor_invalid'],
  ['a shape that is no array', one(tensor('U8', 8, [0, 8])), 'tensor_invalid'],
  ['a negative size', one(tensor('U8', [-2, -4], [0, 8])), 'tensor_invalid'],
  ['half a size', one(tensor('U8', [0.5, 16], [0, 8])), 'tensor_invalid'],
  ['a size in words', one(tensor('U8', ['8'], [0, 8])), 'tensor_invalid'],
  ['an overflowing shape', one(tensor('U8', [2 ** 32, 2 ** 32], [0, 8])), 'tensor_invalid'],
  ['a shape that overflows to 0', one(tensor('U8', [2 ** 53 - 1, 2 ** 53 - 1, 0], [0, 0])), 'tensor_invalid'],
  ['an infinite size', safetensors('{"a":{"dtype":"U8","shape":[1e999],"data_offsets":[0,8]}}', 8), 'tensor_invalid'],
  ['one offset', one(tensor('U8', [8], [8])), 'tensor_invalid'],
  ['three offsets', one(tensor('U8', [8], [0, 8, 9])), 'tensor_invalid'],
  ['offsets the wrong way round', one(tensor('U8', [8], [8, 0])), 'tensor_invalid'],
  ['negative offsets', one(tensor('U8', [8], [-8, 0])), 'tensor_invalid'],
  ['too few bytes for the shape', one(tensor('F32', [8], [0, 8])), 'tensor_invalid'],
  ['too many', one(tensor('F16', [2], [0, 8])), 'tensor_invalid'],
  ['half a byte', one(tensor('F4', [3], [0, 1])), 'tensor_invalid'],
  ['an end past the file', one(tensor('U8', [9], [0, 9])), 'file_truncated'],
  ['an offset of 2^53 - 1', one(tensor('U8', [1], [2 ** 53 - 2, 2 ** 53 - 1])), 'file_truncated'],
  ['tensors that overlap', safetensors({ a: tensor('U8', [5], [0, 5]), b: tensor('U8', [4], [4, 8]) }, 8), 'file_invalid'],
  ['two tensors on one range', safetensors({ a: tensor('U8', [8], [0, 8]), b: tensor('U8', [8], [0, 8]) }, 8), 'file_invalid'],
  ['one inside another', safetensors({ a: tensor('U8', [8], [0, 8]), b: tensor('U8', [2], [3, 5]) }, 8), 'file_invalid'],
]

test.each(faults)('%s', async (_, bytes, code) => {
  const error = await open(bytes).then(
    () => undefined,
    (reason: unknown) => reason as GlmError,
  )
  expect(error).toMatchObject({ name: 'GlmError', code })
  expect(error?.message).toMatch(/model\.safetensors/)
})

describe('shards', () => {
  const shard = (name: string) => safetensors({ [name]: tensor('U8', [4], [0, 4]) }, 4)
  const files = (map: unknown, more = {}) => ({
    'model.safetensors.index.json': json({ weight_map: map }),
    'x-1.safetensors': shard('a'),
    ...more,
  })
  const attempt = (map: unknown, more = {}) => openCheckpoint(memory(files(map, more)).source)

  test('all tensors of the map, from their shards; others are left out', async () => {
    const { tensors, bytes } = await attempt({ a: 'x-1.safetensors', b: 'x-2.safetensors' }, { 'x-2.safetensors': shard('b') })
    expect([...tensors.values()].map(({ name, file }) => [name, file])).toEqual([
      ['a', 'x-1.safetensors'],
      ['b', 'x-2.safetensors'],
    ])
    expect(bytes).toBe(shard('a').length + shard('b').length)
  })

  test('what the map says must be there', async () => {
    await expect(attempt({ a: 'x-1.safetensors', b: 'x-1.safetensors' })).rejects.toMatchObject({ code: 'tensor_invalid' })
    await expect(attempt({ a: 'x-9.safetensors' })).rejects.toMatchObject({ code: 'file_missing' })
    await expect(openCheckpoint(memory({}).source)).rejects.toMatchObject({ code: 'file_missing' })
  })

  test.each([undefined, null, 7, [], 'x'])('weight_map %j is refused', async (map) => {
    await expect(attempt(map)).rejects.toMatchObject({ code: 'file_invalid' })
  })

  const paths = [
    '../x.safetensors',
    '/x.safetensors',
    'a/b.safetensors',
    'a\\b.safetensors',
    'https://evil/x.safetensors',
    '.safetensors',
    '',
    'x.bin',
    7,
    null,
  ]
  test.each([...paths, 'x.safetensors\n', 'a?b.safetensors', '%2e%2e.safetensors'])('shard name %j is refused', (file) => {
    expect(() => parseIndex({ weight_map: { a: file } })).toThrow(GlmError)
  })
})

describe('mutations', () => {
  const header = {
    __metadata__: { format: 'pt' },
    'model.embed_tokens.weight': tensor('BF16', [6, 4], [0, 48]),
    'model.layers.0.self_attn.q_proj.weight': tensor('F16', [4, 4], [48, 80]),
    'model.norm.weight': tensor('F32', [4], [80, 96]),
  }
  const valid = safetensors(header, 96)
  const end = headerEnd(valid, valid.length, 'x')
  const whole = JSON.stringify(header)

  /** Flipped, cut, inserted or doubled bytes, anywhere in the header. */
  const bytewise = fc
    .array(fc.record({ at: fc.nat(end - 1), byte: fc.nat(255), how: fc.constantFrom('set', 'bit', 'insert', 'remove', 'cut') }), {
      minLength: 1,
      maxLength: 4,
    })
    .map((edits) => {
      let bytes = Array.from(valid)
      for (const { at, byte, how } of edits) {
        if (how === 'set') bytes[at] = byte
        if (how === 'bit') bytes[at] = (bytes[at] ?? 0) ^ (1 << (byte & 7))
        if (how === 'insert') bytes.splice(at, 0, byte)
        if (how === 'remove') bytes.splice(at, 1)
        if (how === 'cut') bytes = bytes.slice(0, at)
      }
      return Uint8Array.from(bytes)
    })

  /** Any number or string of the JSON text replaced by a hostile value; the length fits again. */
  const nasty = [
    '-1',
    '0',
    '1e308',
    '1e999',
    '0.5',
    '9007199254740993',
    '4294967296',
    '9223372036854775808',
    '"F32"',
    '"F64"',
    '"__proto__"',
    'null',
    '[]',
    '{}',
    '[0,0]',
    'true',
  ]
  const tokens = [...whole.matchAll(/\d+|"[^"]*"|\[[^\]]*\]/g)].map((found) => [found.index, found[0].length] as const)
  const textwise = fc
    .record({ token: fc.nat(tokens.length - 1), value: fc.constantFrom(...nasty), body: fc.nat(200) })
    .map(({ token, value, body }) => {
      const [at, size] = tokens[token]!
      return safetensors(whole.slice(0, at) + value + whole.slice(at + size), body)
    })

  const tally = { refused: 0, taken: 0, codes: new Map<string, number>() }

  async function hold(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const { source, seen } = memory({ 'model.safetensors': bytes })
    try {
      const { tensors } = await openCheckpoint(source)
      tally.taken++
      for (const { start, end: last, shape } of tensors.values()) {
        expect(0 <= start && start <= last && last <= bytes.length).toBe(true)
        expect(shape.every((size) => Number.isSafeInteger(size) && size >= 0)).toBe(true)
      }
    } catch (error) {
      if (!(error instanceof GlmError)) throw error
      tally.refused++
      tally.codes.set(error.code, (tally.codes.get(error.code) ?? 0) + 1)
    }
    expect(seen.largest).toBeLessThanOrEqual(bytes.length)
    expect(seen.reads).toBeLessThanOrEqual(2)
  }

  test('only GlmError comes out, and no read goes past the file', async () => {
    await fc.assert(fc.asyncProperty(bytewise, hold), { numRuns: 4000 })
    await fc.assert(fc.asyncProperty(textwise, hold), { numRuns: 4000 })
    // The mutations bite: most are refused, for each of the reasons there are, and some are harmless.
    expect(tally.refused).toBeGreaterThan(tally.taken)
    expect(tally.taken).toBeGreaterThan(100)
    for (const code of ['file_truncated', 'file_invalid', 'tensor_invalid']) expect(tally.codes.get(code)).toBeGreaterThan(100)
  })

  test('the pure parser on any bytes', () => {
    const garbage = fc.uint8Array({ maxLength: 300 })
    const run = (bytes: Uint8Array, size: number) => {
      try {
        for (const { end: last } of parseHeader(bytes, size, 'x').values()) expect(last).toBeLessThanOrEqual(size)
      } catch (error) {
        expect(error).toBeInstanceOf(GlmError)
      }
    }
    fc.assert(fc.property(garbage, fc.nat(1000), run), { numRuns: 1000 })
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), fc.nat(1000), (value, size) => run(safetensors(value, 0), size)),
      { numRuns: 1000 },
    )
  })

  test('an index of any JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), (value) => {
        try {
          parseIndex({ weight_map: value })
        } catch (error) {
          expect(error).toBeInstanceOf(GlmError)
        }
      }),
    )
  })

  test('a hostile header costs little time', () => {
    const many = Object.fromEntries(Array.from({ length: 20_000 }, (_, at) => [`t${at}`, tensor('U8', [1], [at, at + 1])]))
    const bytes = safetensors(many, 20_000)
    const from = performance.now()
    expect(parseHeader(bytes, bytes.length, 'x').size).toBe(20_000)
    expect(performance.now() - from).toBeLessThan(2000)
  })
})
