// The files the bench writes: read back by a small GGUF reader of this test, by our own safetensors and by our own tokenizer.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { safetensorsHeader, writeCheckpoint } from '../../bench/checkpoint.mjs'
import { writeGguf } from '../../bench/gguf.mjs'
import { shapeNames, shapeOf, tensorsOf } from '../../bench/shapes.mjs'
import { promptOf, tokenizerJson, vocabularyOf } from '../../bench/vocabulary.mjs'
import { readModel } from '../../src/engine/checkpoint.ts'
import { planModel } from '../../src/engine/plan.ts'
import { createTokenizer } from '../../src/text/tokenizer.ts'
import { folderSource } from '../../src/weights/folder.ts'
import { parseHeader } from '../../src/weights/safetensors.ts'

const folder = mkdtempSync(join(tmpdir(), 'glm-webgpu-bench-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** One layer, a small head: every kind of tensor in little room. */
const small = shapeOf('pocket-1')
const sandwich = { ...small, name: 'small glm4', family: 'glm4', bias: true, tied: false }

const dtypeBytes: Record<number, (count: number) => number> = { 0: (count) => count * 4, 2: (count) => (count / 32) * 18 }

/** GGUF version 3, as its specification lays it out. */
function readGguf(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  const take = (size: number) => {
    at += size
    return at - size
  }
  const u32 = () => view.getUint32(take(4), true)
  const u64 = () => Number(view.getBigUint64(take(8), true))
  const text = () => {
    const length = u64()
    const start = take(length)
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(start, start + length))
  }
  const readers: Record<number, () => unknown> = {
    4: u32,
    5: () => view.getInt32(take(4), true),
    6: () => view.getFloat32(take(4), true),
    7: () => bytes[take(1)] === 1,
    8: text,
    9: () => {
      const [type, length] = [u32(), u64()]
      return Array.from({ length }, readers[type]!)
    },
  }
  const magic = u32()
  const version = u32()
  const [tensorCount, fieldCount] = [u64(), u64()]
  const fields: Record<string, unknown> = {}
  for (let i = 0; i < fieldCount; i++) fields[text()] = readers[u32()]!()
  const tensors = Array.from({ length: tensorCount }, () => {
    const name = text()
    const sizes = Array.from({ length: u32() }, u64)
    return { name, sizes, dtype: u32(), offset: u64() }
  })
  return { magic, version, fields, tensors, data: Math.ceil(at / 32) * 32 }
}

test.each([small, sandwich])('the GGUF of $name reads back: keys, tensors, one behind the other to the last byte', (shape) => {
  const path = join(folder, 'model.gguf')
  writeGguf(path, shape)
  const bytes = readFileSync(path)
  const { magic, version, fields, tensors, data } = readGguf(bytes)
  const a = shape.family === 'glm4' ? 'glm4' : 'chatglm'
  expect({ magic, version }).toEqual({ magic: 0x46554747, version: 3 })
  expect(fields).toMatchObject({
    'general.architecture': a,
    [`${a}.block_count`]: 1,
    [`${a}.embedding_length`]: 192,
    [`${a}.rope.dimension_count`]: 16,
  })
  const { tokens, merges, end } = vocabularyOf(shape.vocabulary)
  expect(fields['tokenizer.ggml.tokens']).toEqual(tokens)
  expect(fields['tokenizer.ggml.merges']).toEqual(merges)
  expect(fields['tokenizer.ggml.eos_token_id']).toBe(end)
  expect(fields['tokenizer.ggml.token_type']).toHaveLength(shape.vocabulary)
  const expected = tensorsOf(shape).map(({ gguf, rows, columns }) => ({ name: gguf, sizes: columns ? [columns, rows] : [rows] }))
  expect(tensors.map(({ name, sizes }) => ({ name, sizes }))).toEqual(expected)
  let next = 0
  for (const { name, sizes, dtype, offset } of tensors) {
    expect(offset, name).toBe(next)
    next = Math.ceil((offset + dtypeBytes[dtype]!(sizes.reduce((product, size) => product * size))) / 32) * 32
  }
  expect(data + next).toBe(bytes.length)
})

test('Q4_0 weights are of a usual size and differ from block to block', () => {
  const path = join(folder, 'weights.gguf')
  writeGguf(path, small)
  const bytes = readFileSync(path)
  const { tensors, data } = readGguf(bytes)
  const { offset } = tensors.find(({ name }) => name === 'blk.0.ffn_up.weight')!
  const scales = Array.from({ length: 1000 }, (_, block) => bytes.readUInt16LE(data + offset + block * 18))
  for (const scale of scales) expect(scale & 0xfe00).toBe(0x1c00) // 2^-8 to 1.5 times that
  expect(new Set(scales).size).toBeGreaterThan(100)
})

test.each([small, sandwich])('the folder of $name is a whole model to our own loader', async (shape) => {
  const place = join(folder, shape.family)
  writeCheckpoint(place, shape)
  const files = await readModel(folderSource(place))
  const { fits, faults } = planModel(shape.name, files, { weights: 'q4' }, { binding: 2 ** 27 })
  expect({ fits, faults }).toEqual({ fits: true, faults: [] })
  expect(files.config).toMatchObject({ family: shape.family, layers: 1, tied: shape.tied, qkvBias: shape.bias })
  const entry = files.checkpoint.tensors.get('model.layers.0.mlp.down_proj.weight')!
  const bytes = readFileSync(join(place, entry.file)).subarray(entry.start, entry.end)
  const halves = Uint32Array.from({ length: bytes.length / 2 }, (_, index) => bytes.readUInt16LE(2 * index) << 16)
  const values = new Float32Array(halves.buffer)
  const rms = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length)
  expect(rms).toBeGreaterThan(0.018)
  expect(rms).toBeLessThan(0.022)
  const norm = files.checkpoint.tensors.get('model.norm.weight')!
  expect(readFileSync(join(place, norm.file)).readUInt16LE(norm.start)).toBe(0x3f80)
})

test('a safetensors header is valid to our own reader for every shape', () => {
  for (const name of shapeNames) {
    const tensors = tensorsOf(shapeOf(name))
    const header = safetensorsHeader(tensors)
    expect(header.length % 8).toBe(0)
    const size = header.length + tensors.reduce((sum, { rows, columns = 1 }) => sum + rows * columns * 2, 0)
    expect(parseHeader(header, size, 'model.safetensors').size).toBe(tensors.length)
  }
})

test('a prompt has as many tokens as it should, and is another for every run', () => {
  const tokenizer = createTokenizer(tokenizerJson(1280), { eos_token: '<|endoftext|>' })
  for (const count of [1, 32, 300]) expect(tokenizer.encode(promptOf(count, 1))).toHaveLength(count)
  expect(new Set([0, 1, 2].map((run) => promptOf(32, run)[0])).size).toBe(3)
  expect(tokenizer.encode('th')).toEqual([256])
})

test('shapes: parameters as published, cuts, and names that are none', () => {
  const parameters = (name: string) => tensorsOf(shapeOf(name)).reduce((sum, { rows, columns = 1 }) => sum + rows * columns, 0)
  expect(parameters('edge-1.5b')).toBe(1_472_055_296)
  expect(parameters('edge-4b')).toBe(4_145_925_120)
  expect(shapeOf('edge-1.5b-4').layers).toBe(4)
  expect(() => shapeOf('edge-1.5b-29')).toThrow(/28 layers/)
  expect(() => shapeOf('gpt')).toThrow(/there is no shape gpt/)
})
