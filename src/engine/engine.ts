// A loaded model on one device: chats, scores, and frees what it holds.
import type { ModelChoice } from '../api/plan.ts'
import type { FinishReason, KvFormat, ModelInfo, Progress, TokenLogprob, Usage, WeightsFormat } from '../api/types.ts'
import { asGlmError, GlmError, throwIfAborted } from '../errors.ts'
import { Buffers, guardMemory } from '../gpu/buffers.ts'
import { type Gpu, type GpuOptions, openGpu } from '../gpu/device.ts'
import { Pipelines } from '../gpu/pipeline.ts'
import type { TunedStore } from '../gpu/tuned.ts'
import { addFiles } from '../kernels/loading_files.ts'
import { pageSize } from '../kernels/rows.ts'
import type { Choices } from '../model/choices.ts'
import { Decoder, isOrdered, type Weights } from '../model/decoder.ts'
import { asked } from '../model/rows.ts'
import type { Seen } from '../model/seen.ts'
import { pageBytes, parametersOf, ring, roundingFrom, rowsShape } from '../model/sizes.ts'
import { Loader } from '../weights/load.ts'
import type { Source } from '../weights/source.ts'
import { type Assembly, contextOf, fingerprintOf, kvFormatFor } from './assembly.ts'
import { checkWeights, type Formats, type ModelFiles, planWeights, readModel } from './checkpoint.ts'
import { shownLogprobs } from './logprobs.ts'
import { createOutput } from './output.ts'
import { aims, Pacer } from './pacer.ts'
import { Pages } from './pages.ts'
import type { Part } from './parts.ts'
import { checkRequest, type GenerationRequest, maxTokensOf, type ShownRequest, samplingOf, stopStringsOf } from './request.ts'
import { Runner } from './runner.ts'
import { Scheduler } from './scheduler.ts'
import type { openSeeing, Prompt, Seeing } from './seeing.ts'
import { type TunedTools, type TuneRequest, Variants } from './variants.ts'

export interface EngineOptions extends GpuOptions {
  gpu: GPU | undefined
  source: Source
  /** What reads everything but a plain safetensors folder. */
  formats?: (() => Promise<Formats>) | undefined
  /** What gives models their sight (src/vision.ts). Absent: those that have a tower read text. */
  vision?: (() => Promise<{ openSeeing: typeof openSeeing }>) | undefined
  /** How the tower stands on the GPU. Default: `q8`, and f32 or f16 where the weights are. */
  visionWeights?: Exclude<WeightsFormat, 'file'> | undefined
  id?: string
  licence?: string
  notice?: string
  choice?: ModelChoice
  weights?: WeightsFormat
  /** Positions of the KV pool. */
  context?: number
  kv?: KvFormat
  /** Sees what the headers say before a weight is read, and may refuse it. */
  admit?: ((files: ModelFiles) => Promise<void>) | undefined
  signal?: AbortSignal
  onProgress?: (progress: Pick<Progress, 'phase' | 'loaded' | 'total'>) => void
  /** Keys and values in f32, and no variant that rounds activations. */
  exact?: boolean
  /** false: kernels are compiled when they are first wanted, for those who only score. */
  chats?: boolean
  /** Whether activations may be rounded to 8 bits. Default: in models large enough not to feel it. */
  dot8?: boolean
  /** Variants that a test wants to see. */
  choose?: Partial<Choices>
  /** What the tuner measured is kept here. Default: IndexedDB, in Node the process. */
  tuned?: TunedStore
  /** What reads it (gpu/tuned.ts), and has WGSL that most chats do without. Absent: nothing is tuned. */
  tuning?: (() => Promise<TunedTools>) | undefined
  /** One token per submit and one submit in flight, to see what more of them bring. */
  serial?: boolean
  /** Milliseconds; tests inject a slow one. */
  clock?: () => number
}

export interface EngineParts {
  weights: Weights
  info: ModelInfo
  files: ModelFiles
  gpu: Gpu
  pages: Pages
  runner: Runner
  scheduler: Scheduler
  pipelines: Pipelines
  buffers: Buffers
  variants: Variants
  seeing: Seeing | undefined
  tuning?: EngineOptions['tuning']
}

export interface Completion {
  ids: number[]
  text: string
  finish: FinishReason
}

export class Engine {
  readonly info: ModelInfo
  readonly files: ModelFiles
  readonly gpu: Gpu
  readonly pages: Pages
  readonly runner: Runner
  readonly scheduler: Scheduler
  readonly pipelines: Pipelines
  readonly buffers: Buffers
  readonly weights: Weights
  readonly variants: Variants
  readonly seeing: Seeing | undefined
  readonly #tools: EngineOptions['tuning']
  readonly #tuning = new AbortController()
  #tuned: Promise<void> = Promise.resolve()
  #closed = false

  /** Takes the parts of a loaded model; `Engine.load` is the way in. */
  constructor(parts: EngineParts) {
    this.info = parts.info
    this.files = parts.files
    this.gpu = parts.gpu
    this.pages = parts.pages
    this.runner = parts.runner
    this.scheduler = parts.scheduler
    this.pipelines = parts.pipelines
    this.buffers = parts.buffers
    this.weights = parts.weights
    this.variants = parts.variants
    this.seeing = parts.seeing
    this.#tools = parts.tuning
    parts.gpu.lost.then((error) => this.scheduler.fail(error))
  }

  /** The same seed gives the same text where this is the same: model, adapter and kernel variants. */
  get fingerprint(): string {
    return fingerprintOf(this.info, this.variants.id)
  }

  /** Looks for faster kernel variants for `budget` milliseconds of work between generations, and uses what it finds from the next one on. */
  tune(by: TuneRequest['by'], budget = 2000): Promise<void> {
    if (this.gpu.info.software) return Promise.resolve() // a CPU does not rank kernels as a GPU does
    this.#tuned = this.#tuned.then(async () => {
      const { signal } = this.#tuning
      const better = await this.variants.tune(this.weights, { by, budget, signal, idle: () => this.scheduler.idle() })
      if (better && !signal.aborted) await this.scheduler.alone(() => this.runner.renew())
    })
    return this.#tuned
  }

  static async load(options: EngineOptions): Promise<Engine> {
    const asked = checkWeights(options.weights)
    const context = contextOf(options.context)
    throwIfAborted(options.signal)
    const { formats } = options
    if (formats) addFiles((await formats()).shaders)
    const gpu = await openGpu(options.gpu, options)
    const buffers = new Buffers(gpu)
    try {
      const files = await readModel(options.source, options)
      await options.admit?.(files)
      const pipelines = new Pipelines(gpu)
      const lost = gpu.lost.then((error) => Promise.reject(error))
      lost.catch(() => {})
      return await Promise.race([
        guardMemory(gpu, () => assemble({ ...options, files, device: gpu, buffers, pipelines, asked, wanted: context })),
        lost,
      ])
    } catch (error) {
      buffers.close()
      gpu.close()
      throw asGlmError(error)
    }
  }

  /** Answers a chat, part by part; the last part is `finish`. Throws what stops it. */
  async chat(request: ShownRequest, onPart: (part: Part) => void, signal?: AbortSignal): Promise<Completion> {
    const prompt = await this.prompt(request, signal, onPart)
    try {
      return await this.complete(prompt.ids, request, onPart, signal, true, prompt)
    } finally {
      prompt.release()
    }
  }

  /** The ids of a chat, and what it shows, which is the caller's until it is released. */
  async prompt(
    request: ShownRequest,
    signal?: AbortSignal,
    onProgress?: (part: Extract<Part, { loaded: number }>) => void,
  ): Promise<Prompt> {
    checkRequest(request, this.info.sees)
    const { template } = this.files
    if (!template)
      throw new GlmError('template_invalid', 'This model has no chat template or tokenizer.json; add chat_template.jinja to its folder.')
    const { ids } = template.render(request.messages, { tools: request.tools, addGenerationPrompt: true, variables: request.template })
    const check = (all: readonly number[]) => this.#check(all, this.info.context - 1, signal)
    return this.seeing?.see(ids, request, { signal, check, onProgress }) ?? { ids, release() {} }
  }

  /** Continues token ids. A chat's answer is trimmed at its start: GLM models begin it with a newline. */
  async complete(
    prompt: readonly number[],
    request: GenerationRequest,
    onPart: (part: Part) => void,
    signal?: AbortSignal,
    trimStart = false,
    { seen, report: looks, counts }: Partial<Prompt> = {},
  ): Promise<Completion> {
    this.#check(prompt, this.info.context - 1, signal)
    const { tokenizer, config, generation } = this.files
    if (!tokenizer) throw new GlmError('template_invalid', 'This model has no tokenizer.json; add it to its folder.')
    const output = createOutput({
      tokenizer,
      stopIds: new Set([...config.stopIds, ...generation.stopIds]),
      stopStrings: stopStringsOf(request),
      maxTokens: maxTokensOf(request, this.info.context - prompt.length),
      trimStart,
    })
    const sampling = samplingOf(request, generation, this.info.vocabulary)
    // Log-probabilities and penalties: kernels that most chats do without.
    if (asked(sampling)) addFiles((await this.#tools?.())?.shaders ?? {})
    let reason: FinishReason = 'length'
    const began = now()
    let first = 0
    let told: TokenLogprob[] = []
    const send = (text: string) => {
      onPart({ type: 'text-delta', text, ...(told.length > 0 ? { logprobs: told } : {}) })
      told = []
    }
    const report = await this.scheduler.run({
      prompt,
      seen,
      sampling,
      maxTokens: this.info.context - prompt.length,
      signal,
      onRead: (loaded) => onPart({ type: 'reading', loaded, total: prompt.length }),
      onToken: (token, logprobs) => {
        if (!first) onPart({ type: 'start', fingerprint: this.fingerprint, seen: looks })
        first ||= now()
        const { text, finished } = output.push(token)
        // A stop token is no part of the answer.
        if (logprobs && output.ids.at(-1) === token) told.push(shownLogprobs(tokenizer, token, logprobs))
        if (text) send(text)
        if (finished) reason = finished
        return !finished
      },
    })
    const rest = output.end()
    if (rest || told.length > 0) send(rest)
    const usage: Usage = {
      prompt_tokens: prompt.length,
      completion_tokens: output.ids.length,
      total_tokens: prompt.length + output.ids.length,
      prompt_tokens_details: { cached_tokens: report.cached, ...counts },
    }
    onPart({
      type: 'finish',
      reason,
      usage,
      timings: { prefill_ms: first - began, decode_ms: now() - first, first_token_ms: first - began },
    })
    return { ids: [...output.ids], text: output.text, finish: reason }
  }

  /** Logits of every position, handed over chunk by chunk: [positions, vocabulary]. */
  async score(tokens: readonly number[], onLogits: OnLogits, signal?: AbortSignal, seen?: Seen): Promise<void> {
    this.#check(tokens, this.info.context, signal)
    await this.scheduler.alone(() => this.#score(tokens, onLogits, signal, seen))
  }

  async #score(tokens: readonly number[], onLogits: OnLogits, signal?: AbortSignal, seen?: Seen): Promise<void> {
    const pages: Parameters<Pages['grow']>[0] = []
    if (!this.pages.grow(pages, tokens.length))
      throw new GlmError('prompt_too_long', 'The tokens do not fit the KV pool; load the model with a larger context.')
    try {
      const chunk = this.runner.decodeRows.shape.logits
      for (let start = 0; start < tokens.length; start += chunk) {
        throwIfAborted(signal)
        if (this.#closed) throw new GlmError('closed', 'The model was closed.')
        onLogits(
          await this.runner.logits(
            tokens.slice(start, start + chunk),
            start,
            pages.map(({ id }) => id),
            this.runner.prefillRows,
            false,
            seen,
          ),
          start,
        )
      }
    } finally {
      this.pages.close(pages)
    }
  }

  #check(prompt: readonly number[], room: number, signal?: AbortSignal): void {
    if (this.#closed) throw new GlmError('closed', 'The model was closed; load it again.')
    throwIfAborted(signal)
    const { vocabulary, context } = this.info
    if (prompt.length === 0) throw new GlmError('request_invalid', 'The prompt has no tokens; pass some text.')
    if (prompt.length > room) {
      throw new GlmError(
        'prompt_too_long',
        `The prompt has ${prompt.length} tokens and the context ${context}; shorten it, or load the model with a larger context.`,
      )
    }
    const bad = prompt.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabulary)
    if (bad !== undefined)
      throw new GlmError('request_invalid', `Token ${bad} is outside the vocabulary of ${vocabulary}; use the model's own tokenizer.`)
  }

  /** Ends what runs, waits for the submits in flight, and frees the GPU. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#tuning.abort()
    this.scheduler.fail(new GlmError('closed', 'The model was closed.'))
    await this.scheduler.idle()
    await this.#tuned.catch(() => {})
    this.seeing?.close()
    this.buffers.close()
    this.gpu.close()
  }
}

type OnLogits = (logits: Float32Array, start: number) => void

async function assemble(options: Assembly): Promise<Engine> {
  const { files, device: gpu, buffers, pipelines, onProgress } = options
  const { config } = files
  const kv = kvFormatFor(options, config)
  const { weights, format, passing, fill } = planWeights({ ...options, gpu, pipelines: new Pipelines(gpu) })
  const weightBytes = buffers.bytes - passing
  const pages = Math.min(
    Math.ceil(Math.min(options.wanted, config.context) / pageSize),
    Math.floor(gpu.limits.binding / pageBytes(config, kv)),
  )
  const shape = rowsShape(config, { limit: gpu.limits.binding, software: gpu.info.software, pages })
  const rounding = !options.exact && (options.dot8 ?? parametersOf(files.checkpoint) >= roundingFrom)
  const choices = await Variants.open({
    gpu,
    rounding,
    ordered: isOrdered(weights),
    choose: options.choose,
    tuned: options.tuning,
    store: options.tuned,
  })
  const decoder = new Decoder({ config, weights, gpu, buffers, pipelines, kv, choices, pages, shape })
  const kvBytes = config.layers * pages * pageBytes(config, kv)
  const pacer = new Pacer({
    rows: shape.rows,
    least: gpu.info.software && rounding ? 32 : 8,
    tokens: options.serial ? 1 : gpu.info.software ? 4 : 8,
    aim: aims[gpu.info.software ? 'software' : 'hardware'],
    clock: options.clock ?? now,
  })
  const runner = new Runner({ gpu, buffers, decoder, config, shape, kv, pacer })
  // Pipelines compile while the weights are on their way.
  const warm = options.chats === false ? Promise.resolve() : runner.warm()
  warm.catch(() => {}) // awaited behind the weights
  await fill()
  const seeing = files.sees && (await (await options.vision?.())?.openSeeing(options, Loader))
  const weighed = weightBytes + (seeing?.bytes ?? 0)
  onProgress?.({ phase: 'compile', loaded: files.checkpoint.bytes, total: files.checkpoint.bytes })
  await warm
  throwIfAborted(options.signal)
  const context = Math.min(pages * pageSize, config.context, options.wanted)
  const cache = new Pages(pages)
  const scheduler = new Scheduler({
    runner,
    pages: cache,
    pacer,
    context,
    slots: shape.slots,
    depth: options.serial || gpu.info.software ? 1 : 2,
    ring,
  })
  const info: ModelInfo = {
    id: options.id ?? options.source.name,
    family: config.family,
    parameters: parametersOf(files.checkpoint),
    layers: config.layers,
    vocabulary: config.vocabulary,
    context,
    weights: format,
    bytes: { weights: weighed, kv: kvBytes, scratch: buffers.bytes - weighed - kvBytes },
    ...(seeing && { sees: seeing.sees }),
    ...(options.licence ? { licence: options.licence } : {}),
    ...(options.notice ? { notice: options.notice } : {}),
    ...(options.choice ? { choice: options.choice } : {}),
    adapter: gpu.info,
  }
  onProgress?.({ phase: 'ready', loaded: files.checkpoint.bytes, total: files.checkpoint.bytes })
  const { tuning } = options
  return new Engine({ info, files, gpu, pages: cache, runner, scheduler, pipelines, buffers, weights, variants: choices, seeing, tuning })
}

const now = () => performance.now()
