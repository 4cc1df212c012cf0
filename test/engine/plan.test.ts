// What a plan says of a model: bytes, parts, formats that fit, and what is missing. Real sizes are told from shapes alone.
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { PlanOptions } from '../../src/api/plan.ts'
import { readModel } from '../../src/engine/checkpoint.ts'
import { type PlanFiles, type PlanMachine, planModel } from '../../src/engine/plan.ts'
import type { Config } from '../../src/model/config.ts'
import { parseConfig } from '../../src/model/config.ts'
import { planEmbedding, planFinal, planHead, planLayer } from '../../src/model/layout.ts'
import { folderSource } from '../../src/weights/folder.ts'
import type { Blocks, TensorEntry } from '../../src/weights/tensor.ts'

const files = await readModel(folderSource(fileURLToPath(new URL('../fixtures/checkpoints/glm-chat-bf16', import.meta.url))))
const wide: PlanMachine = { binding: 2 ** 27, memory: 16e9 }
const plan = (options: PlanOptions = {}, machine: PlanMachine = wide, of: PlanFiles = files) => planModel('m', of, options, machine)

/** Every tensor that a config asks for, of one type, in a file that nobody reads. */
function shaped(config: Config, dtype: string, bits: number, blocks?: (name: string) => Blocks | undefined): PlanFiles {
  const tensors = new Map<string, TensorEntry>()
  let at = 0
  const put = (name: string, shape: number[]) => {
    const size = Math.ceil((shape.reduce((product, side) => product * side, 1) * bits) / 8)
    const own = shape.length === 2 ? blocks?.(name) : undefined
    tensors.set(name, { name, dtype, shape, file: 'm', start: at, end: at + size, ...(own ? { blocks: own } : {}) })
    at += size
  }
  const layers = Array.from({ length: config.layers }, (_, layer) => planLayer(config, layer))
  const heights = new Map<string, [number, number]>()
  const matrices = [planEmbedding(config), ...layers.flatMap(({ vectors, ...all }) => Object.values(all))]
  if (!config.tied) matrices.push(planHead(config))
  for (const { pieces, columns } of matrices) {
    for (const { tensor, from, rows } of pieces) heights.set(tensor, [Math.max(heights.get(tensor)?.[0] ?? 0, from + rows), columns])
  }
  for (const [name, shape] of heights) put(name, shape)
  for (const { tensor, length } of [...layers.flatMap(({ vectors }) => vectors), ...planFinal(config)]) put(tensor, [length])
  return { config, checkpoint: { tensors, bytes: at, ...(blocks ? { quantised: true } : {}) } }
}

const common = { hidden_act: 'silu', rms_norm_eps: 1e-5, attention_bias: false, head_dim: 128 }
/** The shapes of the family sheet. */
const edge = parseConfig({
  ...{ ...common, model_type: 'glm', hidden_size: 2048, num_hidden_layers: 28, num_attention_heads: 16, num_key_value_heads: 4 },
  ...{ intermediate_size: 6144, vocab_size: 59264, partial_rotary_factor: 1, tie_word_embeddings: true, max_position_embeddings: 8192 },
})
const nine = parseConfig({
  ...{ ...common, model_type: 'glm4', hidden_size: 4096, num_hidden_layers: 40, num_attention_heads: 32, num_key_value_heads: 2 },
  ...{ intermediate_size: 13696, vocab_size: 151552, attention_bias: true, max_position_embeddings: 32768 },
})
const q4k = { name: 'Q4_K', coding: { format: 'q4', group: 32, centred: true }, files: [], ranges: () => [] } as Blocks
const q6k = { name: 'Q6_K', coding: { format: 'q8', group: 16, centred: false }, files: [], ranges: () => [] } as Blocks

describe('a model that is there', () => {
  test('fits where there is room, and says so', () => {
    const made = plan()
    expect(made).toMatchObject({ family: 'glm', weights: 'file', fits: true, faults: [], tensors: [], download: files.checkpoint.bytes })
    expect(made.gpu.total).toBe(made.gpu.weights + made.gpu.kv + made.gpu.scratch)
    expect(made.formats.map(({ weights, fits }) => [weights, fits])).toEqual(['f16', 'q8', 'q4', 'file'].map((name) => [name, true]))
    // Not quantised: file means q4.
    expect(made.formats[3]!.bytes).toBe(made.formats[2]!.bytes)
    expect(made.verdict).toMatch(
      /^m fits: .* MB to download, and .* MB on the GPU with weights as the file has them and \d+ positions, of 8\.00 GB that are assumed here \(half of this machine's memory\)\.$/,
    )
  })

  test('a narrow binding splits matrices, a tiny one holds none', () => {
    const split = plan({ weights: 'f32' }, { binding: 32 * 1024 })
    expect(split.fits).toBe(true)
    expect(Math.max(...split.tensors.map(({ parts }) => parts))).toBeGreaterThan(1)
    const none = plan({ weights: 'f32' }, { binding: 256 })
    expect(none.fits).toBe(false)
    expect(none.formats.every(({ fits }) => !fits)).toBe(true)
    expect(none.verdict).toMatch(/^m does not fit: eight rows of embed as f32 are larger than one binding/)
    expect(plan({ weights: 'f32' }, { binding: 2 ** 27, buffer: 32 * 1024 }).tensors).toEqual(split.tensors)
  })

  test('tensors that are missing or have another shape are named', () => {
    const tensors = new Map(files.checkpoint.tensors)
    const norm = tensors.get('model.norm.weight')!
    tensors.delete('model.embed_tokens.weight')
    tensors.set('model.norm.weight', { ...norm, shape: [1] })
    const { fits, faults, verdict } = plan({}, wide, { ...files, checkpoint: { ...files.checkpoint, tensors } })
    expect(fits).toBe(false)
    expect(faults).toEqual([
      expect.stringMatching(/no tensor model\.embed_tokens\.weight/),
      expect.stringMatching(/model\.norm\.weight has shape \[1\] where config\.json asks for \[\d+\]/),
    ])
    expect(verdict).toMatch(/^m cannot be loaded: it has no tensor .* There is 1 more like this\.$/)
  })

  test.each([
    [{ weights: 'q5' }, /weights is "q5"; use auto, file/],
    [{ context: 1 }, /context is 1/],
    [{ context: 1.5 }, /context is 1\.5/],
    [{ kv: 'q4' }, /kv is "q4"/],
    [{ memory: 0 }, /memory is 0/],
    [{ memory: Number.NaN }, /memory is NaN/],
  ])('%j is refused', (options, message) => {
    expect(() => plan(options as PlanOptions)).toThrow(
      expect.objectContaining({ code: 'request_invalid', message: expect.stringMatching(message) }),
    )
  })
})

describe('GLM-Edge 1.5B', () => {
  const bf16 = shaped(edge, 'BF16', 16)

  test('parameters and bytes are those of the family sheet', () => {
    const { parameters, gpu, tensors } = plan({ weights: 'q4' }, wide, bf16)
    expect(parameters).toBe(1_472_055_296)
    // 18 bytes for 32 weights; norms stay f32.
    expect(gpu.weights / ((1_472_055_296 * 18) / 32)).toBeCloseTo(1, 2)
    expect(tensors).toEqual([])
    // 57,344 bytes of keys and values for a position.
    expect(gpu.kv).toBe(57_344 * 4096)
    expect(plan({ context: 8192, kv: 'q8' }, wide, bf16).gpu.kv).toBe((57_344 / 2) * 1.125 * 8192)
  })

  test('more positions than the model was made for, or than a binding holds, are not planned', () => {
    expect(plan({ context: 100_000 }, wide, bf16).context).toBe(8192)
    expect(plan({ context: 8192 }, { binding: 2 ** 20 }, bf16).context).toBe(512)
  })

  test('auto: 16 bits where there is room, else 8, else 4, else the least', () => {
    const auto = (memory: number) => plan({ weights: 'auto', memory }, wide, bf16)
    expect([8e9, 3e9, 1.5e9, 1e9].map((memory) => auto(memory).weights)).toEqual(['f16', 'q8', 'q4', 'q4'])
    expect(auto(1e9)).toMatchObject({ fits: false, memory: { bytes: 1e9, given: true } })
    expect(auto(1e9).verdict).toMatch(
      /does not fit: it takes 1\.\d+ GB .* more than 1\.00 GB that it may take; ask for a smaller context, or choose a smaller model\.$/,
    )
    expect(plan({ weights: 'f16', memory: 2e9 }, wide, bf16).verdict).toMatch(/q8 weights would take 1\.\d\d GB\.$/)
  })

  test('without a figure half of the machine is assumed, or 4 GB, and said', () => {
    expect(plan({}, { binding: 2 ** 27 }, bf16)).toMatchObject({
      memory: { bytes: 4e9, given: false },
      verdict: expect.stringMatching(/of 4\.00 GB that are assumed here\.$/),
    })
    expect(plan({ weights: 'auto' }, { binding: 2 ** 27, memory: 5e9 }, bf16).weights).toBe('q8')
  })

  test('a quantised file stays as it is; where types differ in a matrix the widest holds all of it', () => {
    const mix = shaped(edge, 'Q4_K', 4.5, (name) => (/v_proj|down_proj/.test(name) ? q6k : q4k))
    const made = plan({ weights: 'auto', memory: 8e9 }, wide, mix)
    expect(made.weights).toBe('file')
    const bytes = (blocks: (name: string) => Blocks) => plan({ weights: 'file' }, wide, shaped(edge, 'Q4_K', 4.5, blocks)).gpu.weights
    const [all4, mixed, all8] = [bytes(() => q4k), made.gpu.weights, bytes(() => q6k)]
    expect(mixed).toBeGreaterThan(all4)
    expect(mixed).toBeLessThan(all8)
    // All of the fused q, k and v stand as 8 bits with scales for 16, and centres for the sake of q and k.
    expect(mixed).toBe(
      bytes((name) =>
        /[qkv]_proj|down_proj/.test(name) ? (name.includes('down') ? q6k : { ...q6k, coding: { ...q6k.coding, centred: true } }) : q4k,
      ),
    )
  })
})

test('a config that claims a million layers costs no time', () => {
  const claim = { ...files, config: { ...files.config, layers: 2 ** 24 } }
  expect(() => plan({}, wide, claim)).toThrow(expect.objectContaining({ code: 'config_unsupported' }))
})

test('GLM-4 9B: embedding and head are split by rows where a binding is as small as it may be', () => {
  const made = plan({ weights: 'q4' }, wide, shaped(nine, 'BF16', 16))
  expect(made.parameters).toBe(9_400_279_040)
  expect(made.tensors).toEqual([
    { name: 'embed', bytes: expect.any(Number), parts: 3 },
    { name: 'head', bytes: expect.any(Number), parts: 3 },
  ])
  expect(made.gpu.weights / 5.29e9).toBeCloseTo(1, 2)
  expect(made.fits).toBe(true)
  expect(plan({ weights: 'f16' }, { binding: 2 ** 31, memory: 64e9 }, shaped(nine, 'BF16', 16)).tensors).toEqual([])
})

describe('a model that sees', async () => {
  const sighted = await readModel(folderSource(fileURLToPath(new URL('../fixtures/vision/glm46v', import.meta.url))))
  const { sees, ...blind } = sighted
  const total = ({ gpu }: ReturnType<typeof plan>) => gpu.weights + gpu.kv + gpu.scratch + (gpu.seeing ?? 0)

  test('takes its tower, what that works in, and the pictures that it keeps', () => {
    const [one, other] = [plan({}, wide, sighted), plan({}, wide, blind)]
    expect(other.gpu).not.toHaveProperty('seeing')
    expect(one.gpu.weights).toBeGreaterThan(other.gpu.weights)
    expect(one.gpu.seeing).toBeGreaterThan(2 ** 27)
    expect([one, other].map(total)).toEqual([one, other].map(({ gpu }) => gpu.total))
    for (const [index, { bytes }] of one.formats.entries()) expect(bytes).toBeGreaterThan(other.formats[index]!.bytes + 2 ** 27)
  })

  test('its tower in 8 bits where nobody asks, in 16 with the weights', () => {
    const weights = (options: PlanOptions) => plan(options, wide, sighted).gpu.weights
    const text = (options: PlanOptions) => plan(options, wide, blind).gpu.weights
    const tower = (options: PlanOptions) => weights(options) - text(options)
    expect(tower({})).toBe(tower({ weights: 'q4', visionWeights: 'q8' }))
    expect(tower({ weights: 'f16' })).toBe(tower({ visionWeights: 'f16' }))
    expect(tower({ weights: 'f32' })).toBe(tower({ visionWeights: 'f32' }))
    const all = (['q4', 'q8', 'f16', 'f32'] as const).map((visionWeights) => tower({ visionWeights }))
    expect(all).toEqual([...all].sort((a, b) => a - b))
    expect(() => plan({ visionWeights: 'file' as never })).toThrow('visionWeights')
  })

  test('does not fit where only its text model would', () => {
    const { total } = plan({}, wide, blind).gpu
    const made = plan({ memory: total + 2 ** 20 }, wide, sighted)
    expect([made.fits, plan({ memory: total + 2 ** 20 }, wide, blind).fits]).toEqual([false, true])
    expect(made.verdict).toContain('does not fit')
  })

  test('a tower that cannot be read is a fault', () => {
    const broken = { ...sighted, sees: { ...sees, vision_config: { ...(sees!.vision_config as object), depth: 'many' } } }
    const made = plan({}, wide, broken)
    expect(made.fits).toBe(false)
    expect(made.verdict).toMatch(/cannot be loaded: .*depth/)
    const tensors = new Map([...sighted.checkpoint.tensors].filter(([name]) => !name.includes('merger')))
    expect(plan({}, wide, { ...sighted, checkpoint: { ...sighted.checkpoint, tensors } }).faults.length).toBe(1)
  })
})
