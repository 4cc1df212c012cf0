// Packing tiny models: what loads from the packed folder is what loads from the source, and quantising costs no more than llama.cpp's Q4_0.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import type { WeightsFormat } from '../../src/api/types.ts'
import { run } from '../../src/cli/main.ts'
import { type PackOptions, packFolder } from '../../src/cli/pack.ts'
import { readModel } from '../../src/engine/checkpoint.ts'
import { Engine } from '../../src/engine/engine.ts'
import { packItems } from '../../src/engine/packing.ts'
import * as formats from '../../src/formats.ts'
import { dawn } from '../../src/gpu/dawn.ts'
import { type Gpu, openGpu } from '../../src/gpu/device.ts'
import { readShown } from '../../src/media/shown.ts'
import { folderSource } from '../../src/weights/folder.ts'
import type { PackedManifest, PackedTensor } from '../../src/weights/packed.ts'
import { openCheckpoint } from '../../src/weights/safetensors.ts'
import type { TensorEntry } from '../../src/weights/tensor.ts'
import { decodePacked } from '../reference/blocks.ts'
import { bf16Value, halfValue, relativeL2 } from '../reference.ts'

const fixtures = fileURLToPath(new URL('../fixtures/', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'glm-pack-'))
/** What gguf-py's Q4_0 costs, by model and tensor. */
const ofQ4: Record<string, Record<string, number>> = JSON.parse(readFileSync(join(fixtures, 'pack.json'), 'utf8'))
const ids = [5, 9, 2, 17, 33, 8, 21]
/** Small shards, so that tiny models have several, and tensors in stretches. */
const small = { shardBytes: 8 * 1024, pieceBytes: 512, sliceValues: 4096 }

let dawnGpu: GPU
let gpu: Gpu
beforeAll(async () => {
  dawnGpu = await dawn()
  gpu = await openGpu(dawnGpu)
})
afterAll(() => {
  gpu.close()
  rmSync(scratch, { recursive: true })
})

let made = 0
async function packed(model: string, options: Partial<PackOptions> = {}) {
  const folder = join(scratch, String(++made))
  const input = join(fixtures, model)
  const told = await packFolder({ gpu, source: folderSource(input), folder, input, ...small, ...options })
  const manifest: PackedManifest = JSON.parse(readFileSync(join(folder, 'glm-webgpu.json'), 'utf8'))
  return { folder, manifest, told }
}

async function logits(place: string, weights: WeightsFormat = 'file'): Promise<Float32Array> {
  const source = folderSource(place)
  const engine = await Engine.load({ gpu: dawnGpu, source, formats: async () => formats, weights, context: 64, exact: true, chats: false })
  try {
    const all = new Float32Array(ids.length * engine.info.vocabulary)
    await engine.score(ids, (rows, start) => all.set(rows, start * engine.info.vocabulary))
    return all
  } finally {
    await engine.close()
  }
}

const bits = (values: Float32Array) => createHash('sha256').update(values).digest('hex')

/** Values of a plain tensor. */
async function valuesOf(place: string, { file, start, end, dtype }: TensorEntry): Promise<Float64Array> {
  const bytes = await folderSource(place).read(file, start, end)
  const view = new DataView(bytes.buffer)
  const width = dtype === 'F32' ? 4 : 2
  const read = {
    F32: (at: number) => view.getFloat32(at, true),
    F16: (at: number) => halfValue(view.getUint16(at, true)),
    BF16: (at: number) => bf16Value(view.getUint16(at, true)),
  }[dtype as 'F32']
  return Float64Array.from({ length: bytes.length / width }, (_, index) => read(index * width))
}

/** Values of a packed tensor, read straight from the shards. */
async function unpacked(folder: string, name: string, { shape, format, group, centred }: PackedTensor): Promise<Float64Array> {
  const { tensors } = await openCheckpoint(folderSource(folder))
  const [rows, columns] = shape as [number, number]
  const values = new Float64Array(rows * columns)
  for (const [key, codes] of tensors) {
    if (key !== `${name}.codes` && !key.startsWith(`${name}.codes@`)) continue
    const part = async (kind: string) => {
      const entry = tensors.get(key.replace('.codes', `.${kind}`))!
      return folderSource(folder).read(entry.file, entry.start, entry.end)
    }
    const own = codes.shape[0]!
    const parts = {
      codes: await folderSource(folder).read(codes.file, codes.start, codes.end),
      scales: await part('scales'),
      ...(centred ? { centres: await part('centres') } : {}),
    }
    const decoded = decodePacked(parts as never, own, columns, { bits: format === 'q4' ? 4 : 8, group: group!, centred: centred! } as never)
    values.set(valuesIn(decoded), Number(key.split('@')[1] ?? 0) * columns)
  }
  return values
}

const valuesIn = (decoded: { values?: ArrayLike<number> }) => decoded.values as Float64Array

function checkShards(folder: string, { shards }: PackedManifest): void {
  const files = readdirSync(folder).filter((name) => name.endsWith('.safetensors'))
  expect(files.sort()).toEqual(shards.map(({ file }) => file).sort())
  shards.forEach(({ file, bytes, sha256 }, index) => {
    const path = join(folder, file)
    expect(statSync(path).size).toBe(bytes)
    expect(bytes).toBeLessThanOrEqual(small.shardBytes)
    if (index + 1 < shards.length) expect(bytes % small.pieceBytes).toBe(0)
    expect(createHash('sha256').update(readFileSync(path)).digest('hex')).toBe(sha256)
  })
}

test('a model that sees keeps its tower as it is stored', { timeout: 300_000 }, async () => {
  const model = 'vision/glm46v'
  const { folder, manifest } = await packed(model)
  const { tensors } = await openCheckpoint(folderSource(join(fixtures, model)))
  const tower = [...tensors.keys()].filter((name) => name.startsWith('model.visual.'))
  const whole = Object.entries(manifest.tensors).filter(([, { whole }]) => whole)
  expect(whole.map(([name]) => name).sort()).toEqual(tower.sort())
  const image = {
    format: 'RGBA' as const,
    width: 112,
    height: 84,
    data: Uint8Array.from({ length: 112 * 84 * 4 }, (_, i) => (i * 7) % 251),
  }
  const request = { messages: [{ role: 'user' as const, content: [{ type: 'image' as const, image }] }] }
  const all: Float32Array[] = []
  for (const place of [join(fixtures, model), folder]) {
    const vision = () => import('../../src/vision.ts')
    const source = folderSource(place)
    const engine = await Engine.load({
      gpu: dawnGpu,
      source,
      formats: async () => formats,
      vision,
      context: 256,
      exact: true,
      chats: false,
    })
    const prompt = await engine.prompt(await readShown(request, { sees: engine.info.sees }))
    const rows = new Float32Array(prompt.ids.length * engine.info.vocabulary)
    await engine.score(prompt.ids, (own, start) => rows.set(own, start * engine.info.vocabulary), undefined, prompt.seen)
    all.push(rows)
    await engine.close()
  }
  expect(bits(all[1]!)).toBe(bits(all[0]!))
})

const plain = ['glm-edge-f32', 'glm4-sharded-bf16', 'glm-odd-f16', 'glm-chat-bf16']

describe.each(inject('adapter') === 'lavapipe' ? plain : plain.slice(0, 1))('%s', (name) => {
  const model = `checkpoints/${name}`

  test('q4 in groups of 32: shards are whole pieces, logits those of the source in q4, bit for bit', async () => {
    const { folder, manifest } = await packed(model)
    checkShards(folder, manifest)
    expect(manifest.shards.length).toBeGreaterThan(2)
    expect(readFileSync(join(folder, 'model.safetensors.index.json'), 'utf8')).toContain('.codes@')
    expect(bits(await logits(folder))).toBe(bits(await logits(join(fixtures, model), 'q4')))
    expect((await readModel(folderSource(folder), { formats: async () => formats })).config).toEqual(
      (await readModel(folderSource(join(fixtures, model)))).config,
    )
  })

  test('the error in the manifest is that of the file, and at most that of Q4_0', async () => {
    const { folder, manifest } = await packed(model)
    const { tensors } = await openCheckpoint(folderSource(join(fixtures, model)))
    let compared = 0
    for (const [key, tensor] of Object.entries(manifest.tensors)) {
      if (tensor.format !== 'q4') continue
      const wanted = await valuesOf(join(fixtures, model), tensors.get(key)!)
      const error = relativeL2(await unpacked(folder, key, tensor), wanted)
      expect(Math.abs(error - tensor.error!), key).toBeLessThan(1e-6)
      const theirs = ofQ4[name]![key]
      if (theirs === undefined) continue // rows that are not whole blocks
      expect(tensor.error!, key).toBeLessThanOrEqual(theirs)
      compared++
    }
    expect(compared).toBe(Object.keys(ofQ4[name]!).length)
    if (!name.includes('odd')) expect(compared).toBeGreaterThan(5)
  })
})

// SwiftShader takes seconds to compile each model's kernels.
const fast = inject('adapter') === 'lavapipe'

describe.runIf(fast)('other groups and formats', () => {
  const model = 'checkpoints/glm4-sharded-bf16'
  test.each([
    [{ group: 64 }, { group: 64, format: 'q4' }],
    [{ group: 128 }, { group: 128, format: 'q4' }],
    [{ weights: 'q8' }, { group: 32, format: 'q8' }],
    [
      { weights: 'q8', group: 64 },
      { group: 64, format: 'q8' },
    ],
  ] as const)('%j', async (wishes, wanted) => {
    const { folder, manifest } = await packed(model, { wishes })
    checkShards(folder, manifest)
    const { tensors } = await openCheckpoint(folderSource(join(fixtures, model)))
    for (const [key, tensor] of Object.entries(manifest.tensors)) {
      if (tensor.shape.length === 1) continue
      expect(tensor).toMatchObject(wanted)
      const error = relativeL2(await unpacked(folder, key, tensor), await valuesOf(join(fixtures, model), tensors.get(key)!))
      expect(Math.abs(error - tensor.error!), key).toBeLessThan(1e-6)
      expect(error, key).toBeLessThan(wanted.format === 'q8' ? 0.01 : 0.15)
    }
    expect(relativeL2(await logits(folder), await logits(folder, 'f32'))).toBeLessThan(1e-4)
  })

  test('the head and the embedding in 8 bits; a tied head is the embedding', async () => {
    const { folder, manifest } = await packed(model, { wishes: { head: 'q8' } })
    expect(manifest.tensors['lm_head.weight']).toMatchObject({ format: 'q8', group: 32 })
    expect(manifest.tensors['model.embed_tokens.weight']).toMatchObject({ format: 'q4' })
    expect(relativeL2(await logits(folder), await logits(folder, 'f32'))).toBeLessThan(1e-4)
    const tied = await packed('checkpoints/glm4-tied-f16', { wishes: { head: 'q8' } })
    expect(tied.manifest.tensors['model.embed_tokens.weight']).toMatchObject({ format: 'q8' })
    expect(tied.manifest.tensors['lm_head.weight']).toBeUndefined()
    const embedding = await packed(model, { wishes: { embedding: 'q8' } })
    expect(embedding.manifest.tensors['model.embed_tokens.weight']).toMatchObject({ format: 'q8' })
    expect(embedding.manifest.tensors['lm_head.weight']).toMatchObject({ format: 'q4' })
  })
})

describe.runIf(fast)('what is quantised stays as it is', () => {
  test.each([
    'gguf/glm-q4_0.gguf',
    'gguf/glm4-mrope-q4_0.gguf',
    'gguf/glm4-q5_1.gguf',
    'quantised/gptq-order',
    'quantised/awq-g128',
    'quantised/compressed-asym',
    'quantised/compressed-order',
    'quantised/chatglm-awq',
  ])('%s', async (model) => {
    const { folder, manifest } = await packed(model)
    for (const { error, format } of Object.values(manifest.tensors)) expect(error ?? 0, format).toBe(0)
    checkShards(folder, manifest)
    expect(bits(await logits(folder))).toBe(bits(await logits(join(fixtures, model))))
    const own = await readModel(folderSource(folder), { formats: async () => formats })
    const theirs = await readModel(folderSource(join(fixtures, model)), { formats: async () => formats })
    const { halves, apart, together, ...config } = theirs.config
    expect(own.config).toEqual(config)
    const text = 'Hello, 你好 <|user|> 12345'
    expect(own.tokenizer?.encodePlain(text)).toEqual(theirs.tokenizer?.encodePlain(text))
    expect(own.template === undefined).toBe(theirs.template === undefined)
    expect(own.generation).toEqual(theirs.generation)
  })

  test.each(['gguf/glm-q4_k_m.gguf', 'gguf/glm-q6_k.gguf'])('%s, but for scales in f16', async (model) => {
    const { folder, manifest } = await packed(model)
    const errors = Object.values(manifest.tensors).flatMap(({ error }) => error ?? [])
    expect(Math.max(...errors)).toBeLessThan(1e-3)
    expect(Math.max(...errors)).toBeGreaterThan(0)
    expect(relativeL2(await logits(folder), await logits(join(fixtures, model)))).toBeLessThan(2e-3)
  })

  test.each([
    ['gguf/glm4-split-q8_0-00001-of-00003.gguf', { weights: 'q4' }],
    ['quantised/gptq-order', { group: 64 }],
    ['gguf/glm-f16.gguf', {}],
    ['quantised/chatglm-bf16', {}],
  ] as const)('%s, unless asked: %j', async (model, wishes) => {
    const { folder, manifest } = await packed(model, { wishes })
    for (const [name, { error, format, shape }] of Object.entries(manifest.tensors)) {
      if (shape.length === 1) continue
      expect(format).toBe('q4')
      expect(error, name).toBeGreaterThan(0)
      expect(error, name).toBeLessThan(0.2)
    }
    const { tensors } = (await readModel(folderSource(join(fixtures, model)), { formats: async () => formats })).checkpoint
    expect(tensors.size).toBeGreaterThan(0)
    const [own, whole] = [await logits(folder), await logits(join(fixtures, model), 'f32')]
    expect(relativeL2(own, whole)).toBeLessThan(0.6)
  })
})

describe('a folder that is written', () => {
  const model = join(fixtures, 'checkpoints/glm-edge-f32')
  const source = folderSource(model)

  test('is empty, unless forced; old shards go', async () => {
    const { folder } = await packed('checkpoints/glm-edge-f32')
    const count = readdirSync(folder).length
    await expect(packFolder({ gpu, source, folder, ...small })).rejects.toMatchObject({ code: 'request_invalid' })
    writeFileSync(join(folder, 'notes.txt'), 'mine')
    await packFolder({ gpu, source, folder, force: true })
    expect(readdirSync(folder).filter((name) => name.endsWith('.safetensors'))).toEqual(['model.safetensors'])
    expect(existsSync(join(folder, 'notes.txt'))).toBe(true)
    expect(existsSync(join(folder, 'model.safetensors.index.json'))).toBe(false)
    expect(count).toBeGreaterThan(4)
  })

  test('is not that of the model', async () => {
    const folder = join(scratch, 'own')
    mkdirSync(folder)
    for (const name of readdirSync(model)) writeFileSync(join(folder, name), readFileSync(join(model, name)))
    const own = folderSource(folder)
    await expect(packFolder({ gpu, source: own, folder, input: folder, force: true })).rejects.toMatchObject({ code: 'request_invalid' })
    expect(readdirSync(folder).sort()).toEqual(readdirSync(model).sort())
  })

  test('has nothing of a run that was cut off', async () => {
    const folder = join(scratch, 'cut')
    const stop = new AbortController()
    const options = { gpu, source, folder, ...small, signal: stop.signal, onTensors: () => stop.abort() }
    await expect(packFolder(options)).rejects.toMatchObject({ code: 'aborted' })
    expect(readdirSync(folder)).toEqual([])
  })

  test('names source and licence, and sums up', async () => {
    const { told, manifest } = await packed('checkpoints/glm-edge-f32', { licence: 'MIT' })
    expect(manifest).toMatchObject({ version: 1, licence: 'MIT', source: { name: 'glm-edge-f32' } })
    const errors = Object.values(manifest.tensors).flatMap(({ error }) => error ?? [])
    expect(told).toMatchObject({ shards: manifest.shards.length, worst: { error: Math.max(...errors) } })
    const { config, checkpoint } = await readModel(source)
    expect(Object.keys(manifest.tensors)).toEqual(packItems(config, checkpoint, {}).map(({ name }) => name))
  })
})

test('as a command: a line for each layer, JSON last', async () => {
  const folder = join(scratch, 'command')
  const lines: string[] = []
  const printed: string[] = []
  const terminal = {
    print: (text: string) => void printed.push(text),
    log: (line: string) => void lines.push(line),
    progress: () => {},
    flush: async () => {},
  }
  const setting = { home: 'src', terminal, signal: new AbortController().signal }
  const model = join(fixtures, 'checkpoints/glm-edge-f32')
  expect(await run(['pack', model, folder, '--head', 'q8', '--json'], setting), lines.join()).toBe(0)
  const { bytes, shards, tensors, worst, seconds } = JSON.parse(printed.at(-1)!)
  expect({ shards, tensors }).toEqual({ shards: 1, tensors: 18 })
  expect(bytes).toBe(statSync(join(folder, 'model.safetensors')).size)
  expect(worst.error).toBeGreaterThan(0.05)
  expect(seconds).toBeGreaterThan(0)
  expect(lines[0]).toMatch(/^model\.embed_tokens\.weight: q8 in groups of 32, error 0\.\d+ %$/)
  expect(lines.filter((line) => /^model\.layers\.\d: q4 in groups of 32, error \d\.\d+ %$/.test(line))).toHaveLength(2)
  expect(lines.at(-1)).toMatch(/^Packed glm-edge-f32 into .*: [\d.]+ KiB in 1 file, .* the largest error is/)
  expect(await run(['pack', model, folder], setting)).toBe(2)
  expect(lines.at(-1)).toContain('is not empty')
})
