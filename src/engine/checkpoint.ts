// A model's folder, read: config, tokenizer, template and weights, each file where Hugging Face puts it.
import type { Progress, WeightsFormat } from '../api/types.ts'
import { GlmError } from '../errors.ts'
import type { Buffers } from '../gpu/buffers.ts'
import type { Gpu } from '../gpu/device.ts'
import type { Pipelines } from '../gpu/pipeline.ts'
import type { Format } from '../kernels/matrix.ts'
import { type Config, type GenerationConfig, parseConfig, parseGenerationConfig } from '../model/config.ts'
import type { LayerWeights, Weights } from '../model/decoder.ts'
import { auxLength, planEmbedding, planFinal, planHead, planLayer } from '../model/layout.ts'
import { type ChatTemplate, createTemplate } from '../text/template.ts'
import { createTokenizer, type Tokenizer, tokenText } from '../text/tokenizer.ts'
import { Loader } from '../weights/load.ts'
import { type Checkpoint, openCheckpoint } from '../weights/safetensors.ts'
import { exists, readJson, readWhole, type Source } from '../weights/source.ts'

export interface ModelFiles {
  config: Config
  generation: GenerationConfig
  checkpoint: Checkpoint
  /** Absent where the folder has no tokenizer.json: token ids can still be scored. */
  tokenizer?: Tokenizer
  template?: ChatTemplate
}

export async function readModel(source: Source, signal?: AbortSignal): Promise<ModelFiles> {
  const config = parseConfig(await readJson(source, 'config.json', signal))
  const generation = parseGenerationConfig(await optionalJson(source, 'generation_config.json', signal))
  const checkpoint = await openCheckpoint(source, signal)
  const files: ModelFiles = { config, generation, checkpoint }
  const tokenizerJson = await optionalJson(source, 'tokenizer.json', signal)
  if (tokenizerJson === undefined) return files
  const tokenizerConfig = await optionalJson(source, 'tokenizer_config.json', signal)
  files.tokenizer = createTokenizer(tokenizerJson, tokenizerConfig)
  const text = await templateText(source, tokenizerConfig, signal)
  if (text !== undefined) files.template = createTemplate(text, files.tokenizer, specials(tokenizerConfig))
  return files
}

async function optionalJson(source: Source, path: string, signal?: AbortSignal): Promise<unknown> {
  return (await exists(source, path, signal)) ? readJson(source, path, signal) : undefined
}

/** A file of its own, or a field of tokenizer_config.json: one string, or several by name. */
async function templateText(source: Source, config: unknown, signal?: AbortSignal): Promise<string | undefined> {
  if (await exists(source, 'chat_template.jinja', signal))
    return new TextDecoder().decode(await readWhole(source, 'chat_template.jinja', signal))
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

/** What `file` means for an unquantised checkpoint, and `f32` and the rest for themselves. */
export function formatFor(weights: WeightsFormat | undefined): Format {
  const formats: Record<WeightsFormat, Format> = { file: 'q4', f32: 'f32', f16: 'f16', q8: 'q8', q4: 'q4' }
  if (weights !== undefined && !Object.hasOwn(formats, weights)) {
    throw new GlmError('request_invalid', `weights is ${JSON.stringify(weights)}; use file, f32, f16, q8 or q4.`)
  }
  return formats[weights ?? 'file']
}

export interface WeightsOptions {
  files: ModelFiles
  source: Source
  gpu: Gpu
  buffers: Buffers
  pipelines: Pipelines
  format: Format
  signal?: AbortSignal
  onProgress?: (progress: Pick<Progress, 'phase' | 'loaded' | 'total'>) => void
}

/** Room on the GPU for every tensor the decoder needs; `fill` reads them into it. */
export function planWeights(options: WeightsOptions): { weights: Weights; fill: () => Promise<void> } {
  const { files, onProgress } = options
  const { config, checkpoint } = files
  let loaded = 0
  const loader = new Loader({
    ...options,
    checkpoint,
    onBytes: (bytes) => {
      // A norm that two kernels apply is read twice.
      loaded = Math.min(checkpoint.bytes, loaded + bytes)
      onProgress?.({ phase: 'load', loaded, total: checkpoint.bytes })
    },
  })
  const embed = loader.matrix(planEmbedding(config))
  const layers = Array.from({ length: config.layers }, (_, layer): LayerWeights => {
    const plan = planLayer(config, layer)
    return {
      plan,
      qkv: loader.matrix(plan.qkv),
      o: loader.matrix(plan.o),
      gateUp: loader.matrix(plan.gateUp),
      down: loader.matrix(plan.down),
      aux: loader.vectors(plan.vectors, auxLength(plan.vectors)),
    }
  })
  const final = planFinal(config)
  const weights: Weights = {
    embed,
    layers,
    final: { vectors: final, aux: loader.vectors(final, auxLength(final)) },
    // As transformers: a tied head is the embedding, whatever the file holds beside it.
    head: config.tied ? embed : loader.matrix(planHead(config)),
  }
  return {
    weights,
    async fill() {
      await loader.fill()
      await loader.finish()
    },
  }
}
