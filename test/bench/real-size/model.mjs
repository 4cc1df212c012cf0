// A GGUF of random weights with the shape of GLM-Edge-1.5B: Q4_0, the head in Q6_K, as the published Q4_0 file has it; a tokenizer of full size made
// from the fixtures' small one, and GLM-Edge's own chat template.
import { closeSync, openSync, readFileSync } from 'node:fs'
import { string, typed, uint32, uint64 } from '../../../bench/gguf_values.mjs'
import { writeAll, writeRandom, xorshift } from '../../../bench/random.mjs'
import { shapeOf, tensorsOf } from '../../../bench/shapes.mjs'

const fixtures = new URL('../../fixtures/tokenizer/', import.meta.url)
const alignment = 32

/** Values per block, bytes per block, and the number the format gives the type. */
const dtypes = {
  F32: { values: 1, bytes: 4, type: 0 },
  Q4_0: { values: 32, bytes: 18, type: 2 },
  Q6_K: { values: 256, bytes: 210, type: 14 },
}

/** Blocks written again and again; a prime number, so that no two rows of a matrix are the same and no two logits tie. */
const blocks = 65521

/** All of its 28 layers, or the first of them; the head is a tensor of its own, as in the published files. */
export function shapeWith(layers) {
  return { ...shapeOf(layers === 28 ? 'edge-1.5b' : `edge-1.5b-${layers}`), tied: false, context: 8192 }
}

/** Writes the file. */
export function writeModel(path, shape) {
  const tensors = tensorsOf(shape).map((tensor) => ({ ...tensor, dtype: dtypeOf(tensor) }))
  const random = xorshift(11)
  const unit = { Q4_0: q4Blocks(random), Q6_K: q6Blocks(random) }
  const file = openSync(path, 'w')
  writeAll(file, header(shape, tensors))
  for (const tensor of tensors) {
    if (tensor.columns) writeRandom(file, unit[tensor.dtype], bytesOf(tensor), random)
    else writeAll(file, new Uint8Array(new Float32Array(tensor.rows).fill(tensor.value).buffer))
    writeAll(file, new Uint8Array(padding(bytesOf(tensor))))
  }
  closeSync(file)
}

/** Bytes of the tensors that are on the GPU when the first layer is: the embedding comes before it. */
export const firstLayerBytes = (shape) =>
  tensorsOf(shape)
    .filter(({ gguf }) => gguf.startsWith('token_embd') || gguf.startsWith('blk.0.'))
    .reduce((sum, tensor) => sum + bytesOf({ ...tensor, dtype: dtypeOf(tensor) }), 0)

const dtypeOf = ({ columns, gguf }) => (columns ? (gguf === 'output.weight' ? 'Q6_K' : 'Q4_0') : 'F32')
const bytesOf = ({ rows, columns = 1, dtype }) => (rows * columns * dtypes[dtype].bytes) / dtypes[dtype].values
const padding = (size) => (alignment - (size % alignment)) % alignment

// ---- weights: 0.02 in the mean, where the size of an answer neither explodes nor dies over the layers

/** Codes 1 to 15, which are -7 to 7: a mean that is not 0 would be the same direction in every row. */
function q4Blocks(random) {
  const bytes = new Uint8Array(blocks * dtypes.Q4_0.bytes)
  const code = () => 1 + (random() % 15)
  for (let at = 0; at < bytes.length; at++) bytes[at] = (code() << 4) | code()
  const view = new DataView(bytes.buffer)
  for (let at = 0; at < bytes.length; at += 18) view.setUint16(at, 0x1c00 + (random() >>> 23), true) // 2^-8, up to 1.5 times that
  return { bytes, unit: 18 }
}

/** 6-bit codes, then 16 small scales of either sign, then 2^-12. */
function q6Blocks(random) {
  const bytes = new Uint8Array(blocks * dtypes.Q6_K.bytes)
  for (let at = 0; at < bytes.length; at++) bytes[at] = random() >>> 24
  const view = new DataView(bytes.buffer)
  for (let at = 0; at < bytes.length; at += 210) {
    for (let scale = 192; scale < 208; scale++) view.setInt8(at + scale, (random() % 15) - 7)
    view.setUint16(at + 208, 0x0c00, true)
  }
  return { bytes, unit: 210 }
}

// ---- the header

function header(shape, tensors) {
  const fields = metadata(shape)
  let at = 0
  const infos = tensors.map((tensor) => {
    const offset = at
    at += bytesOf(tensor) + padding(bytesOf(tensor))
    const sizes = tensor.columns ? [tensor.columns, tensor.rows] : [tensor.rows] // innermost first
    return [string(tensor.gguf), uint32(sizes.length), ...sizes.map(uint64), uint32(dtypes[tensor.dtype].type), uint64(offset)]
  })
  const head = Buffer.concat([
    Buffer.from('GGUF'),
    uint32(3),
    uint64(tensors.length),
    uint64(fields.length),
    ...fields.flatMap(([key, type, value]) => [string(key), typed(type, value)]),
    ...infos.flat(),
  ])
  return Buffer.concat([head, Buffer.alloc(padding(head.length))])
}

function metadata({ hidden, layers, heads, kvHeads, headDim, ffn, vocabulary, eps, theta, context }) {
  const { tokens, kinds, merges, end } = tokenizer(vocabulary)
  return [
    ['general.architecture', 'string', 'chatglm'],
    ['general.name', 'string', 'random GLM-Edge-1.5B'],
    ['general.file_type', 'uint32', 2], // mostly Q4_0
    ['chatglm.context_length', 'uint32', context],
    ['chatglm.embedding_length', 'uint32', hidden],
    ['chatglm.feed_forward_length', 'uint32', ffn],
    ['chatglm.block_count', 'uint32', layers],
    ['chatglm.attention.head_count', 'uint32', heads],
    ['chatglm.attention.head_count_kv', 'uint32', kvHeads],
    ['chatglm.attention.layer_norm_rms_epsilon', 'float32', eps],
    ['chatglm.rope.dimension_count', 'uint32', headDim],
    ['chatglm.rope.freq_base', 'float32', theta],
    ['tokenizer.ggml.model', 'string', 'gpt2'],
    ['tokenizer.ggml.pre', 'string', 'chatglm-bpe'],
    ['tokenizer.ggml.tokens', 'string[]', tokens],
    ['tokenizer.ggml.token_type', 'int32[]', kinds],
    ['tokenizer.ggml.merges', 'string[]', merges],
    ['tokenizer.ggml.eos_token_id', 'uint32', end],
    ['tokenizer.ggml.padding_token_id', 'uint32', end],
    ['tokenizer.ggml.add_bos_token', 'bool', false],
    ['tokenizer.chat_template', 'string', readFileSync(new URL('templates/glm-edge.jinja', fixtures), 'utf8')],
  ]
}

/** The fixtures' byte-level BPE, grown by merges of its words until the special tokens stand where GLM-Edge has them; unused ids behind them. */
function tokenizer(size) {
  const { model, added_tokens: added } = JSON.parse(readFileSync(new URL('tokenizer.json', fixtures), 'utf8'))
  const specials = added.filter(({ special }) => special).map(({ content }) => content)
  const begin = 59246
  const known = new Set(Object.keys(model.vocab).sort((one, other) => model.vocab[one] - model.vocab[other]))
  const merges = model.merges.map((merge) => (Array.isArray(merge) ? merge.join(' ') : merge))
  for (const [left, right] of pairs([...known])) {
    if (known.size === begin) break
    if (known.has(left + right)) continue
    known.add(left + right)
    merges.push(`${left} ${right}`)
  }
  const unused = Array.from({ length: size - begin - specials.length }, (_, index) => `[PAD${begin + specials.length + index}]`)
  const tokens = [...known, ...specials, ...unused]
  const kinds = tokens.map((_, id) => (id < begin ? 1 : id < begin + specials.length ? 3 : 5)) // normal, control, unused
  return { tokens, kinds, merges, end: tokens.indexOf('<|endoftext|>') }
}

function* pairs(tokens) {
  const lefts = tokens.filter((token) => /^Ġ?[a-z]+$/i.test(token))
  const rights = tokens.filter((token) => /^[a-z]+$/i.test(token))
  for (const left of lefts) for (const right of rights) yield [left, right]
}
