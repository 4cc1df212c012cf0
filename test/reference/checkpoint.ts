// Reads a Hugging Face folder into a reference model.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { bf16Value, dequantise4, dequantise8, halfValue, quantise4, quantise8, roundHalf } from './formats.ts'
import type { ReferenceConfig, ReferenceModel } from './model.ts'

/** How the 2-D weights (embedding and head included) are stored; each row in groups of 32 along its input. */
export type WeightFormat = 'f32' | 'f16' | 'q8' | 'q4'

const STORED: Record<WeightFormat, (row: Float64Array) => Float64Array> = {
  f32: (row) => row,
  f16: (row) => row.map(roundHalf),
  q8: (row) => dequantise8(quantise8(row), row.length),
  q4: (row) => dequantise4(quantise4(row), row.length),
}

const ELEMENTS: Record<string, { bytes: number; read: (view: DataView, at: number) => number }> = {
  F32: { bytes: 4, read: (view, at) => view.getFloat32(at, true) },
  F16: { bytes: 2, read: (view, at) => halfValue(view.getUint16(at, true)) },
  BF16: { bytes: 2, read: (view, at) => bf16Value(view.getUint16(at, true)) },
}

/** A Hugging Face folder (config.json, safetensors in one file or in shards) as a model. `config`: another name for config.json. */
export function loadReference(folder: string, options: { weights?: WeightFormat; config?: string } = {}): ReferenceModel {
  const json = JSON.parse(readFileSync(join(folder, options.config ?? 'config.json'), 'utf8'))
  return { config: readConfig(json), ...loadTensors(folder, options.weights) }
}

/** The tensors of a folder by name, each read when it is first asked for. */
export function loadTensors(folder: string, weights: WeightFormat = 'f32'): Pick<ReferenceModel, 'has' | 'tensor'> {
  const tensors = new Map<string, () => Float64Array>()
  for (const file of shards(folder)) {
    for (const [name, values] of readSafetensors(join(folder, file), STORED[weights])) tensors.set(name, values)
  }
  const ready = new Map<string, Float64Array>()
  const tensor = (name: string) => {
    const read = tensors.get(name)
    if (!read) throw new Error(`${folder} has no tensor ${name}: check its family.`)
    if (!ready.has(name)) ready.set(name, read())
    return ready.get(name)!
  }
  return { has: (name) => tensors.has(name), tensor }
}

function shards(folder: string): string[] {
  const index = join(folder, 'model.safetensors.index.json')
  if (!existsSync(index)) return ['model.safetensors']
  return [...new Set(Object.values<string>(JSON.parse(readFileSync(index, 'utf8')).weight_map))]
}

function readSafetensors(path: string, stored: (row: Float64Array) => Float64Array): [string, () => Float64Array][] {
  const file = readFileSync(path)
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const data = 8 + Number(view.getBigUint64(0, true))
  const { __metadata__, ...header } = JSON.parse(file.toString('utf8', 8, data))
  return Object.entries<{ dtype: string; shape: number[]; data_offsets: number[] }>(header).map(([name, entry]) => {
    const element = ELEMENTS[entry.dtype]
    if (!element) throw new Error(`${path}: ${name} is ${entry.dtype}; F32, F16 and BF16 can be read.`)
    const read = () => {
      const length = entry.shape.reduce((product, size) => product * size, 1)
      const values = new Float64Array(length)
      for (let i = 0; i < length; i++) values[i] = element.read(view, data + entry.data_offsets[0]! + i * element.bytes)
      if (entry.shape.length !== 2) return values
      const k = entry.shape[1]!
      for (let start = 0; start < length; start += k) values.set(stored(values.subarray(start, start + k)), start)
      return values
    }
    return [name, read]
  })
}

// biome-ignore lint/suspicious/noExplicitAny: config.json as it is
function readConfig(json: any): ReferenceConfig {
  const old = json.rope_scaling ?? {} // transformers 4: rope_theta and partial_rotary_factor beside rope_scaling; 5: all in rope_parameters
  const rope = { theta: json.rope_theta, partial_rotary_factor: json.partial_rotary_factor, ...old, ...json.rope_parameters }
  const type = rope.rope_type ?? rope.type ?? 'default'
  if (type !== 'default' && type !== 'yarn') throw new Error(`Rope type ${type} is not known here: default or yarn.`)
  if (json.model_type !== 'glm' && json.model_type !== 'glm4')
    throw new Error(`Model type ${json.model_type} is not known here: glm or glm4.`)
  const headDim = json.head_dim ?? json.hidden_size / json.num_attention_heads
  const original = rope.original_max_position_embeddings ?? json.max_position_embeddings
  const factor = rope.factor ?? json.max_position_embeddings / original
  return {
    family: json.model_type,
    hiddenSize: json.hidden_size,
    layers: json.num_hidden_layers,
    heads: json.num_attention_heads,
    kvHeads: json.num_key_value_heads,
    headDim,
    ffn: json.intermediate_size,
    vocab: json.vocab_size,
    rotaryDims: Math.trunc(headDim * (rope.partial_rotary_factor ?? 0.5)),
    theta: rope.rope_theta ?? rope.theta ?? 10000,
    eps: json.rms_norm_eps,
    yarn: type === 'yarn' ? { ...rope, factor, original_max_position_embeddings: original } : undefined,
  }
}
