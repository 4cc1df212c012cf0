// Shapes of models as data, and the tensors a model of a shape has, under the names of safetensors files and of GGUF files.

/** GLM-Edge ties head and embedding and has no biases. Positions are more than the models were made for: speed does not depend on them. */
const edge = { family: 'glm', headDim: 128, vocabulary: 59264, rotary: 1, eps: 1e-5, theta: 1e4, tied: true, bias: false, context: 16384 }

const whole = {
  pocket: { ...edge, layers: 5, hidden: 192, heads: 6, kvHeads: 2, headDim: 32, ffn: 448, vocabulary: 1408, rotary: 0.5, context: 1024 },
  'edge-1.5b': { ...edge, layers: 28, hidden: 2048, heads: 16, kvHeads: 4, ffn: 6144 },
  'edge-4b': { ...edge, layers: 40, hidden: 3072, heads: 24, kvHeads: 6, ffn: 8192 },
  '9b': {
    ...edge,
    family: 'glm4',
    layers: 40,
    hidden: 4096,
    heads: 32,
    kvHeads: 2,
    ffn: 13696,
    vocabulary: 151552,
    rotary: 0.5,
    tied: false,
    bias: true,
  },
}

export const shapeNames = Object.keys(whole)

/** `edge-1.5b`, or `edge-1.5b-4`: the same with its first 4 layers and the full head (`pocket-5` is pocket with room). Throws for a name that is none. */
export function shapeOf(name) {
  const [, base, layers] = /^(pocket|edge-1\.5b|edge-4b|9b)(?:-([1-9]\d*))?$/.exec(name) ?? []
  if (!base) throw new Error(`there is no shape ${name}; use ${shapeNames.join(', ')}, or one of them with layers, such as edge-1.5b-4.`)
  const shape = { name, ...whole[base] }
  if (layers && Number(layers) > shape.layers) throw new Error(`${base} has ${shape.layers} layers, so ${name} is no cut of it.`)
  return layers ? { ...shape, layers: Number(layers), context: edge.context } : shape
}

/** Every tensor: `columns` where it is a matrix; `value` is what fills a vector. */
export function tensorsOf(shape) {
  const { hidden, vocabulary, layers, tied } = shape
  return [
    matrix('model.embed_tokens', 'token_embd', vocabulary, hidden),
    ...Array.from({ length: layers }, (_, layer) => layerTensors(shape, layer)).flat(),
    vector('model.norm.weight', 'output_norm.weight', hidden, 1),
    ...(tied ? [] : [matrix('lm_head', 'output', vocabulary, hidden)]),
  ]
}

function layerTensors({ family, hidden, heads, kvHeads, headDim, ffn, bias }, layer) {
  const [hf, gguf] = [`model.layers.${layer}.`, `blk.${layer}.`]
  const [query, keyValue] = [heads * headDim, kvHeads * headDim]
  const norm = (theirs, short) => vector(`${hf}${theirs}.weight`, `${gguf}${short}.weight`, hidden, 1)
  const projections = [
    ['q', query],
    ['k', keyValue],
    ['v', keyValue],
  ]
  return [
    norm('input_layernorm', 'attn_norm'),
    ...projections.flatMap(([letter, rows]) => {
      const [theirs, short] = [`${hf}self_attn.${letter}_proj`, `${gguf}attn_${letter}`]
      return [matrix(theirs, short, rows, hidden), ...(bias ? [vector(`${theirs}.bias`, `${short}.bias`, rows, 0)] : [])]
    }),
    matrix(`${hf}self_attn.o_proj`, `${gguf}attn_output`, hidden, query),
    ...(family === 'glm4' ? [norm('post_self_attn_layernorm', 'post_attention_norm')] : []),
    norm('post_attention_layernorm', 'ffn_norm'),
    matrix(`${hf}mlp.gate_up_proj`, `${gguf}ffn_up`, 2 * ffn, hidden),
    matrix(`${hf}mlp.down_proj`, `${gguf}ffn_down`, hidden, ffn),
    ...(family === 'glm4' ? [norm('post_mlp_layernorm', 'post_ffw_norm')] : []),
  ]
}

const matrix = (hf, gguf, rows, columns) => ({ hf: `${hf}.weight`, gguf: `${gguf}.weight`, rows, columns })
const vector = (hf, gguf, rows, value) => ({ hf, gguf, rows, value })
