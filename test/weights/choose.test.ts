// Which models lie among files, and which of them is taken.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { GlmError } from '../../src/errors.ts'
import { chooseVariant, gpuBytes, listVariants, narrow } from '../../src/weights/choose.ts'
import type { Source } from '../../src/weights/source.ts'

const listed = (...files: [path: string, size: number][]) => files.map(([path, size]) => ({ path, size }))
const labels = (paths: string[]) => listVariants(paths.map((path) => ({ path, size: 1 }))).map(({ label, files }) => [label, ...files])

/** The official repository's files, in megabytes. */
const edge = listed(
  ['.gitattributes', 1],
  ['README.md', 1],
  ['ggml-model-Q4_0.gguf', 931e6],
  ['ggml-model-Q4_1.gguf', 1.02e9],
  ['ggml-model-Q4_K_M.gguf', 980e6],
  ['ggml-model-Q5_K_M.gguf', 1.14e9],
  ['ggml-model-Q6_K.gguf', 1.31e9],
  ['ggml-model-Q8_0.gguf', 1.7e9],
  ['glm-edge-1.5B-chat-F16.gguf', 3.19e9],
)
const safe = listed(['config.json', 700], ['model.safetensors', 3e9], ['tokenizer.json', 6e6])

test('types stand at the end of a name, in any case, behind any mark', () => {
  expect(labels(['a-Q4_K_M.gguf', 'a.Q8_0.gguf', 'a_q4_0.gguf', 'a-FP16.GGUF', 'a.bf16.gguf', 'Q6_K.gguf', 'd/a-f32.gguf'])).toEqual([
    ['F32', 'd/a-f32.gguf'],
    ['BF16', 'a.bf16.gguf'],
    ['F16', 'a-FP16.GGUF'],
    ['Q8_0', 'a.Q8_0.gguf'],
    ['Q6_K', 'Q6_K.gguf'],
    ['Q4_K_M', 'a-Q4_K_M.gguf'],
    ['Q4_0', 'a_q4_0.gguf'],
  ])
})

test('what is not loaded is left out; a name without a type is not', () => {
  const left = ['a-IQ4_XS.gguf', 'a-Q2_K.gguf', 'a-Q3_K_M.gguf', 'a-UD-Q4_K_XL.gguf', 'a-Q4_0_4_4.gguf', 'a.TQ1_0.gguf', 'a-MXFP4.gguf']
  expect(labels([...left, 'mmproj-F16.gguf', 'a.imatrix.gguf', 'my-lora-F16.gguf', 'a.bin', 'a.gguf.part'])).toEqual([])
  expect(labels(['glm-edge.gguf', 'explorable.gguf'])).toEqual([
    ['explorable', 'explorable.gguf'],
    ['glm-edge', 'glm-edge.gguf'],
  ])
})

test('splits are one model, where all are there', () => {
  const part = (number: number, of = 3) => `a-Q8_0-0000${number}-of-0000${of}.gguf`
  expect(labels([part(2), part(3), part(1)])).toEqual([['Q8_0', part(1), part(2), part(3)]])
  expect(labels([part(1), part(3)])).toEqual([])
  expect(labels([part(1), part(2), part(3), part(4)])).toEqual([])
  expect(labels([part(1, 1), 'a-Q8_0.gguf'])).toHaveLength(2)
})

test('a folder of safetensors is one model: a file, or shards with an index', () => {
  expect(listVariants(safe)).toEqual([{ label: 'safetensors', files: ['config.json', 'model.safetensors'], bytes: 3e9, bits: 16 }])
  expect(labels(['config.json', 'model-00001-of-00002.safetensors'])).toEqual([])
  expect(labels(['config.json', 'model.safetensors.index.json', 'b.safetensors', 'a.safetensors', 'd/c.safetensors'])).toEqual([
    ['safetensors', 'config.json', 'b.safetensors', 'a.safetensors'],
  ])
  expect(labels(['model.safetensors'])).toEqual([])
})

test('without a wish: four bits, with a sentence that names the rest', () => {
  const { variant, why, variants } = chooseVariant(listVariants(edge))
  expect(variant.label).toBe('Q4_K_M')
  expect(why).toBe(
    'Q4_K_M (980 MB) was chosen: four bits a weight are a good balance of size and quality. There are also F16, Q8_0, Q6_K, Q5_K_M, Q4_1, Q4_0.',
  )
  expect(variants).toHaveLength(7)
  const few = listVariants(listed(['a-Q8_0.gguf', 2e9], ['a-Q5_K_M.gguf', 1e9]))
  expect(chooseVariant(few)).toMatchObject({ variant: { label: 'Q5_K_M' }, why: expect.stringContaining('it is the smallest') })
  expect(chooseVariant(listVariants(safe)).why).toBe('safetensors (3.00 GB) is the only one there.')
})

test('with memory: the best that fits, as it stands on the GPU', () => {
  const chosen = (memory: number) => chooseVariant(listVariants(edge), { memory })
  expect([20e9, 3e9, 1.75e9, 1.2e9, 940e6, 1e6].map((memory) => chosen(memory).variant.label)).toEqual([
    'F16',
    'Q8_0',
    'Q8_0',
    'Q4_K_M',
    'Q4_0',
    'Q4_0',
  ])
  expect(chosen(1.75e9).why).toBe('Q8_0 (1.70 GB) was chosen: the best of 7 whose weights fit 1.75 GB of memory.')
  expect(chosen(1e6).why).toBe('Q4_0 (931 MB) was chosen: none of 7 fits 1.0 MB of memory, and it takes least.')
  // Five and six bits stand as eight.
  expect(gpuBytes(listVariants(edge).find(({ label }) => label === 'Q6_K')!)).toBeGreaterThan(1.7e9)
})

test('what is asked for by label or file is taken, or said not to be there', () => {
  const all = listVariants(edge)
  expect(chooseVariant(all, { want: 'q6_k' }).variant.label).toBe('Q6_K')
  expect(chooseVariant(all, { want: 'ggml-model-Q4_1.gguf', memory: 1 }).variant.label).toBe('Q4_1')
  expect(() => chooseVariant(all, { want: 'Q2_K' })).toThrow(expect.objectContaining({ code: 'request_invalid' }))
  expect(() => chooseVariant([])).toThrow(expect.objectContaining({ code: 'file_missing' }))
})

test('a source is narrowed to one GGUF; folders of safetensors, named files and sources without a list stay as they are', async () => {
  const source = (files: { path: string; size: number }[], rest: Partial<Source> = {}): Source => ({
    name: 'm',
    size: async () => 0,
    read: async () => new Uint8Array(0),
    list: async () => files,
    ...rest,
  })
  const entry = async (from: Source, want?: string) => (await narrow(from, want === undefined ? {} : { want })).source.entry
  expect(await entry(source(edge))).toBe('ggml-model-Q4_K_M.gguf')
  expect((await narrow(source(edge))).source.name).toBe('m/ggml-model-Q4_K_M.gguf')
  expect(await entry(source(edge, { entry: 'x.gguf' }))).toBe('x.gguf')
  expect(await entry(source(safe))).toBeUndefined()
  expect(await entry(source([]))).toBeUndefined()
  expect(await entry(source([...safe, ...edge]))).toBe('ggml-model-Q4_K_M.gguf')
  expect(await entry(source([...safe, ...edge], { local: true }))).toBeUndefined()
  expect(await entry(source([...safe, ...edge], { local: true }), 'Q8_0')).toBe('ggml-model-Q8_0.gguf')
  const { list, ...bare } = source(edge)
  expect(await entry(bare)).toBeUndefined()
})

test('any list gives variants whose files are in it, in time', () => {
  const name = fc.stringMatching(/^[aQF.\-_/0-8K]{0,24}(-0000[0-3]-of-0000[0-3])?\.(gguf|safetensors)$/)
  fc.assert(
    fc.property(fc.array(fc.record({ path: fc.oneof(name, fc.string()), size: fc.nat() }), { maxLength: 30 }), (files) => {
      const variants = listVariants(files)
      const paths = new Set(files.map(({ path }) => path))
      for (const { files, bytes } of variants) {
        expect(files.length > 0 && files.every((path) => paths.has(path))).toBe(true)
        expect(Number.isSafeInteger(bytes)).toBe(true)
      }
      try {
        expect(variants).toContain(chooseVariant(variants, { memory: 1000 }).variant)
      } catch (error) {
        expect(error).toBeInstanceOf(GlmError)
      }
    }),
    { numRuns: 2000 },
  )
})
