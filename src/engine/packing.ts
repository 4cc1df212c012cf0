// What a model becomes in our packed form: its tensors as Hugging Face lays them out, each with the coding it is kept in, and the files beside them.
import { type Coding, plain, scaled, widest } from '../kernels/matrix.ts'
import type { Config, GenerationConfig } from '../model/config.ts'
import { planEmbedding, planFinal, planHead, planLayer } from '../model/layout.ts'
import { ggufText } from '../text/gguf.ts'
import { openGguf } from '../weights/gguf.ts'
import type { Piece, VectorPlan } from '../weights/load.ts'
import { dtypeOf, type PackedFormat, type PackedTensor, packedSettings } from '../weights/packed.ts'
import { exists, readJson, readWhole, type Source } from '../weights/source.ts'
import type { Checkpoint, TensorEntry } from '../weights/tensor.ts'
import type { WeightFiles } from './checkpoint.ts'

/** What was asked for, where anything was; a source that is quantised otherwise stays as it is, any other becomes q4. */
export interface Wishes {
  weights?: 'q4' | 'q8' | undefined
  group?: 32 | 64 | 128 | undefined
  head?: 'q4' | 'q8' | undefined
  embedding?: 'q4' | 'q8' | undefined
}

/** A tensor of the packed form. */
export interface PackItem {
  name: string
  packed: PackedTensor
  /** How codes stand on the GPU; absent: plain numbers, which stay as they are in the file. */
  coding?: Coding
  /** The file's rows that it is made of; absent for vectors. */
  pieces?: Piece[]
  /** Norms and biases, as f32. */
  vector?: VectorPlan
  /** Bytes as the file has them. */
  copied?: TensorEntry
  /** Whether it costs nothing. */
  kept: boolean
}

/** How layers stand in our own form, whatever the file has. */
export const ownLayout = (config: Config): Config => ({ ...config, halves: false, apart: false, together: false })

/** Every tensor in the order in which a load reads them; vectors last. */
export function packItems(config: Config, { tensors }: Checkpoint, wishes: Wishes): PackItem[] {
  const quantised = [...tensors.values()].some(isCoded)
  const matrix = (name: string, shape: number[], pieces: Piece[], weights = wishes.weights): PackItem => ({
    name,
    pieces,
    ...stored(pieces, shape, { tensors, quantised }, { ...wishes, weights }),
  })
  const embedding = planEmbedding(config)
  const head = planHead(config)
  // A tied head is the embedding: what is asked of either holds for both.
  const embeddingFormat = config.tied && wishes.head === 'q8' ? 'q8' : wishes.embedding
  const items = [matrix(embedding.pieces[0]!.tensor, [embedding.rows, embedding.columns], embedding.pieces, embeddingFormat)]
  const vectors: PackItem[] = []
  for (let layer = 0; layer < config.layers; layer++) {
    const plan = planLayer(config, layer)
    const own = planLayer(ownLayout(config), layer)
    let offset = 0
    for (const { tensor, rows } of own.qkv.pieces) {
      const of = plan.qkv.pieces.filter((piece) => piece.offset >= offset && piece.offset < offset + rows)
      const first = offset
      items.push(
        matrix(
          tensor,
          [rows, own.qkv.columns],
          of.map((piece) => ({ ...piece, offset: piece.offset - first })),
        ),
      )
      offset += rows
    }
    const { o, gateUp, down } = plan
    const halves = gateUp.pieces.map((piece, index) => ({ ...piece, offset: index * config.ffn, step: 1 }))
    items.push(matrix(o.pieces[0]!.tensor, [o.rows, o.columns], o.pieces))
    items.push(matrix(own.gateUp.pieces[0]!.tensor, [gateUp.rows, gateUp.columns], config.apart ? halves : joined(halves)))
    items.push(matrix(down.pieces[0]!.tensor, [down.rows, down.columns], down.pieces))
    vectors.push(...plan.vectors.map(vectorItem))
  }
  if (!config.tied) items.push(matrix(head.pieces[0]!.tensor, [head.rows, head.columns], head.pieces, wishes.head))
  vectors.push(...planFinal(config).map(vectorItem))
  // The norm behind a layer is read again by the next one.
  const seen = new Set<string>()
  return [...items, ...vectors.filter(({ name }) => !seen.has(name) && seen.add(name))]
}

/** The tower of a model that sees, as it is stored; nothing where that is no plain numbers (GGUF). */
export function towerItems({ sees, checkpoint }: Pick<WeightFiles, 'sees' | 'checkpoint'>): PackItem[] {
  const entries = sees ? [...checkpoint.tensors.values()].filter(({ name }) => /^(model\.)?vis(ual|ion)\./.test(name)) : []
  const items = entries.map((entry): PackItem | undefined => {
    const format = entry.blocks || entry.parts ? undefined : Object.entries(dtypeOf).find(([, dtype]) => dtype === entry.dtype)?.[0]
    const { name, shape } = entry
    return format === undefined
      ? undefined
      : { name, packed: { shape: [...shape], format: format as PackedFormat, whole: true }, copied: entry, kept: true }
  })
  return items.every((item) => item !== undefined) ? items : []
}

/** Two halves of one tensor. */
const joined = ([first, second]: Piece[]): Piece[] => [{ ...first!, rows: first!.rows + second!.rows }]

const vectorItem = (vector: VectorPlan): PackItem => ({
  name: vector.tensor,
  packed: { shape: [vector.length], format: 'f32' },
  vector,
  kept: true,
})

const bits = { q4: 4, q8: 8, f16: 16, f32: 32 }

/** The coding of a matrix of one or two tensors: that of the file where nothing else is asked, and where it is no wider than what is. */
function stored(
  pieces: readonly Piece[],
  shape: number[],
  { tensors, quantised }: { tensors: Checkpoint['tensors']; quantised: boolean },
  { weights, group }: Wishes,
): Pick<PackItem, 'packed' | 'coding' | 'kept'> {
  const entries = [...new Set(pieces.map(({ tensor }) => tensor))].flatMap((name) => tensors.get(name) ?? [])
  const [first] = entries
  const asked = weights !== undefined || group !== undefined
  const codings = entries.filter(isCoded).map(({ blocks }) => blocks!.coding)
  if (first && codings.length === entries.length && sameOrder(entries)) {
    const own = codings.reduce(widest)
    const narrow = weights === undefined || bits[own.format] <= bits[weights]
    // Scales of K types are products: in our form they are f16, and cost a little.
    if (narrow && (group === undefined || own.group >= group))
      return coded(shape, { format: own.format, group: own.group, centred: own.centred }, first.order !== undefined, !own.super)
  } else if (first && quantised && !asked && codings.length === 0 && entries.every(({ dtype }) => dtype === first.dtype)) {
    const format = Object.entries(dtypeOf).find(([, dtype]) => dtype === first.dtype)?.[0] as PackedFormat | undefined
    if (format) return { packed: { shape, format }, kept: true }
  }
  // Of a quantised source nothing is made narrower unasked.
  const format = weights ?? (codings.length > 0 ? codings.reduce(widest).format : quantised && !asked ? 'q8' : 'q4')
  return coded(shape, { ...plain(format), group: group ?? 32 }, false, false)
}

function coded(shape: number[], own: Coding, ordered: boolean, kept: boolean): Pick<PackItem, 'packed' | 'coding' | 'kept'> {
  const { format, group, centred } = own as Coding & { format: 'q4' | 'q8' }
  return {
    packed: { shape, format, group, centred, ...(ordered ? { ordered } : {}), ...(kept ? { error: 0 } : {}) },
    coding: own,
    kept,
  }
}

const isCoded = ({ blocks }: TensorEntry): boolean => blocks !== undefined && scaled(blocks.coding.format)

/** Columns of one tensor can stand in one order only. */
const sameOrder = ([first, ...rest]: readonly TensorEntry[]): boolean => rest.every(({ order }) => order?.join() === first?.order?.join())

/** A file beside the weights. */
export interface SideFile {
  path: string
  bytes: Uint8Array<ArrayBuffer>
}

const copied = [
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'chat_template.jinja',
  'preprocessor_config.json',
  'video_preprocessor_config.json',
  'LICENSE',
  'LICENSE.txt',
  'LICENSE.md',
]

/** Config with our settings, tokenizer, template and generation settings: as they were, or written anew from a GGUF's metadata. `sees`: with its tower. */
export async function sideFiles(
  source: Source,
  { config, generation }: { config: Config; generation: GenerationConfig },
  signal?: AbortSignal,
  sees = false,
): Promise<SideFile[]> {
  if (source.entry?.endsWith('.gguf')) return ofGguf(source, source.entry, config, generation, signal)
  const files: SideFile[] = []
  for (const path of copied) if (await exists(source, path, signal)) files.push({ path, bytes: await readWhole(source, path, signal) })
  // Without its tower a model does not see.
  const { vision_config: tower, ...json } = (await readJson(source, 'config.json', signal)) as Record<string, unknown>
  const own = json.model_type === 'chatglm' ? configJson(config) : json
  return [...files, configFile(sees ? { ...own, vision_config: tower } : own)]
}

async function ofGguf(
  source: Source,
  entry: string,
  config: Config,
  { sampled, temperature, topK, topP, repetition }: GenerationConfig,
  signal?: AbortSignal,
): Promise<SideFile[]> {
  const gguf = await openGguf(source, entry, signal)
  const files = [configFile(configJson(config))]
  const settings = { do_sample: sampled, temperature, top_k: topK, top_p: topP, repetition_penalty: repetition }
  if (Object.values(settings).some((value) => value !== undefined)) files.push(jsonFile('generation_config.json', settings))
  if (!gguf.metadata.has('tokenizer.ggml.model')) return files
  const { tokenizer, template, specials } = ggufText(gguf.metadata, gguf.files[0]!, config.vocabulary)
  files.push(jsonFile('tokenizer.json', tokenizer), jsonFile('tokenizer_config.json', specials))
  if (template !== undefined) files.push({ path: 'chat_template.jinja', bytes: new TextEncoder().encode(template) })
  return files
}

const configFile = (json: Record<string, unknown>): SideFile => jsonFile('config.json', { ...json, quantization_config: packedSettings })

export const jsonFile = (path: string, json: unknown): SideFile => ({
  path,
  bytes: new TextEncoder().encode(`${JSON.stringify(json, null, 2)}\n`),
})

/** By family: the class of transformers. */
const classes: Record<string, string> = {
  glm4: 'Glm4ForCausalLM',
  glm4v: 'Glm4vForConditionalGeneration',
  glm46v: 'Glm46VForConditionalGeneration',
  glm_ocr: 'GlmOcrForConditionalGeneration',
}

const yarnJson = (yarn: NonNullable<Config['yarn']>) => ({
  rope_type: 'yarn',
  factor: yarn.factor,
  original_max_position_embeddings: yarn.original,
  beta_fast: yarn.betaFast,
  beta_slow: yarn.betaSlow,
  truncate: yarn.truncate,
  attention_factor: yarn.attentionFactor,
})

/** A config.json that parseConfig reads as this very config. */
export function configJson(config: Config): Record<string, unknown> {
  const { headDim, rotary, yarn, sections } = config
  const partial = rotary / headDim
  return {
    architectures: [classes[config.family] ?? 'GlmForCausalLM'],
    model_type: config.family,
    hidden_size: config.hidden,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.kvHeads,
    head_dim: headDim,
    intermediate_size: config.ffn,
    vocab_size: config.vocabulary,
    rms_norm_eps: config.eps,
    attention_bias: config.qkvBias,
    tie_word_embeddings: config.tied,
    max_position_embeddings: config.context,
    eos_token_id: config.stopIds,
    hidden_act: 'silu',
    // A little more where rounding down would lose one.
    partial_rotary_factor: Math.floor(headDim * partial) === rotary ? partial : (rotary + 0.25) / headDim,
    rope_theta: config.theta,
    ...(yarn || sections ? { rope_scaling: { ...(yarn ? yarnJson(yarn) : { rope_type: 'default' }), mrope_section: sections } } : {}),
  }
}

/** What a person calls a format. */
export const formatName = ({ format, group }: PackedTensor): string => (group === undefined ? format : `${format} in groups of ${group}`)
