// Headers of GGUF: llama.cpp's own files as the oracle lists them, and faults by hand.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { GlmError } from '../../src/errors.ts'
import { folderSource } from '../../src/weights/folder.ts'
import { openGguf, parseGguf } from '../../src/weights/gguf.ts'
import { folder, type Golden, gguf, goldens, memory, type Written } from './gguf.ts'

const parse = (written: Written, size?: number) => {
  const bytes = gguf(written)
  const header = parseGguf(bytes, size ?? bytes.length, 'model.gguf')
  if (typeof header === 'number') throw new Error(`It wants ${header} bytes.`)
  return header
}

describe.each(goldens.map((golden) => [golden.name, golden] as const))('%s', (_, golden: Golden) => {
  test('tensors, types, shapes and places are as gguf-py reads them', async () => {
    for (const file of golden.files) {
      const opened = await openGguf(folderSource(folder), file)
      expect(opened.files).toEqual(golden.files)
      const listed = [...opened.tensors.values()].map(({ name, dtype, shape, start, end }) => [name, [dtype, shape, start, end - start]])
      expect(Object.fromEntries(listed)).toEqual(golden.tensors)
      expect(opened.bytes).toBe(golden.files.reduce((sum, name) => sum + readFileSync(`${folder}/${name}`).length, 0))
      expect(opened.metadata.get('general.architecture')).toBe(golden.config.family === 'glm' ? 'chatglm' : 'glm4')
      expect(opened.version).toBe(3)
    }
  })
})

describe('valid files', () => {
  const tensors: Written['tensors'] = [
    ['a', [4, 3], 'F32', 0],
    ['b', [64], 'Q4_0', 64],
  ]

  test('every type of value', () => {
    const { metadata } = parse({
      keys: [
        ['u8', 0, 200],
        ['i8', 1, -3],
        ['u16', 2, 60000],
        ['i16', 3, -300],
        ['u32', 4, 4e9],
        ['i32', 5, -7],
        ['f32', 6, 0.5],
        ['bool', 7, true],
        ['string', 8, 'ß你😀'],
        ['u64', 10, 2n ** 40n],
        ['i64', 11, -5n],
        ['f64', 12, Math.PI],
        ['strings', 9, { type: 8, values: ['a', '', 'b'] }],
        ['numbers', 9, { type: 5, values: [-1, 2] }],
        ['truths', 9, { type: 7, values: [true, false] }],
        [
          'nested',
          9,
          {
            type: 9,
            values: [
              { type: 0, values: [1, 2] },
              { type: 8, values: ['x'] },
            ],
          },
        ],
        ['__proto__', 8, 'only a name'],
      ],
    })
    expect(Object.fromEntries([...metadata].filter(([key]) => !['nested', '__proto__'].includes(key)))).toEqual({
      u8: 200,
      i8: -3,
      u16: 60000,
      i16: -300,
      u32: 4e9,
      i32: -7,
      f32: 0.5,
      bool: true,
      string: 'ß你😀',
      u64: 2 ** 40,
      i64: -5,
      f64: Math.PI,
      strings: ['a', '', 'b'],
      numbers: Int32Array.of(-1, 2),
      truths: [true, false],
    })
    expect(metadata.get('nested')).toEqual([Uint8Array.of(1, 2), ['x']])
    expect(metadata.get('__proto__')).toBe('only a name')
  })

  test.each([2, 3])('version %i', (version) => {
    expect(parse({ version, tensors, body: 100 }).version).toBe(version)
  })

  test('shapes are outermost first; ranges are absolute and begin where the alignment says', () => {
    for (const alignment of [undefined, 8, 64, 4096]) {
      const keys: Written['keys'] = alignment ? [['general.alignment', 4, alignment]] : []
      const wide: Written['tensors'] = [
        ['a', [4, 3], 'F32', 0],
        ['b', [64], 'Q4_0', 4096],
        ['none', [0, 7], 'F16', 0],
        ['scalar', [], 'F32', 8192],
      ]
      const { tensors: all, bytes } = parse({ keys, tensors: wide, alignment: alignment ?? 32, body: 8196 })
      const data = bytes - 8196
      expect(data % (alignment ?? 32)).toBe(0)
      expect(all.get('a')).toEqual({ name: 'a', dtype: 'F32', shape: [3, 4], file: 'model.gguf', start: data, end: data + 48 })
      expect(all.get('b')).toMatchObject({ dtype: 'Q4_0', shape: [64], start: data + 4096, end: data + 4096 + 36 })
      expect(all.get('none')).toMatchObject({ shape: [7, 0], start: data, end: data })
      expect(all.get('scalar')).toMatchObject({ shape: [], start: data + 8192, end: data + 8196 })
    }
  })

  test('types that are not read are understood all the same, even unknown ones', () => {
    const { tensors: all } = parse({
      tensors: [
        ['a', [256], 'IQ2_XXS', 0],
        ['b', [5], 99, 96],
      ],
      body: 128,
    })
    expect(all.get('a')).toMatchObject({ dtype: 'IQ2_XXS' })
    expect(all.get('a')!.end - all.get('a')!.start).toBe(66)
    expect(all.get('b')!.dtype).toBe('ggml type 99')
  })

  test('only the header is read, in ranges that grow', async () => {
    const long = gguf({ keys: [['long', 9, { type: 8, values: Array.from({ length: 300_000 }, (_, i) => `word ${i}`) }]], tensors })
    const size = 5e9
    const { source, seen } = memory({ 'model.gguf': long }, { 'model.gguf': size })
    expect((await openGguf(source, 'model.gguf')).metadata.get('long')).toHaveLength(300_000)
    expect(seen.bytes).toBeLessThan(2 * long.length + 2 ** 20)
    expect(seen.reads).toBeLessThan(6)
  })

  test('a short header at the end of nothing asks for what it needs', () => {
    const bytes = gguf({ keys: [['key', 8, 'value']], tensors, body: 100 })
    const needs = Array.from({ length: bytes.length - 150 }, (_, length) => parseGguf(bytes.slice(0, length), bytes.length, 'model.gguf'))
    needs.forEach((need, length) => {
      expect(typeof need === 'number' && need > length && need <= bytes.length).toBe(true)
    })
  })
})

const string = (key: string, value: string): Written => ({ keys: [[key, 8, value]] })
const one = (shape: (number | bigint)[], type: string | number, offset: number | bigint = 0, body = 64): Written => ({
  tensors: [['a', shape, type, offset]],
  body,
})
const raw = (change: (view: DataView, bytes: Uint8Array) => void, written: Written = string('key', 'value')): Uint8Array => {
  const bytes = gguf(written)
  change(new DataView(bytes.buffer), bytes)
  return bytes
}
/** Of a file with one key `key`: its count, the key's length, its type, and what follows. */
const at = { tensors: 8, keys: 16, keyLength: 24, type: 35, value: 39 }

const faults: [string, Uint8Array, GlmError['code']][] = [
  ['an empty file', new Uint8Array(0), 'file_truncated'],
  ['23 bytes', raw(() => {}).slice(0, 23), 'file_truncated'],
  ['another mark', raw((view) => view.setUint8(0, 0x67)), 'file_invalid'],
  ['version 1', raw((view) => view.setUint32(4, 1, true)), 'file_invalid'],
  ['version 4', raw((view) => view.setUint32(4, 4, true)), 'file_invalid'],
  ['version 0', raw((view) => view.setUint32(4, 0, true)), 'file_invalid'],
  ['big-endian', raw((view) => view.setUint32(4, 3, false)), 'file_invalid'],
  ['2^64 - 1 tensors', raw((view) => view.setBigUint64(at.tensors, 2n ** 64n - 1n, true)), 'file_invalid'],
  ['more tensors than bytes', raw((view) => view.setBigUint64(at.tensors, 1000n, true)), 'file_truncated'],
  ['2^53 keys', raw((view) => view.setBigUint64(at.keys, 2n ** 53n, true)), 'file_invalid'],
  ['more keys than bytes', raw((view) => view.setBigUint64(at.keys, 100n, true)), 'file_truncated'],
  ['a key longer than the file', raw((view) => view.setBigUint64(at.keyLength, 500n, true)), 'file_truncated'],
  ['an unknown value type', raw((view) => view.setUint32(at.type, 13, true)), 'file_invalid'],
  ['a string longer than the file', raw((view) => view.setBigUint64(at.value, 2n ** 40n, true)), 'file_truncated'],
  [
    'a list longer than the file',
    raw((view) => view.setBigUint64(43, 2n ** 40n, true), { keys: [['key', 9, { type: 0, values: [1, 2, 3] }]] }),
    'file_truncated',
  ],
  [
    'a list of an unknown type',
    raw((view) => view.setUint32(39, 77, true), { keys: [['key', 9, { type: 0, values: [1, 2, 3] }]] }),
    'file_invalid',
  ],
  ['no UTF-8', raw((view) => view.setUint8(at.value + 8, 0xff)), 'file_invalid'],
  ['a truth value of 2', raw((view) => view.setUint8(at.value, 2), { keys: [['key', 7, true]] }), 'file_invalid'],
  [
    'a key twice',
    gguf({
      keys: [
        ['a', 4, 1],
        ['a', 4, 2],
      ],
    }),
    'file_invalid',
  ],
  ['an alignment of 0', gguf({ keys: [['general.alignment', 4, 0]] }), 'file_invalid'],
  ['an alignment of 24', gguf({ keys: [['general.alignment', 4, 24]] }), 'file_invalid'],
  ['an alignment in words', gguf(string('general.alignment', '32')), 'file_invalid'],
  [
    'a tensor twice',
    gguf({
      tensors: [
        ['a', [1], 'F32', 0],
        ['a', [1], 'F32', 32],
      ],
      body: 64,
    }),
    'tensor_invalid',
  ],
  ['five dimensions', gguf(one([1, 1, 1, 1, 1], 'F32')), 'tensor_invalid'],
  ['2^32 - 1 dimensions', raw((view) => view.setUint32(24 + 8 + 1, 2 ** 32 - 1, true), one([1], 'F32')), 'tensor_invalid'],
  ['an overflowing shape', gguf(one([2 ** 30, 2 ** 30], 'F32')), 'tensor_invalid'],
  ['a shape that overflows to 0', gguf(one([2n ** 40n, 2n ** 40n, 0], 'F32')), 'tensor_invalid'],
  ['a size of 2^64 - 1', gguf(one([2n ** 64n - 1n], 'F32')), 'file_invalid'],
  ['half a block', gguf(one([48], 'Q4_0')), 'tensor_invalid'],
  ['half a K block', gguf(one([128], 'Q4_K', 0, 4096)), 'tensor_invalid'],
  ['an offset off the alignment', gguf(one([1], 'F32', 4)), 'tensor_invalid'],
  ['an offset behind the file', gguf(one([1], 'F32', 64)), 'file_truncated'],
  ['an offset of 2^53 - 32', gguf(one([1], 'F32', 2n ** 53n - 32n)), 'file_truncated'],
  ['an offset of 2^64 - 32', gguf(one([1], 'F32', 2n ** 64n - 32n)), 'file_invalid'],
  ['a tensor longer than the file', gguf(one([17], 'F32')), 'file_truncated'],
  [
    'tensors over one another',
    gguf({
      tensors: [
        ['a', [16], 'F32', 0],
        ['b', [8], 'F32', 32],
      ],
      body: 64,
    }),
    'file_invalid',
  ],
]

describe('faults', () => {
  test.each(faults)('%s', async (_, bytes, code) => {
    const fault = await openGguf(memory({ 'model.gguf': bytes }).source, 'model.gguf').catch((error) => error)
    expect(fault).toBeInstanceOf(GlmError)
    expect(fault).toMatchObject({ code })
    expect(fault.message).toMatch(/\.$/)
  })

  test('lists in lists end somewhere', () => {
    let value: unknown = { type: 0, values: [] }
    for (let depth = 0; depth < 20; depth++) value = { type: 9, values: [value] }
    expect(() => parse({ keys: [['deep', 9, value]] })).toThrow(/too deep/)
    const many = { type: 9, values: Array.from({ length: 70_000 }, () => ({ type: 0, values: [] })) }
    expect(() => parse({ keys: [['wide', 9, many]] })).toThrow(/too many lists/)
  })

  // A claim costs what the claim's own bytes cost, however large the file says it is.
  const claims: [string, (view: DataView) => void, Written?][] = [
    ['tensors', (view) => view.setBigUint64(at.tensors, 2n ** 33n, true)],
    ['keys', (view) => view.setBigUint64(at.keys, 2n ** 33n, true)],
    ['a key', (view) => view.setBigUint64(at.keyLength, 2n ** 33n, true)],
    ['a string', (view) => view.setBigUint64(at.value, 2n ** 33n, true)],
    ['a list', (view) => view.setBigUint64(43, 2n ** 33n, true), { keys: [['key', 9, { type: 5, values: [1, 2, 3] }]] }],
  ]
  test.each(claims)('a small header in a file of a terabyte that claims 2^33 of %s', async (_, change, written) => {
    const { source, seen } = memory({ 'model.gguf': raw(change, written) }, { 'model.gguf': 2 ** 40 })
    const began = performance.now()
    await expect(openGguf(source, 'model.gguf')).rejects.toMatchObject({ code: 'file_invalid' })
    expect(seen.bytes).toBeLessThanOrEqual(2 ** 20)
    expect(performance.now() - began).toBeLessThan(1000)
  })
})

describe('parts', () => {
  const names = ['m-00001-of-00003.gguf', 'm-00002-of-00003.gguf', 'm-00003-of-00003.gguf']
  const part = (no: number, { count = 3, total = 3, name = `t${no}` } = {}) =>
    gguf({
      keys: [
        ['split.no', 2, no],
        ['split.count', 2, count],
        ['split.tensors.count', 5, total],
        ...(no === 0 ? ([['general.name', 8, 'first']] as Written['keys'])! : []),
      ],
      tensors: [[name, [1], 'F32', 0]],
      body: 4,
    })
  const three = (change: Record<string, Uint8Array> = {}) => ({
    [names[0]!]: part(0),
    [names[1]!]: part(1),
    [names[2]!]: part(2),
    ...change,
  })

  test('any part may be named; the metadata is the first one’s', async () => {
    for (const name of names) {
      const opened = await openGguf(memory(three()).source, name)
      expect([...opened.tensors.keys()]).toEqual(['t0', 't1', 't2'])
      expect([...opened.tensors.values()].map(({ file }) => file)).toEqual(names)
      expect(opened.metadata.get('general.name')).toBe('first')
      expect(opened.files).toEqual(names)
    }
    const inFolder = Object.fromEntries(Object.entries(three()).map(([name, bytes]) => [`q4/${name}`, bytes]))
    expect((await openGguf(memory(inFolder).source, `q4/${names[1]}`)).files[0]).toBe(`q4/${names[0]}`)
  })

  const wrong: [string, Record<string, Uint8Array>, string, GlmError['code']][] = [
    ['a part is missing', { [names[0]!]: part(0), [names[1]!]: part(1) }, names[0]!, 'file_missing'],
    ['two parts are exchanged', three({ [names[1]!]: part(2), [names[2]!]: part(1) }), names[0]!, 'file_invalid'],
    ['a part is of another model', three({ [names[1]!]: part(1, { count: 4 }) }), names[0]!, 'file_invalid'],
    ['a tensor is in two parts', three({ [names[1]!]: part(1, { name: 't0' }) }), names[0]!, 'file_invalid'],
    ['a tensor is missing', three({ [names[0]!]: part(0, { total: 4 }) }), names[0]!, 'file_invalid'],
    ['a part was renamed', { 'renamed.gguf': part(0) }, 'renamed.gguf', 'file_invalid'],
    ['the name says another count', { 'm-00001-of-00002.gguf': part(0) }, 'm-00001-of-00002.gguf', 'file_invalid'],
    ['a thousand parts', { 'm-00001-of-01000.gguf': part(0, { count: 1000 }) }, 'm-00001-of-01000.gguf', 'file_invalid'],
    ['0 parts', { 'm-00001-of-00000.gguf': part(0, { count: 0 }) }, 'm-00001-of-00000.gguf', 'file_invalid'],
  ]
  test.each(wrong)('%s', async (_, files, name, code) => {
    await expect(openGguf(memory(files).source, name)).rejects.toMatchObject({ code })
  })

  test.each([
    '../m.gguf',
    'a/../../m.gguf',
    '/m.gguf',
    '\\m.gguf',
    'a\\..\\m.gguf',
    'a//m.gguf',
    './m.gguf',
    'https://x/m.gguf',
    'm\0.gguf',
    'm.bin',
    '',
  ])('the path %j is refused before anything is read', async (path) => {
    const { source, seen } = memory({ [path]: part(0, { count: 1 }) })
    await expect(openGguf(source, path)).rejects.toMatchObject({ code: 'file_invalid' })
    expect(seen.reads).toBe(0)
  })
})
