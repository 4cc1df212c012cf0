// Towers in files of their own (mmproj): found beside their model, with config and tensors as the checkpoint that they were converted from.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readGguf } from '../../src/engine/gguf.ts'
import { mmprojFiles, readMmproj } from '../../src/engine/mmproj.ts'
import { configJson } from '../../src/engine/packing.ts'
import { GlmError } from '../../src/errors.ts'
import { parseConfig } from '../../src/model/config.ts'
import { mmprojHalf } from '../../src/model/mmproj.ts'
import { parseVision } from '../../src/model/vision_config.ts'
import { planVision } from '../../src/model/vision_layout.ts'
import { mmprojName } from '../../src/model/vision_names.ts'
import { folderSource } from '../../src/weights/folder.ts'
import { type Gguf, type GgufValue, openGguf, parseGguf } from '../../src/weights/gguf.ts'
import { openCheckpoint } from '../../src/weights/safetensors.ts'
import type { Source } from '../../src/weights/source.ts'
import { decodeVector } from '../../src/weights/vector.ts'

const folder = fileURLToPath(new URL('../fixtures/vision', import.meta.url))
const json = (path: string) => JSON.parse(readFileSync(`${folder}/${path}`, 'utf8'))
const source = (name: string) => folderSource(`${folder}/gguf/${name}`)

describe.each(['glm4v', 'glm_ocr', 'glm_edge_v'])('%s', (name) => {
  test('both configs are those of the checkpoint', async () => {
    const { config, sees } = await readGguf(source(name), 'model.gguf')
    const own = json(`${name}/config.json`)
    const { halves, sections, context, eps, ...rest } = parseConfig(own)
    expect(config).toMatchObject(rest)
    expect(config.sections).toEqual(sections)
    expect([config.halves ?? false, halves]).toEqual([name !== 'glm_edge_v', undefined])
    expect([config.eps, config.context]).toEqual([Math.fround(eps), name === 'glm_edge_v' ? 8192 : context])
    const [mine, wanted] = [parseVision(sees), parseVision(own)]
    expect(mine).toEqual({ ...wanted, eps: Math.fround(wanted.eps) })
  })

  test('every tensor of the plan is there, with the values of the checkpoint', async () => {
    const from = source(name)
    const { checkpoint, sees } = await readGguf(from, 'model.gguf')
    planVision(parseVision(sees), checkpoint)
    const original = folderSource(`${folder}/${name}`)
    const { tensors } = await openCheckpoint(original)
    const own = [...checkpoint.tensors].filter(([tensor]) => /^model\.vis/.test(tensor))
    expect(own.map(([tensor]) => tensor).sort()).toEqual(
      [...tensors.keys()].filter((tensor) => /^model\.vis/.test(tensor) && !/\.head\./.test(tensor)).sort(),
    )
    for (const [tensor, entry] of own) {
      const wanted = tensors.get(tensor)!
      expect([tensor, entry.shape]).toEqual([tensor, wanted.shape])
      const values = decodeVector(wanted, await original.read(wanted.file, wanted.start, wanted.end))
      const parts = entry.parts?.second ? [entry, entry.parts.second] : [entry]
      const read = await Promise.all(parts.map(async (one) => decodeVector(entry, await from.read(one.file, one.start, one.end))))
      // Of two frames the values of each channel take turns.
      const mine =
        read.length === 1 ? read[0]! : values.map((_, at) => read[Math.floor(at / 196) % 2]![Math.floor(at / 392) * 196 + (at % 196)]!)
      const far = values.findIndex((value, at) => Math.abs(value - mine[at]!) > 1e-7)
      expect([tensor, far]).toEqual([tensor, -1])
    }
  })

  test('its config can be packed', async () => {
    const { config } = await readGguf(source(name), 'model.gguf')
    const { halves, ...own } = config
    expect(parseConfig(JSON.parse(JSON.stringify(configJson(config))))).toEqual(own)
    expect([halves ?? false, own.sections !== undefined]).toEqual(name === 'glm_edge_v' ? [false, false] : [true, true])
  })
})

test('names of towers, and of nothing else', () => {
  expect(mmprojName('v.blk.17.attn_qkv.bias')).toBe('block.17.qkv.bias')
  expect(mmprojName('v.patch_embd.bias')).toBe('patch.bias')
  expect(mmprojName('v.position_embd.weight')).toBe('positions')
  expect(mmprojName('adapter.boi')).toBe('begin')
  for (const name of [
    'v.patch_embd.weight.1',
    'v.blk.x.ln1.weight',
    'v.blk.N.ln1.weight',
    'v.class_embd',
    'toString',
    'v.blk.1.constructor',
    '',
  ])
    expect([name, mmprojName(name)]).toEqual([name, undefined])
})

describe('which file', () => {
  test('beside the model, 8 bits first, then 16', () => {
    const paths = [
      'mmproj-F32.gguf',
      'GLM-4.6V.mmproj-f16.gguf',
      'sub/mmproj-q8_0.gguf',
      'mmproj.gguf',
      'mmproj-BF16.gguf',
      'mmproj-Q8_0.gguf',
      'mmproj.txt',
      'm.gguf',
    ]
    const first = ['mmproj-Q8_0.gguf', 'GLM-4.6V.mmproj-f16.gguf', 'mmproj-BF16.gguf', 'mmproj-F32.gguf', 'mmproj.gguf']
    expect(mmprojFiles(paths, 'm.gguf')).toEqual(first)
    expect(mmprojFiles(paths, 'sub/m.gguf')).toEqual(['sub/mmproj-q8_0.gguf'])
    expect(mmprojFiles(paths, 'other/m.gguf')).toEqual([])
  })

  test('none where a file lies alone, where the source cannot list, or where it is of another model', async () => {
    const { list: _, ...blind } = source('glm4v')
    expect((await readGguf(blind, 'model.gguf')).sees).toBeUndefined()
    const alone: Source = { ...source('glm4v'), list: async () => [{ path: 'model.gguf', size: 1 }] }
    expect((await readGguf(alone, 'model.gguf')).sees).toBeUndefined()
    const both = folderSource(`${folder}/gguf`)
    const { config } = await readGguf(both, 'glm4v/model.gguf')
    expect(mmprojHalf(await openGguf(both, 'glm4v/mmproj.gguf'), config)).toBeDefined()
    for (const other of ['glm_ocr', 'glm_edge_v'])
      expect([other, mmprojHalf(await openGguf(both, `${other}/mmproj.gguf`), config)]).toEqual([other, undefined])
    expect(mmprojHalf(await openGguf(both, 'glm4v/model.gguf'), config)).toBeUndefined()
  })

  test('a tower that wants its pixels normed in another way is refused', async () => {
    const from = source('glm_ocr')
    const text = await readGguf({ ...from, list: async () => [] }, 'model.gguf')
    const bytes = new Uint8Array(readFileSync(`${folder}/gguf/glm_ocr/mmproj.gguf`))
    const at = Buffer.from(bytes.buffer).indexOf('clip.vision.image_mean') + 'clip.vision.image_mean'.length + 4 + 4 + 8
    new DataView(bytes.buffer).setFloat32(at, 0.5, true)
    const other: Source = {
      ...from,
      size: async (path) => (path === 'mmproj.gguf' ? bytes.length : from.size(path)),
      read: async (path, start, end) => (path === 'mmproj.gguf' ? bytes.slice(start, end) : from.read(path, start, end)),
    }
    const fault = await readMmproj(other, 'model.gguf', text.config).catch((error) => error)
    expect(fault).toMatchObject({ code: 'config_unsupported', message: expect.stringMatching(/mmproj\.gguf has image_mean \[0\.5,/) })
  })

  test('of a text model none, whatever lies beside it', async () => {
    const edge = folderSource(`${folder}/gguf`)
    const { config } = await readGguf(edge, 'glm_edge_v/model.gguf')
    expect(mmprojHalf(await openGguf(edge, 'glm4v/mmproj.gguf'), config)).toBeUndefined()
    expect(mmprojHalf(await openGguf(edge, 'glm4v/mmproj.gguf'), { ...config, family: 'glm4' })).toBeUndefined()
  })
})

test("bounds of pictures: the file's keys, else llama.cpp's own", async () => {
  const { config } = await readGguf(source('glm4v'), 'model.gguf')
  const gguf = await openGguf(source('glm4v'), 'mmproj.gguf')
  const sizeOf = (keys: [string, GgufValue][]) =>
    mmprojHalf({ ...gguf, metadata: new Map([...gguf.metadata, ...keys]) }, config)!.json.image_processor
  expect(sizeOf([])).toEqual({ size: { shortest_edge: 12_544, longest_edge: 6_422_528 } })
  const keys: [string, GgufValue][] = [
    ['clip.vision.image_min_pixels', 3136],
    ['clip.vision.image_max_pixels', 12_544],
  ]
  expect(sizeOf(keys)).toEqual({ size: { shortest_edge: 6272, longest_edge: 25_088 } })
  expect(sizeOf([['clip.vision.image_max_pixels', 'many']])).toEqual({ size: { shortest_edge: 12_544, longest_edge: 6_422_528 } })
})

describe('a tower that is not whole', () => {
  const changed = async (name: string, change: (gguf: Gguf) => void, keys: Record<string, GgufValue> = {}) => {
    const from = source(name)
    const { config } = await readGguf(from, 'model.gguf')
    const gguf = await openGguf(from, 'mmproj.gguf')
    const copy = { ...gguf, tensors: new Map(gguf.tensors), metadata: new Map([...gguf.metadata, ...Object.entries(keys)]) }
    change(copy)
    const half = mmprojHalf(copy, config)!
    return planVision(parseVision(half.json), half.checkpoint)
  }
  const patch = 'v.patch_embd.weight.1'

  test.each<[string, string, (gguf: Gguf) => void, RegExp]>([
    ['no second frame', 'glm4v', ({ tensors }) => void tensors.delete(patch), /no two tensors v\.patch_embd/],
    [
      'a second frame of another type',
      'glm4v',
      ({ tensors }) => void tensors.set(patch, { ...tensors.get(patch)!, dtype: 'F16' }),
      /one shape and type/,
    ],
    [
      'a second frame of another shape',
      'glm_ocr',
      ({ tensors }) => void tensors.set(patch, { ...tensors.get(patch)!, shape: [48, 3, 7, 28] }),
      /one shape/,
    ],
    ['a tensor less', 'glm_ocr', ({ tensors }) => void tensors.delete('v.blk.1.attn_q_norm.weight'), /no tensor .*blocks\.1\.attn\.q_norm/],
    [
      'a shape of its own',
      'glm_edge_v',
      ({ tensors }) => void tensors.set('v.post_ln.bias', { ...tensors.get('v.post_ln.bias')!, shape: [24] }),
      /shape \[24\]/,
    ],
  ])('%s', async (_, name, change, message) => {
    const fault = await changed(name, change).catch((error) => error)
    expect(fault).toMatchObject({ code: 'tensor_invalid', message: expect.stringMatching(message) })
  })

  test.each(['embedding_length', 'block_count', 'patch_size', 'image_size', 'attention.head_count'])('%s in words', async (key) => {
    const fault = await changed('glm4v', () => {}, { [`clip.vision.${key}`]: 'many' }).catch((error) => error)
    expect(fault).toMatchObject({ code: 'config_unsupported' })
  })

  test('layers of an MLP are told apart by their shapes, whatever they are called', async () => {
    const swapped = ({ tensors }: Gguf) => {
      for (const layer of [0, 1]) {
        for (const end of ['weight', 'bias']) {
          const [up, down] = ['up', 'down'].map((part) => tensors.get(`v.blk.${layer}.ffn_${part}.${end}`)!)
          tensors.set(up!.name, { ...down!, name: up!.name })
          tensors.set(down!.name, { ...up!, name: down!.name })
        }
      }
    }
    const [own, other] = [await changed('glm_edge_v', () => {}), await changed('glm_edge_v', swapped)]
    const starts = ({ checkpoint: { tensors } }: typeof own) =>
      [...tensors].filter(([name]) => name.includes('mlp')).map(([name, { start }]) => [name, start] as const)
    expect(new Map(starts(other))).toEqual(new Map(starts(own)))
  })
})

test('headers with bytes changed, two thousand times: only a GlmError comes out, in bounded work', async () => {
  const headers = await Promise.all(
    ['glm4v', 'glm_ocr', 'glm_edge_v'].map(async (name) => {
      const { config } = await readGguf(source(name), 'model.gguf')
      const bytes = new Uint8Array(readFileSync(`${folder}/gguf/${name}/mmproj.gguf`))
      const { tensors } = parseGguf(bytes, bytes.length, name) as Gguf
      return { config, size: bytes.length, bytes: bytes.slice(0, Math.min(...[...tensors.values()].map(({ start }) => start))) }
    }),
  )
  const outcomes = { whole: 0, other: 0, refused: 0 }
  const spot = fc.record({ at: fc.noBias(fc.nat(99_999)), value: fc.nat(255) })
  const property = fc.property(fc.nat(2), fc.array(spot, { minLength: 1, maxLength: 3 }), (which, spots) => {
    const { config, size, bytes } = headers[which]!
    const copy = bytes.slice()
    for (const { at, value } of spots) copy[Math.floor((at / 1e5) * copy.length)] = value
    const began = performance.now()
    try {
      const header = parseGguf(copy, size, 'mmproj.gguf')
      const half = typeof header === 'number' ? undefined : mmprojHalf(header, config)
      if (half) planVision(parseVision(half.json), half.checkpoint)
      outcomes[half ? 'whole' : 'other']++
    } catch (error) {
      outcomes.refused++
      expect(error).toBeInstanceOf(GlmError)
      expect((error as GlmError).message.length).toBeLessThan(600)
    }
    expect(performance.now() - began).toBeLessThan(2000)
  })
  fc.assert(property, { numRuns: 2000, seed: 6 })
  for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(20)
})
