// A model folder of random bf16 weights as Hugging Face lays one out: config.json, shards of safetensors, tokenizer.json, a chat template.
import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bf16Block, writeAll, writeRandom, xorshift } from './random.mjs'
import { tensorsOf } from './shapes.mjs'
import { tokenizerJson, vocabularyOf } from './vocabulary.mjs'

const shardBytes = 2 ** 30

/** Writes the folder. */
export function writeCheckpoint(folder, shape) {
  mkdirSync(folder, { recursive: true })
  const json = (name, value) => writeFileSync(join(folder, name), JSON.stringify(value))
  json('config.json', configOf(shape))
  json('tokenizer.json', tokenizerJson(shape.vocabulary))
  json('tokenizer_config.json', { eos_token: '<|endoftext|>', chat_template: '{{ messages[-1].content }}' })
  const shards = shardsOf(tensorsOf(shape))
  const names = shards.map((_, index) => `model-${digits(index + 1)}-of-${digits(shards.length)}.safetensors`)
  const weightMap = shards.flatMap((tensors, index) => tensors.map(({ hf }) => [hf, names[index]]))
  const total = shards.flat().reduce((sum, tensor) => sum + bytesOf(tensor), 0)
  json('model.safetensors.index.json', { metadata: { total_size: total }, weight_map: Object.fromEntries(weightMap) })
  const [block, random] = [bf16Block(), xorshift(7)]
  for (const [index, tensors] of shards.entries()) writeShard(join(folder, names[index]), tensors, block, random)
}

export function configOf(shape) {
  const { family, hidden, layers, heads, kvHeads, headDim, ffn, vocabulary, rotary, eps, theta, tied, bias, context } = shape
  return {
    architectures: [family === 'glm4' ? 'Glm4ForCausalLM' : 'GlmForCausalLM'],
    model_type: family,
    hidden_size: hidden,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    head_dim: headDim,
    intermediate_size: ffn,
    vocab_size: vocabulary,
    partial_rotary_factor: rotary,
    rms_norm_eps: eps,
    rope_theta: theta,
    tie_word_embeddings: tied,
    attention_bias: bias,
    hidden_act: 'silu',
    max_position_embeddings: context,
    eos_token_id: vocabularyOf(vocabulary).end,
  }
}

/** The bytes before the tensors of one file: the header's length, the header, spaces up to a multiple of 8. */
export function safetensorsHeader(tensors) {
  let at = 0
  const entries = tensors.map((tensor) => {
    const start = at
    at += bytesOf(tensor)
    const shape = tensor.columns ? [tensor.rows, tensor.columns] : [tensor.rows]
    return [tensor.hf, { dtype: 'BF16', shape, data_offsets: [start, at] }]
  })
  const text = JSON.stringify(Object.fromEntries(entries))
  const padded = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(padded.length))
  return Buffer.concat([length, padded])
}

const digits = (number) => String(number).padStart(5, '0')
const bytesOf = ({ rows, columns = 1 }) => rows * columns * 2

function shardsOf(tensors) {
  const shards = []
  let room = 0
  for (const tensor of tensors) {
    if (bytesOf(tensor) > room) {
      shards.push([])
      room = shardBytes
    }
    shards.at(-1).push(tensor)
    room -= bytesOf(tensor)
  }
  return shards
}

function writeShard(path, tensors, block, random) {
  const file = openSync(path, 'w')
  writeAll(file, safetensorsHeader(tensors))
  for (const tensor of tensors) {
    if (tensor.columns) writeRandom(file, block, bytesOf(tensor), random)
    else writeAll(file, new Uint8Array(new Uint16Array(tensor.rows).fill(tensor.value === 1 ? 0x3f80 : 0).buffer))
  }
  closeSync(file)
}
