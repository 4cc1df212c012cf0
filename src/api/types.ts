// Request and response types of the public API. OpenAI's names and shapes where OpenAI has one; nothing else is in this file.
import type { GlmError, GlmErrorCode } from '../errors.ts'

export type WeightsFormat = 'file' | 'f32' | 'f16' | 'q8' | 'q4'

/** Where a load stands. `loaded` and `total` are bytes of model files; `cached` of them came from the cache. */
export interface Progress {
  phase: 'download' | 'load' | 'compile' | 'ready'
  loaded: number
  total: number
  cached: number
  file?: string
}

export interface LoadOptions {
  /** How weights stand on the GPU. Default `file`: quantised files as stored, others as `q4`. */
  weights?: WeightsFormat
  /** Positions (prompt and answer) the KV pool holds. Default: the model's own limit, at most 4096. */
  context?: number
  signal?: AbortSignal
  onProgress?: (progress: Progress) => void
  /** Told at most once: the files cannot be kept (`quota_exceeded`, or no IndexedDB); the load goes on without. */
  onWarning?: (warning: GlmError) => void
  /** Extra request headers (private repositories): never stored, never sent to another origin. */
  headers?: Record<string, string>
  /** Starts the worker yourself (content security policies, CDNs): a module worker of `glm-webgpu/worker`. */
  createWorker?: () => Worker
  powerPreference?: GPUPowerPreference
  /** `true` (default) keeps the files in IndexedDB. */
  cache?: boolean
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

export interface ToolCall {
  id: string
  type: 'function'
  function: { name: string; arguments: string }
}

export type ChatMessage =
  | { role: 'system' | 'developer'; content: string | TextPart[]; name?: string }
  | { role: 'user'; content: string | TextPart[]; name?: string }
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
  seed?: number | null
  stop?: string | string[] | null
  tools?: Tool[]
  /** Ours: extra variables for the chat template, such as `{ enable_thinking: false }`. */
  template?: Record<string, unknown>
}

export type FinishReason = 'stop' | 'length' | 'tool_calls'

export interface Usage {
  prompt_tokens: number
  completion_tokens: number
  total_tokens: number
  prompt_tokens_details?: { cached_tokens: number }
}

/** Ours, beside `usage`: milliseconds, measured in the worker. */
export interface Timings {
  prefill_ms: number
  decode_ms: number
  first_token_ms: number
}

export interface ChatCompletion {
  id: string
  object: 'chat.completion'
  created: number
  model: string
  system_fingerprint: string
  choices: [
    { index: 0; message: { role: 'assistant'; content: string | null; refusal: null }; finish_reason: FinishReason; logprobs: null },
  ]
  usage: Usage
  timings: Timings
}

export interface ChatChunk {
  id: string
  object: 'chat.completion.chunk'
  created: number
  model: string
  system_fingerprint: string
  choices: { index: 0; delta: { role?: 'assistant'; content?: string }; finish_reason: FinishReason | null; logprobs: null }[]
  usage?: Usage | null
  timings?: Timings
}

/** An answer as it grows. Leaving the loop early, or `abort()`, ends the generation on the GPU. */
export interface ChatStream extends AsyncIterable<ChatChunk> {
  abort(reason?: unknown): void
}

export interface RequestOptions {
  signal?: AbortSignal
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
}

/** The files kept in IndexedDB. */
export interface Cache {
  list(): Promise<CachedModel[]>
  delete(name: string): Promise<void>
  size(): Promise<number>
  persist(): Promise<boolean>
}

/** An error as it crosses the worker. */
export interface WireError {
  code: GlmErrorCode
  message: string
  stack?: string
  cause?: string
}
