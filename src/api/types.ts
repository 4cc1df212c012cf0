// Request and response types of the public API. OpenAI's names and shapes where OpenAI has one; nothing else is in this file.
import type { GlmError, GlmErrorCode } from '../errors.ts'
import type { PictureInput } from '../media/picture.ts'
import type { Sees, VideoPart } from '../media/shown.ts'
import type { Timeline } from '../media/timeline.ts'
import type { ModelChoice } from './plan.ts'

export type WeightsFormat = 'file' | 'f32' | 'f16' | 'q8' | 'q4'

export type KvFormat = 'f32' | 'f16' | 'q8'

/** Where a load stands. `loaded` and `total` are bytes of model files; `cached` of them came from the cache. */
export interface Progress {
  phase: 'download' | 'upload' | 'compile' | 'ready'
  loaded: number
  total: number
  cached: number
  file?: string
  /** Of the download, over the last seconds. */
  bytes_per_second?: number
  seconds_left?: number
}

export interface LoadOptions {
  /**
   * How weights stand on the GPU. Default `file`: quantised files as stored, others as `q4`. `auto`: the best that fits: 16 bits where there is room,
   * else 8, else 4.
   */
  weights?: WeightsFormat | 'auto'
  /** The same of what a model sees with, if it does. Default: `q8`, and f32 or f16 where the weights are. */
  visionWeights?: Exclude<WeightsFormat, 'file'>
  /** Address of the hub that `owner/name` lies on, a mirror for one. Default: https://huggingface.co. */
  hub?: string
  /** Bytes of GPU memory that the weights may take: of several quantisations the best that fits is taken. Without: 4 bits. */
  memory?: number
  /** Positions (prompt and answer) the KV pool holds. Default: the model's own limit, at most 4096. */
  context?: number
  /**
   * How keys and values are stored: `f16` (default), `f32` (default with `weights: 'f32'` or `exact`), or `q8`, 8 bits in groups of 32 with a
   * scale, which makes room for longer contexts.
   */
  kv?: KvFormat
  /** Keys and values in f32, and no kernel that rounds activations to 8 bits. */
  exact?: boolean
  signal?: AbortSignal
  onProgress?: (progress: Progress) => void
  /** Told at most once: the files cannot be kept (`quota_exceeded`, or no IndexedDB); the load goes on without. */
  onWarning?: (warning: GlmError) => void
  /** Extra request headers (private repositories): never stored, never sent to another origin. */
  headers?: Record<string, string>
  /** Starts the worker yourself (content security policies, CDNs): a module worker of `glm-webgpu/worker`. */
  createWorker?: () => Worker
  powerPreference?: GPUPowerPreference
  /**
   * What is kept in IndexedDB. `packed` (default): files that are quantised as they are, others as the 4-bit weights that loading made of them,
   * towers as they are.
   * `source`: the files as they are. `none`: nothing.
   */
  cache?: 'packed' | 'source' | 'none'
  /** `always` hashes every cached piece on load. */
  verify?: 'download' | 'always'
}

export interface ModelInfo {
  id: string
  family: string
  parameters: number
  layers: number
  vocabulary: number
  context: number
  weights: WeightsFormat
  /** Bytes on the GPU. */
  bytes: { weights: number; kv: number; scratch: number }
  licence?: string
  /** What the licence wants shown, such as `Built with GLM-Edge`. */
  notice?: string
  /** Where several models lay in one place. */
  choice?: ModelChoice
  /** What it can be shown; absent where that is nothing. */
  sees?: Sees
  adapter: AdapterInfo
}

export interface AdapterInfo {
  vendor: string
  architecture: string
  description: string
  /** A CPU stands in for the GPU: right, but slow. */
  software: boolean
  f16: boolean
  subgroups: boolean
  maxBufferSize: number
  maxStorageBufferBindingSize: number
}

export interface TextPart {
  type: 'text'
  text: string
}

export interface ImageUrlPart {
  type: 'image_url'
  /** A data: URL, or an address that the page may read. */
  image_url: { url: string; detail?: 'auto' | 'low' | 'high' }
}

/** Ours: a picture as the page has it. */
export interface ImagePart {
  type: 'image'
  image: PictureInput
}

/** Ours: the frames of a timeline's video track, as the model's rule takes them. */
export interface TimelinePart {
  type: 'timeline'
  timeline: Timeline
}

/** Refused by models that hear nothing. */
export interface AudioPart {
  type: 'input_audio'
  input_audio: { data: string; format: 'wav' | 'mp3' }
}

export type { VideoPart }
export type ContentPart = TextPart | ImageUrlPart | ImagePart | VideoPart | TimelinePart | AudioPart

export interface ToolCall {
  id: string
  type: 'function'
  function: { name: string; arguments: string }
}

export type ChatMessage =
  | { role: 'system' | 'developer'; content: string | TextPart[]; name?: string }
  | { role: 'user'; content: string | ContentPart[]; name?: string }
  | { role: 'assistant'; content?: string | TextPart[] | null; reasoning_content?: string; tool_calls?: ToolCall[]; name?: string }
  | { role: 'tool'; content: string | TextPart[]; tool_call_id: string }

export interface Tool {
  type: 'function'
  function: { name: string; description?: string; parameters?: Record<string, unknown>; strict?: boolean | null }
}

export interface ChatRequest {
  messages: ChatMessage[]
  model?: string
  stream?: boolean | null
  stream_options?: { include_usage?: boolean } | null
  max_tokens?: number | null
  max_completion_tokens?: number | null
  /** 0 is greedy. Default: the model's generation_config, else 1. */
  temperature?: number | null
  top_p?: number | null
  /** Ours: keep the k likeliest tokens. */
  top_k?: number | null
  /** Ours: keep tokens at least this times as likely as the likeliest, 0 to 1. */
  min_p?: number | null
  /** Taken from the logits of tokens that the answer holds, -2 to 2. */
  presence_penalty?: number | null
  /** Taken once for each time that the answer holds them, -2 to 2. */
  frequency_penalty?: number | null
  /** Ours, as in Hugging Face: over 1 makes tokens of prompt and answer rarer. Default: the model's generation_config, else 1. */
  repetition_penalty?: number | null
  /** Added to the logits of token ids, -100 to 100. */
  logit_bias?: Record<string, number> | null
  /** Tells the log-probability of each token: log_softmax of the model's own logits, before bias, penalties, temperature and cuts. */
  logprobs?: boolean | null
  /** And of so many of the likeliest, 0 to 20. */
  top_logprobs?: number | null
  seed?: number | null
  stop?: string | string[] | null
  tools?: Tool[]
  /**
   * Ours: tokens that a picture (default 640) and a step of a video, two frames (default 100, or what the tower's own table of positions has where that
   * is less), may take; they are made smaller until they do.
   */
  budget?: { picture?: number | null; step?: number | null } | null
  /** Ours: extra variables for the chat template, such as `{ enable_thinking: false }`. */
  template?: Record<string, unknown>
}

export type FinishReason = 'stop' | 'length' | 'tool_calls'

export interface Usage {
  prompt_tokens: number
  completion_tokens: number
  total_tokens: number
  /** Of pictures and videos only where some were shown. */
  prompt_tokens_details?: { cached_tokens: number; image_tokens?: number; video_tokens?: number }
}

/** Ours: a picture or a video as the model was shown it. */
export interface SeenReport {
  type: 'picture' | 'video'
  /** Pixels that it was made to have. */
  width: number
  height: number
  tokens: number
  /** It was known from an earlier turn. */
  cached: boolean
  /** Of a video: when each step was, in seconds, what the model reads beside it, and its tokens. */
  steps?: { time: number; label: string; tokens: number }[]
}

/** Ours, beside `usage`: milliseconds, measured in the worker. */
export interface Timings {
  prefill_ms: number
  decode_ms: number
  first_token_ms: number
}

export interface TopLogprob {
  token: string
  /** UTF-8; a token may be a part of a character. */
  bytes: number[] | null
  logprob: number
}

export interface TokenLogprob extends TopLogprob {
  top_logprobs: TopLogprob[]
}

/** One entry for each token of the answer. */
export interface ChoiceLogprobs {
  content: TokenLogprob[]
  refusal: null
}

export interface ChatCompletion {
  id: string
  object: 'chat.completion'
  created: number
  model: string
  system_fingerprint: string
  choices: [
    {
      index: 0
      message: { role: 'assistant'; content: string | null; refusal: null }
      finish_reason: FinishReason
      logprobs: ChoiceLogprobs | null
    },
  ]
  usage: Usage
  timings: Timings
  /** Where something was shown. */
  seen?: SeenReport[]
}

export interface ChatChunk {
  id: string
  object: 'chat.completion.chunk'
  created: number
  model: string
  system_fingerprint: string
  choices: {
    index: 0
    delta: { role?: 'assistant'; content?: string }
    finish_reason: FinishReason | null
    logprobs: ChoiceLogprobs | null
  }[]
  usage?: Usage | null
  timings?: Timings
  /** On the first chunk, where something was shown. */
  seen?: SeenReport[]
}

/** An answer as it grows. Leaving the loop early, or `abort()`, ends the generation on the GPU. */
export interface ChatStream extends AsyncIterable<ChatChunk> {
  abort(reason?: unknown): void
}

export interface RequestOptions {
  signal?: AbortSignal
  /** Told while the model looks at pictures and videos that it has not seen before; of all their patches. */
  onSeeing?: (progress: { loaded: number; total: number }) => void
  /** Told while it reads the prompt; of all its tokens, those it knows from an earlier turn included. */
  onReading?: (progress: { loaded: number; total: number }) => void
}

/** What to measure. Prompts are random ids; decoding is greedy and no token ends it. */
export interface BenchOptions {
  /** Tokens of the prompt. Default 512, or what the context holds. */
  prompt?: number
  /** Tokens counted for each sequence. Default 64. */
  gen?: number
  /** Sequences that decode together. Default 1. */
  rows?: number
  /** Positions whose keys and values are there when counting begins. Default: the prompt. */
  context?: number
  signal?: AbortSignal
  /** Told as each part begins. */
  onProgress?: (phase: BenchPhase) => void
}

export type BenchPhase = 'prefill' | 'decode' | 'gpu' | 'stream'

/** Figures after warm-up. "Per token" is per forward pass, which makes one token in each of `rows` sequences. */
export interface BenchResult {
  prefill_tok_s: number
  /** Wall clock, all sequences together. */
  decode_tok_s: number
  /** From the request to the first token of a prompt that nothing is known of. */
  ttft_ms: number
  /** Time on the GPU, of passes played many times in one submit. */
  gpu_ms_per_token: number
  /** JavaScript in the loop: tokens handed out, the next passes encoded and submitted. */
  host_ms_per_token: number
  dispatches_per_token: number
  submits_per_token: number
  /** One for each submit, no way around it. */
  encoders_per_token: number
  bind_groups_per_token: number
  /** Every other create* call on the device. */
  creates_per_token: number
  reads_per_token: number
  /** Weights, keys and values that a pass has to read. */
  bytes_per_token: number
  /** What a kernel that only reads reaches on this adapter, in 1e9 bytes. */
  stream_gb_s: number
  /** Bytes read per second while decoding, as a share of that. */
  stream_share: number
  adapter: string
  /** A CPU stands in for the GPU. */
  software: boolean
  model: string
  weights: WeightsFormat
  prompt: number
  gen: number
  rows: number
  context: number
}

/** A loaded model. */
export interface Glm {
  readonly model: ModelInfo
  readonly chat: {
    readonly completions: {
      create(request: ChatRequest & { stream: true }, options?: RequestOptions): Promise<ChatStream>
      create(request: ChatRequest & { stream?: false | null }, options?: RequestOptions): Promise<ChatCompletion>
    }
  }
  /** Measures this model on this machine, in the worker; takes seconds on a GPU. Throws `request_invalid` while an answer is being made. */
  bench(options?: BenchOptions): Promise<BenchResult>
  /** Frees GPU memory and the worker; running generations end with `closed`. */
  close(): Promise<void>
}

/** What one model keeps in the cache. */
export interface CachedModel {
  name: string
  bytes: number
  files: number
  complete: boolean
  saved: string
  source?: string
  revision?: string
  licence?: string
}

/** The files kept in IndexedDB. */
export interface Cache {
  list(): Promise<CachedModel[]>
  /** Bytes of all of them. */
  size(): Promise<number>
  delete(name: string): Promise<void>
  /** Holds every piece against its hash; what fails is dropped, and the next load fetches it. */
  repair(name: string): Promise<{ checked: number; dropped: number; droppedBytes: number }>
  /** Writes the files of a model into a folder, with a list of their hashes: it can be carried to a machine without a network. */
  export(name: string, folder: FileSystemDirectoryHandle): Promise<void>
  /** Takes such a folder into the cache, every hash checked; returns the model's name, by which `loadGlm` finds it. */
  import(folder: FileSystemDirectoryHandle): Promise<string>
  /** Asks the browser never to evict the cache; call it from a click. `false` where it declined. */
  persist(): Promise<boolean>
}

/** An error as it crosses the worker. */
export interface WireError {
  code: GlmErrorCode
  message: string
  stack?: string
  cause?: string
}
