// The tower of a model that sees, from a GGUF of its own (llama.cpp's mmproj): what comes out is what a folder of safetensors would have.
import { GlmError } from '../errors.ts'
import { plain } from '../kernels/matrix.ts'
import { type SourceType, sourceBytes } from '../kernels/quantise.ts'
import { steps } from '../kernels/vision_steps.ts'
import type { Gguf } from '../weights/gguf.ts'
import type { Blocks, Checkpoint, TensorEntry } from '../weights/tensor.ts'
import type { Config } from './config.ts'
import { convert, withBlocks } from './gguf.ts'
import { mmprojName, namesOf } from './vision_names.ts'

/** What a model sees with. */
export interface VisionHalf {
  /** As config.json would have it: for parseVision. */
  json: Record<string, unknown>
  /** Tensors under the names of safetensors: for planVision, read from the source of the text model, whose blocks it converts too. */
  checkpoint: Checkpoint
  /** What channels of pixels are normed by, where the file says so. */
  norm: { mean?: number[]; std?: number[] }
}

const patchName = 'v.patch_embd.weight'

/** Undefined where the file is no tower, or not that of the text model with this config. Throws `config_unsupported` or `tensor_invalid`. */
export function mmprojHalf(gguf: Gguf, text: Config): VisionHalf | undefined {
  const { metadata, tensors } = gguf
  const edge = metadata.get('clip.projector_type') === 'adapter'
  const downsample = tensors.get(edge ? 'adapter.conv.weight' : 'mm.patch_merger.weight')
  if (metadata.get('general.architecture') !== 'clip' || !(edge || metadata.get('clip.projector_type') === 'glm4v')) return undefined
  if (edge !== (text.family === 'glm') || !(edge || text.sections) || downsample?.shape[0] !== text.hidden) return undefined
  return { json: configJson(gguf, text), checkpoint: checkpointOf(gguf, text), norm: normOf(gguf) }
}

function configJson({ metadata }: Gguf, { family, hidden, ffn }: Config): Record<string, unknown> {
  const key = (name: string) => metadata.get(`clip.vision.${name}`)
  const edge = family === 'glm'
  const eps = key('attention.layer_norm_epsilon')
  return {
    model_type: family,
    ...(edge ? {} : { image_processor: { size: limitsOf(key) } }),
    text_config: { hidden_size: hidden, intermediate_size: ffn },
    vision_config: {
      hidden_size: key('embedding_length'),
      intermediate_size: key('feed_forward_length'),
      patch_size: key('patch_size'),
      image_size: key('image_size'),
      [edge ? 'num_hidden_layers' : 'depth']: key('block_count'),
      [edge ? 'num_attention_heads' : 'num_heads']: key('attention.head_count'),
      ...(edge ? { layer_norm_eps: eps } : { rms_norm_eps: eps, out_hidden_size: hidden, attention_bias: family === 'glm_ocr' }),
    },
  }
}

/** llama.cpp's own bounds of a picture where the file names none, in pixels of it: 8 and 4,096 tokens of 28 x 28. */
const usual = { least: 8 * 28 ** 2, most: 4096 * 28 ** 2 }

/** As preprocessor_config.json has them, which counts a picture's pixels twice. */
function limitsOf(key: (name: string) => unknown): { shortest_edge: number; longest_edge: number } {
  const pixels = (name: string, otherwise: number) => {
    const value = key(name)
    return 2 * (typeof value === 'number' && value > 0 ? value : otherwise)
  }
  return { shortest_edge: pixels('image_min_pixels', usual.least), longest_edge: pixels('image_max_pixels', usual.most) }
}

function normOf({ metadata }: Gguf): VisionHalf['norm'] {
  const list = (name: string) => {
    const value = metadata.get(`clip.vision.${name}`)
    return Array.isArray(value) || ArrayBuffer.isView(value) ? Array.from(value as ArrayLike<unknown>, Number) : undefined
  }
  const [mean, std] = [list('image_mean'), list('image_std')]
  return { ...(mean && { mean }), ...(std && { std }) }
}

function checkpointOf(gguf: Gguf, text: Config): Checkpoint {
  const names = namesOf(text.family === 'glm' ? 'glm_edge_v' : text.family === 'glm_ocr' ? 'glm_ocr' : 'glm4v')
  const tensors = new Map<string, TensorEntry>()
  for (const entry of gguf.tensors.values()) {
    const own = mmprojName(entry.name)
    const name = own && names(text.family === 'glm' ? towardsOutput(own, entry, gguf) : own)[0]
    if (name) tensors.set(name, { ...shaped(entry, gguf, text), name })
  }
  return {
    tensors,
    bytes: gguf.bytes,
    quantised: true,
    convert: (entry, to) => (entry.parts?.second ? steps(entry.dtype as SourceType, area(entry.parts.second), to) : convert(entry, to)),
  }
}

/** GLM-Edge-V's converter calls the first layer of an MLP `ffn_down`; which one a tensor is of, its shape says where it can. */
function towardsOutput(own: string, entry: TensorEntry, { metadata, tensors }: Gguf): string {
  const [, block, part, end] = /^(block\.\d+\.)(up|down)(\..*)$/.exec(own) ?? []
  if (part === undefined) return own
  const matrix = tensors.get(entry.name.replace(/bias$/, 'weight'))
  const [hidden, inner] = [metadata.get('clip.vision.embedding_length'), metadata.get('clip.vision.feed_forward_length')]
  const first = hidden === inner ? part === 'down' : matrix?.shape[0] === inner
  return `${block}${first ? 'up' : 'down'}${end}`
}

/** As the class has it: the frames of a step together, ends with the sizes that its parameters have. */
function shaped(entry: TensorEntry, { tensors }: Gguf, { family, hidden }: Config): TensorEntry {
  if (family === 'glm')
    return /^adapter\.[be]oi$/.test(entry.name) && entry.shape.join() === `${hidden}`
      ? { ...entry, shape: [1, 1, hidden] }
      : withBlocks(entry, entry.name)
  return entry.name === patchName ? together(entry, tensors.get(`${patchName}.1`)) : withBlocks(entry, entry.name)
}

/** The two frames of a step as one kernel. */
function together(first: TensorEntry, second: TensorEntry | undefined): TensorEntry {
  const whole = second && first.shape.length === 4 && first.shape[1] === 3
  if (!whole || second.shape.join() !== first.shape.join() || second.dtype !== first.dtype || !Object.hasOwn(sourceBytes, first.dtype))
    throw new GlmError(
      'tensor_invalid',
      `${first.file} has no two tensors ${patchName} of one shape and type; download another conversion.`,
    )
  const [rows, channels, ...sides] = first.shape as [number, number, number, number]
  return { ...first, shape: [rows, channels, 2, ...sides], parts: { second }, blocks: frames(first, second) }
}

const area = ({ shape }: TensorEntry): number => shape[2]! * shape[3]!

function frames(first: TensorEntry, second: TensorEntry): Blocks {
  const width = 3 * area(first) * sourceBytes[first.dtype as SourceType]
  return {
    name: 'steps',
    coding: plain(first.dtype === 'F32' ? 'f32' : 'f16'),
    files: [],
    ranges: (_, { row, rows }) =>
      [first, second].map(({ file, start }) => ({ file, start: start + row * width, end: start + (row + rows) * width })),
  }
}
