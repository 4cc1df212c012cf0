// A model's folder, read: config, tokenizer, template and weights, each file where Hugging Face puts it.
import type { Progress, WeightsFormat } from '../api/types.ts'
import { GlmError } from '../errors.ts'
import type { Buffers } from '../gpu/buffers.ts'
import type { Gpu } from '../gpu/device.ts'
import type { Pipelines } from '../gpu/pipeline.ts'
import type { Format, Matrix } from '../kernels/matrix.ts'
import { codingOf, formatOf } from '../model/codings.ts'
import { type Config, type GenerationConfig, parseConfig, parseGenerationConfig } from '../model/config.ts'
import type { LayerWeights, Weights } from '../model/decoder.ts'
import { auxLength, plainNames, planEmbedding, planFinal, planHead, planLayer } from '../model/layout.ts'
import { type ChatTemplate, createTemplate } from '../text/template.ts'
import { createTokenizer, type Tokenizer, tokenText } from '../text/tokenizer.ts'
import { Loader, type MatrixPlan, type VectorPlan } from '../weights/load.ts'
import { openCheckpoint } from '../weights/safetensors.ts'
import { exists, readJson, readWhole, type Source } from '../weights/source.ts'
import type { Checkpoint } from '../weights/tensor.ts'

export interface WeightFiles {
  config: Config
  /** config.json of a model that has a tower to see with. */
  sees?: Record<string, unknown>
  generation: GenerationConfig
  checkpoint: Checkpoint
}

/** Tokenizer and template, not yet read. */
export interface TextFiles {
  /** As in tokenizer.json and tokenizer_config.json. */
  tokenizer: unknown
  config?: unknown
  template?: string | undefined
  /** Strings of `bos_token` and the like, for the template. */
  specials: Record<string, string>
}

export interface ModelFiles extends WeightFiles {
  /** Absent where the folder has no tokenizer.json: token ids can still be scored. */
  tokenizer?: Tokenizer
  template?: ChatTemplate
}

/** What reads everything but a plain safetensors folder (src/formats.ts): fetched when it is wanted. */
export interface Formats {
  readGguf(source: Source, file: string, signal?: AbortSignal): Promise<WeightFiles & { text?: TextFiles }>
  /** A folder whose config.json names a quantisation, or a family by another name. */
  readForeign(source: Source, config: Record<string, unknown>, signal?: AbortSignal): Promise<Omit<WeightFiles, 'generation'>>
  /** WGSL of kernels that the embedded model does without. */
  shaders: typeof import('../kernels/fetched_files.ts').fetched
}

export interface ReadOptions {
  /** Absent: only plain safetensors folders are read. */
  formats?: (() => Promise<Formats>) | undefined
  signal?: AbortSignal | undefined
}

export async function readModel(source: Source, { formats = noFormats, signal }: ReadOptions = {}): Promise<ModelFiles> {
  if (source.entry !== undefined) {
    const { text, ...files } = await (await formats()).readGguf(source, source.entry, signal)
    return { ...files, ...(text ? readText(text) : {}) }
  }
  const json = await readJson(source, 'config.json', signal)
  const files = isForeign(json)
    ? await (await formats()).readForeign(source, json, signal)
    : { config: parseConfig(json), checkpoint: plainNames(await openCheckpoint(source, signal)) }
  return {
    ...files,
    ...((json as WeightFiles['sees'])!.vision_config != null && { sees: json as WeightFiles['sees'] }),
    ...(await readAround(source, signal)),
  }
}

const noFormats = () => Promise.reject(new GlmError('internal', 'This file needs the formats of the package, and they were not given.'))

const isForeign = (json: unknown): json is Record<string, unknown> => {
  const fields = (json ?? {}) as Record<string, unknown>
  return fields.quantization_config != null || fields.model_type === 'chatglm'
}

/** What stands beside config and weights in a folder. */
export async function readAround(source: Source, signal?: AbortSignal): Promise<Omit<ModelFiles, 'config' | 'checkpoint'>> {
  const generation = parseGenerationConfig(await optionalJson(source, 'generation_config.json', signal))
  const tokenizer = await optionalJson(source, 'tokenizer.json', signal)
  if (tokenizer === undefined) return { generation }
  const config = await optionalJson(source, 'tokenizer_config.json', signal)
  const template = await templateText(source, config, signal)
  return { generation, ...readText({ tokenizer, config, template, specials: specials(config) }) }
}

export function readText({ tokenizer: json, config, template, specials }: TextFiles): Pick<ModelFiles, 'tokenizer' | 'template'> {
  const tokenizer = createTokenizer(json, config)
  return template === undefined ? { tokenizer } : { tokenizer, template: createTemplate(template, tokenizer, specials) }
}

async function optionalJson(source: Source, path: string, signal?: AbortSignal): Promise<unknown> {
  return (await exists(source, path, signal)) ? readJson(source, path, signal) : undefined
}

/** A file of its own, or a field of tokenizer_config.json: one string, or several by name. */
async function templateText(source: Source, config: unknown, signal?: AbortSignal): Promise<string | undefined> {
  const file = 'chat_template.jinja'
  if (await exists(source, file, signal)) {
    if ((await source.size(file, signal)) > 2 ** 20) throw new GlmError('template_invalid', `${file} is too long; take another template.`)
    return new TextDecoder().decode(await readWhole(source, file, signal))
  }
  const field = (config as { chat_template?: unknown } | undefined)?.chat_template
  if (typeof field === 'string') return field
  if (!Array.isArray(field)) return undefined
  const named = field.find((entry) => entry?.name === 'default') ?? field[0]
  return typeof named?.template === 'string' ? named.template : undefined
}

function specials(config: unknown): Record<string, string> {
  const result: Record<string, string> = {}
  for (const [name, value] of Object.entries((config ?? {}) as Record<string, unknown>)) {
    const text = name.endsWith('_token') ? tokenText(value) : undefined
    if (text !== undefined) result[name] = text
  }
  return result
}

const formats: readonly WeightsFormat[] = ['file', 'f32', 'f16', 'q8', 'q4']

export function checkWeights(weights: WeightsFormat = 'file'): WeightsFormat {
  if (!formats.includes(weights))
    throw new GlmError('request_invalid', `weights is ${JSON.stringify(weights)}; use file, f32, f16, q8 or q4.`)
  return weights
}

export interface WeightsOptions {
  files: ModelFiles
  source: Source
  gpu: Gpu
  buffers: Buffers
  pipelines: Pipelines
  asked: WeightsFormat
  signal?: AbortSignal
  onProgress?: (progress: Pick<Progress, 'phase' | 'loaded' | 'total'>) => void
}

/** Room on the GPU for every tensor the decoder needs; `fill` reads them into it. */
export function planWeights(options: WeightsOptions): { weights: Weights; format: Format; passing: number; fill: () => Promise<void> } {
  const { files, asked, onProgress } = options
  const { config, checkpoint } = files
  let loaded = 0
  const loader = new Loader({
    ...options,
    checkpoint,
    onBytes: (bytes) => {
      // A norm that two kernels apply is read twice.
      loaded = Math.min(checkpoint.bytes, loaded + bytes)
      onProgress?.({ phase: 'upload', loaded, total: checkpoint.bytes })
    },
  })
  const made: Matrix[] = []
  const matrix = (plan: MatrixPlan) => {
    const own = loader.matrix(plan, codingOf(plan, checkpoint, asked))
    made.push(own)
    return own
  }
  /** A norm's gamma stands in the order of the columns it meets. */
  const inOrder = (vectors: VectorPlan[], name: string, plan: MatrixPlan) => {
    const order = loader.orderOf(plan, codingOf(plan, checkpoint, asked))
    const gamma = vectors.find(({ tensor }) => tensor.endsWith(name))
    if (order && gamma) gamma.order = order
  }
  const embed = matrix(planEmbedding(config))
  const layers = Array.from({ length: config.layers }, (_, layer): LayerWeights => {
    const plan = planLayer(config, layer)
    inOrder(plan.vectors, 'input_layernorm.weight', plan.qkv)
    inOrder(plan.vectors, 'post_attention_layernorm.weight', plan.gateUp)
    return {
      plan,
      qkv: matrix(plan.qkv),
      o: matrix(plan.o),
      gateUp: matrix(plan.gateUp),
      down: matrix(plan.down),
      aux: loader.vectors(plan.vectors, auxLength(plan.vectors)),
    }
  })
  const final = planFinal(config)
  if (!config.tied) inOrder(final, 'model.norm.weight', planHead(config))
  const weights: Weights = {
    embed,
    layers,
    final: { vectors: final, aux: loader.vectors(final, auxLength(final)) },
    // As transformers: a tied head is the embedding, whatever the file holds beside it.
    head: config.tied ? embed : matrix(planHead(config)),
    ...(checkpoint.gather ? { gather: checkpoint.gather } : {}),
  }
  return {
    weights,
    format: formatOf(made),
    passing: loader.passing,
    async fill() {
      await loader.fill()
      await loader.finish()
    },
  }
}
