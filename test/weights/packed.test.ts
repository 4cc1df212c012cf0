// Our packed form without a GPU: how it is laid out, and what reading makes of files that are not what they should be.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readForeign } from '../../src/engine/foreign.ts'
import { configJson } from '../../src/engine/packing.ts'
import { GlmError } from '../../src/errors.ts'
import { parseConfig } from '../../src/model/config.ts'
import { codeWords, manifestFile, type PackedTensor, packedSettings, partsOf } from '../../src/weights/packed.ts'
import { planPacked } from '../../src/weights/shards.ts'
import type { Source } from '../../src/weights/source.ts'
import type { TensorEntry } from '../../src/weights/tensor.ts'

const hidden = 64
const ffn = 96
const config = {
  model_type: 'glm',
  hidden_size: hidden,
  num_hidden_layers: 1,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 16,
  intermediate_size: ffn,
  vocab_size: 100,
  max_position_embeddings: 64,
  tie_word_embeddings: false,
}
const q4: Omit<PackedTensor, 'shape'> = { format: 'q4', group: 32, centred: false }

/** One of each kind. */
const tensors: [string, PackedTensor][] = [
  ['model.embed_tokens.weight', { ...q4, shape: [100, hidden] }],
  ['model.layers.0.self_attn.q_proj.weight', { ...q4, centred: true, shape: [64, hidden] }],
  ['model.layers.0.self_attn.k_proj.weight', { ...q4, format: 'q8', group: 16, shape: [32, hidden] }],
  ['model.layers.0.self_attn.v_proj.weight', { format: 'bf16', shape: [32, hidden] }],
  ['model.layers.0.self_attn.o_proj.weight', { ...q4, group: 64, ordered: true, shape: [hidden, 64] }],
  ['model.layers.0.mlp.gate_up_proj.weight', { ...q4, group: 128, shape: [2 * ffn, hidden] }],
  ['model.layers.0.mlp.down_proj.weight', { ...q4, format: 'q8', shape: [hidden, ffn] }],
  ['lm_head.weight', { format: 'f32', shape: [100, hidden] }],
  ...['layers.0.input_layernorm', 'layers.0.post_attention_layernorm', 'norm'].map((name): [string, PackedTensor] => [
    `model.${name}.weight`,
    { format: 'f32', shape: [hidden] },
  ]),
]
const small = { shardBytes: 8192, pieceBytes: 512 }

type Files = Map<string, Uint8Array<ArrayBuffer>>
const encode = (json: unknown) => new TextEncoder().encode(JSON.stringify(json))

/** A packed folder whose weights are zeros, but for orders. */
function folder(): Files {
  const plan = planPacked(tensors, small)
  const files: Files = new Map()
  for (const { file, bytes, header, parts } of plan.shards) {
    const whole = new Uint8Array(bytes)
    whole.set(header)
    for (const { part, start, end } of parts) {
      if (part !== 'order') continue
      const order = Uint32Array.from({ length: (end - start) / 4 }, (_, index, count = (end - start) / 4) => count - 1 - index)
      whole.set(new Uint8Array(order.buffer), start)
    }
    files.set(file, whole)
  }
  if (plan.index) files.set('model.safetensors.index.json', encode(plan.index))
  const shards = plan.shards.map(({ file, bytes }) => ({ file, bytes, sha256: '0'.repeat(64) }))
  files.set(manifestFile, encode({ version: 1, source: { name: 'zeros' }, shards, tensors: Object.fromEntries(tensors) }))
  return files
}

function memory(files: Files) {
  const seen = { bytes: 0, reads: 0 }
  const source: Source = {
    name: 'memory',
    async size(path) {
      const file = files.get(path)
      if (!file) throw new GlmError('file_missing', path)
      return file.length
    },
    async read(path, start, end) {
      const file = files.get(path)
      if (!file) throw new GlmError('file_missing', path)
      if (!(start >= 0 && start <= end && end <= file.length))
        throw new Error(`${path} was read from ${start} to ${end} of ${file.length}.`)
      seen.bytes += end - start
      seen.reads++
      return file.slice(start, end)
    },
  }
  return { source, seen }
}

const open = (files: Files, settings: unknown = packedSettings) =>
  readForeign(memory(files).source, { ...config, quantization_config: settings })

/** Every range that a load would read lies in its file, whatever the window. */
function checkRanges(entry: TensorEntry, files: Files): void {
  const [rows, columns] = entry.shape as [number, number]
  const edges = [0, ...(entry.cuts ?? []), rows]
  for (const [index, row] of edges.slice(0, -1).entries()) {
    const window = { row, rows: edges[index + 1]! - row, group: 0, groups: Math.ceil((columns ?? 1) / 32) }
    for (const { file, start, end } of entry.blocks ? entry.blocks.ranges(entry, window) : [entry]) {
      expect(start).toBeLessThanOrEqual(end)
      expect(end).toBeLessThanOrEqual(files.get(file)!.length)
    }
  }
}

describe('the layout', () => {
  test('shards are whole pieces, parts stand side by side, and every row is in one of them', () => {
    const plan = planPacked(tensors, small)
    expect(plan.shards.length).toBeGreaterThan(4)
    plan.shards.forEach(({ file, bytes, header, parts }, index) => {
      expect(file).toBe(`model-${String(index + 1).padStart(5, '0')}-of-${String(plan.shards.length).padStart(5, '0')}.safetensors`)
      expect(bytes).toBeLessThanOrEqual(small.shardBytes)
      if (index + 1 < plan.shards.length) expect(bytes % small.pieceBytes).toBe(0)
      let at = header.length
      for (const { start, end } of parts) {
        expect(start).toBe(at)
        at = end
      }
      expect(at).toBe(bytes)
    })
    for (const [name, tensor] of tensors) {
      for (const part of Object.keys(partsOf(tensor, tensor.shape[0]!, true))) {
        const own = plan.shards.flatMap(({ parts }) => parts.filter((placed) => placed.tensor === name && placed.part === part))
        let next = 0
        for (const { row, rows } of own) {
          expect(row).toBe(next)
          next += rows
        }
        expect(next).toBe(tensor.shape[0])
        expect(own.slice(0, -1).every(({ rows }) => rows % 8 === 0)).toBe(true)
      }
    }
    expect(planPacked(tensors, small)).toEqual(plan)
  })

  test('at any size of tensors, shards and pieces', () => {
    const sizes = fc.tuple(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 300 }))
    const kinds = fc.constantFrom<Omit<PackedTensor, 'shape'>>(
      q4,
      { ...q4, format: 'q8', centred: true },
      { ...q4, group: 128 },
      { format: 'f16' },
    )
    const shards = fc.record({ shardBytes: fc.integer({ min: 4096, max: 40_000 }), pieceBytes: fc.constantFrom(256, 1024, 2048) })
    fc.assert(
      fc.property(fc.array(fc.tuple(sizes, kinds), { minLength: 1, maxLength: 8 }), shards, (all, options) => {
        const plan = planPacked(
          all.map(([shape, kind], index) => [`tensor ${index}`, { ...kind, shape }]),
          options,
        )
        let rows = 0
        plan.shards.forEach(({ bytes, parts }, index) => {
          expect(bytes).toBeLessThanOrEqual(options.shardBytes)
          if (index + 1 < plan.shards.length) expect(bytes % options.pieceBytes).toBe(0)
          for (const { part, rows: own } of parts) if (part === 'codes' || part === 'values') rows += own
        })
        expect(rows).toBe(all.reduce((sum, [[own]]) => sum + own, 0))
      }),
      { numRuns: 300, seed: 4 },
    )
  })

  test('a row that no shard has room for is refused', () => {
    const wide: PackedTensor = { ...q4, shape: [8, 2 ** 20] }
    expect(() => planPacked([['wide', wide]], { shardBytes: 2 ** 18, pieceBytes: 1024 })).toThrow(GlmError)
  })

  test('a default shard holds 64 MiB, in pieces of one', () => {
    const plan = planPacked([
      ['big', { ...q4, shape: [60_000, 4096] }],
      ['norm', { format: 'f32', shape: [4096] }],
    ])
    expect(plan.shards.map(({ bytes }) => bytes % 2 ** 20 === 0)).toEqual([true, true, false])
    expect(Math.max(...plan.shards.map(({ bytes }) => bytes))).toBeLessThanOrEqual(64 * 2 ** 20)
  })
})

describe('reading', () => {
  test('stretches become one tensor, whose windows find their rows', async () => {
    const files = folder()
    const { checkpoint } = await open(files)
    expect([...checkpoint.tensors.keys()]).toEqual(tensors.map(([name]) => name))
    expect(checkpoint).toMatchObject({ quantised: true, bytes: expect.any(Number) })
    for (const [name, { shape, format, group }] of tensors) {
      const entry = checkpoint.tensors.get(name)!
      expect(entry.shape).toEqual(shape)
      if (group) expect(entry.blocks!.coding).toMatchObject({ format, group })
      checkRanges(entry, files)
    }
    const cut = [...checkpoint.tensors.values()].filter(({ cuts }) => cuts)
    expect(cut.map(({ name }) => name)).toContain('lm_head.weight')
    expect(checkpoint.tensors.get('model.layers.0.self_attn.o_proj.weight')!.order?.slice(0, 2)).toEqual(new Uint32Array([63, 62]))
    expect(checkpoint.gather).toBeDefined()
    expect(codeWords(hidden, { format: 'q4', group: 128 })).toBe(16)
  })

  test('a folder that was not packed to the end says so', async () => {
    const files = folder()
    files.delete(manifestFile)
    await expect(open(files)).rejects.toMatchObject({ code: 'file_missing' })
  })

  test.each([{}, { quant_method: 'glm-webgpu' }, { quant_method: 'glm-webgpu', version: 2 }, 'glm-webgpu'])(
    'settings %j',
    async (settings) => {
      await expect(open(folder(), settings)).rejects.toMatchObject({ code: 'config_unsupported' })
    },
  )

  test('a config written anew reads as the same', () => {
    const rope_scaling = { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 4096, beta_fast: 16, truncate: false }
    for (const json of [
      config,
      { ...config, rope_scaling },
      { ...config, head_dim: 12, partial_rotary_factor: 0.34, eos_token_id: [1, 2] },
    ]) {
      const own = parseConfig(json)
      expect(parseConfig(configJson(own))).toEqual(own)
    }
  })
})

/** What a hostile hand does to JSON, and to the bytes of a file. */
const values = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    -1,
    0,
    1,
    0.5,
    2 ** 31,
    2 ** 53,
    1e300,
    '',
    'q4',
    'q8',
    'f16',
    '../x.safetensors',
    [],
    {},
    true,
    [0],
    [1, 2, 3],
  ),
  fc.integer(),
  fc.array(fc.integer({ min: -2, max: 2 ** 32 }), { maxLength: 3 }),
)

interface Change {
  file: number
  path: number[]
  value: unknown
  kind: 'set' | 'drop' | 'rename' | 'byte' | 'cut'
}

const changes: fc.Arbitrary<Change> = fc.record({
  file: fc.nat(),
  path: fc.array(fc.nat(), { minLength: 1, maxLength: 4 }),
  value: values,
  kind: fc.constantFrom('set', 'set', 'drop', 'rename', 'byte', 'cut'),
})

type Node = Record<string, unknown>

/** Walks to a field, and changes, drops or renames it. */
function changed(root: Node, { path, value, kind }: Change): void {
  let node = root
  for (const [depth, at] of path.entries()) {
    const keys = Object.keys(node)
    if (keys.length === 0) return
    const key = keys[at % keys.length]!
    const next = node[key]
    if (depth + 1 < path.length && typeof next === 'object' && next !== null) {
      node = next as Node
      continue
    }
    if (kind === 'drop') delete node[key]
    else if (kind === 'rename') {
      node[`${key}${typeof value === 'string' ? value : '@8'}`] = next
      if (typeof value !== 'number') delete node[key]
    } else node[key] = value
    return
  }
}

function apply(files: Files, change: Change): void {
  const path = [...files.keys()][change.file % files.size]!
  const bytes = files.get(path)!
  const at = change.path[0]! % Math.max(1, bytes.length)
  if (change.kind === 'byte') bytes[at] = (bytes[at]! + 1 + (change.path[1] ?? 0)) & 255
  else if (change.kind === 'cut') files.set(path, bytes.slice(0, at))
  else if (path.endsWith('.json')) {
    try {
      const json = JSON.parse(new TextDecoder().decode(bytes)) as Node
      changed(json, change)
      files.set(path, encode(json))
    } catch {} // a byte before made it no JSON
  } else {
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true))
    try {
      const json = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as Node
      changed(json, change)
      const header = new TextEncoder().encode(JSON.stringify(json).padEnd(length))
      const whole = new Uint8Array(8 + header.length + bytes.length - 8 - length)
      whole.set(header, 8)
      whole.set(bytes.subarray(8 + length), 8 + header.length)
      new DataView(whole.buffer).setBigUint64(0, BigInt(header.length), true)
      files.set(path, whole)
    } catch {}
  }
}

describe('mutations', () => {
  test('of manifest, index, headers and bytes: only a GlmError comes out, and little is read', async () => {
    const base = folder()
    const names = [...base.keys()]
    const manifest = names.indexOf(manifestFile)
    // The manifest is what is new here: every other change is one of it.
    const own = fc.tuple(changes, fc.boolean()).map(([change, of]): Change => (of ? { ...change, file: manifest } : change))
    const runs = 4000
    let refused = 0
    await fc.assert(
      fc.asyncProperty(fc.array(own, { minLength: 1, maxLength: 3 }), async (all) => {
        const files: Files = new Map([...base].map(([name, bytes]) => [name, bytes.slice()]))
        for (const change of all) apply(files, change)
        const { source, seen } = memory(files)
        const begun = performance.now()
        try {
          const { checkpoint } = await readForeign(source, { ...config, quantization_config: packedSettings })
          for (const entry of checkpoint.tensors.values()) checkRanges(entry, files)
        } catch (error) {
          if (!(error instanceof GlmError)) throw error
          expect(error.code).not.toBe('internal')
          refused++
        }
        const size = [...files.values()].reduce((sum, { length }) => sum + length, 0)
        expect(seen.bytes).toBeLessThanOrEqual(size + 8 * files.size)
        expect(seen.reads).toBeLessThanOrEqual(4 * files.size)
        expect(performance.now() - begun).toBeLessThan(2000)
      }),
      { numRuns: runs, seed: 4 },
    )
    expect(refused).toBeGreaterThan(runs / 4)
    expect(refused).toBeLessThan(runs)
  }, 120_000)
})
