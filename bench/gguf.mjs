// A GGUF file (version 3) of random weights for the peer: the same shape as our folder, Q4_0 matrices, F32 vectors, the same vocabulary.
import { closeSync, openSync } from 'node:fs'
import { string, typed, uint32, uint64 } from './gguf_values.mjs'
import { q4Block, writeAll, writeRandom, xorshift } from './random.mjs'
import { tensorsOf } from './shapes.mjs'
import { vocabularyOf } from './vocabulary.mjs'

const alignment = 32
const dtypes = { F32: 0, Q4_0: 2 }

/** Writes the file. */
export function writeGguf(path, shape) {
  const tensors = tensorsOf(shape)
  const file = openSync(path, 'w')
  writeAll(file, ggufHeader(shape, tensors))
  const [block, random] = [q4Block(), xorshift(11)]
  for (const tensor of tensors) {
    if (tensor.columns) writeRandom(file, block, bytesOf(tensor), random)
    else writeAll(file, new Uint8Array(new Float32Array(tensor.rows).fill(tensor.value).buffer))
    writeAll(file, new Uint8Array(padding(bytesOf(tensor))))
  }
  closeSync(file)
}

/** Everything before the first tensor. */
export function ggufHeader(shape, tensors = tensorsOf(shape)) {
  const fields = metadata(shape)
  let at = 0
  const infos = tensors.map((tensor) => {
    const offset = at
    at += bytesOf(tensor) + padding(bytesOf(tensor))
    const sizes = tensor.columns ? [tensor.columns, tensor.rows] : [tensor.rows] // innermost first
    const dtype = tensor.columns ? dtypes.Q4_0 : dtypes.F32
    return Buffer.concat([string(tensor.gguf), uint32(sizes.length), ...sizes.map(uint64), uint32(dtype), uint64(offset)])
  })
  const head = Buffer.concat([
    Buffer.from('GGUF'),
    uint32(3),
    uint64(tensors.length),
    uint64(fields.length),
    ...fields.map(([key, type, value]) => Buffer.concat([string(key), typed(type, value)])),
    ...infos,
  ])
  return Buffer.concat([head, Buffer.alloc(padding(head.length))])
}

/** Keys llama.cpp asks for; GLM-Edge's architecture is called chatglm there. */
function metadata({ name, family, hidden, layers, heads, kvHeads, headDim, ffn, vocabulary, rotary, eps, theta, context }) {
  const a = family === 'glm4' ? 'glm4' : 'chatglm'
  const { tokens, merges, end } = vocabularyOf(vocabulary)
  return [
    ['general.architecture', 'string', a],
    ['general.name', 'string', `random ${name}`],
    ['general.file_type', 'uint32', 2], // mostly Q4_0
    [`${a}.context_length`, 'uint32', context],
    [`${a}.embedding_length`, 'uint32', hidden],
    [`${a}.feed_forward_length`, 'uint32', ffn],
    [`${a}.block_count`, 'uint32', layers],
    [`${a}.attention.head_count`, 'uint32', heads],
    [`${a}.attention.head_count_kv`, 'uint32', kvHeads],
    [`${a}.attention.key_length`, 'uint32', headDim],
    [`${a}.attention.value_length`, 'uint32', headDim],
    [`${a}.attention.layer_norm_rms_epsilon`, 'float32', eps],
    [`${a}.rope.dimension_count`, 'uint32', headDim * rotary],
    [`${a}.rope.freq_base`, 'float32', theta],
    ['tokenizer.ggml.model', 'string', 'gpt2'],
    ['tokenizer.ggml.pre', 'string', family === 'glm4' ? 'glm4' : 'chatglm-bpe'],
    ['tokenizer.ggml.tokens', 'string[]', tokens],
    ['tokenizer.ggml.token_type', 'int32[]', tokens.map((_, id) => (id === end ? 3 : 1))], // control, normal
    ['tokenizer.ggml.merges', 'string[]', merges],
    ['tokenizer.ggml.eos_token_id', 'uint32', end],
    ['tokenizer.ggml.padding_token_id', 'uint32', end],
    ['tokenizer.ggml.add_bos_token', 'bool', false],
  ]
}

const bytesOf = ({ rows, columns }) => (columns ? (rows * columns * 18) / 32 : rows * 4)
const padding = (size) => (alignment - (size % alignment)) % alignment
