// A chat request at the door: every field is checked here with a sentence, and trusted inside.
import type { ChatRequest, ModelInfo } from '../api/types.ts'
import { GlmError } from '../errors.ts'
import { mostLogprobs } from '../kernels/logprobs.ts'
import type { Shown } from '../media/shown.ts'
import type { GenerationConfig } from '../model/config.ts'
import type { SamplingSettings } from '../model/rows.ts'

/** What a generation is asked, chat or not. */
export type GenerationRequest = Omit<ChatRequest, 'messages'> & Partial<Pick<ChatRequest, 'messages'>>

/** A chat whose pictures and videos are marks, and come beside it in their order (src/media/shown.ts). */
export type ShownRequest = ChatRequest & { shown?: Shown[]; pixels?: ArrayBuffer[] }

/** Fields that OpenAI has and that are not served yet: refused by name rather than ignored, unless they ask for the default. */
const unserved: Record<string, readonly unknown[]> = {
  n: [undefined, null, 1],
  response_format: [undefined, null],
  tool_choice: [undefined, null, 'auto', 'none'],
  functions: [undefined, null],
  audio: [undefined, null],
}

export function checkRequest(request: ChatRequest, sees?: ModelInfo['sees']): void {
  if (typeof request !== 'object' || request === null) throw new GlmError('request_invalid', 'Pass a request object with messages.')
  for (const [name, values] of Object.entries(unserved)) {
    const value = (request as unknown as Record<string, unknown>)[name]
    if (!values.includes(value)) throw new GlmError('request_invalid', `${name} ${shown(value)} is not supported; leave it out.`)
  }
  checkMessages(request.messages, sees ? ['text', 'image', 'video'] : ['text'])
  if (request.tools != null && !Array.isArray(request.tools)) throw new GlmError('request_invalid', 'tools must be an array of functions.')
}

function checkMessages(messages: unknown, types: readonly string[]): void {
  if (!Array.isArray(messages) || messages.length === 0)
    throw new GlmError('messages_invalid', 'messages is empty; pass at least one message with role and content.')
  for (const [index, message] of messages.entries()) {
    const { role, content, tool_calls } = (message ?? {}) as Record<string, unknown>
    if (!['system', 'developer', 'user', 'assistant', 'tool'].includes(role as string)) {
      throw new GlmError('messages_invalid', `messages[${index}].role is ${shown(role)}; use system, user, assistant or tool.`)
    }
    const missing = content === undefined || content === null
    if (missing && !(role === 'assistant' && (tool_calls || content === null)))
      throw new GlmError('messages_invalid', `messages[${index}] has no content; pass a string.`)
    if (!missing && typeof content !== 'string') checkParts(content, index, types)
  }
}

function checkParts(content: unknown, index: number, types: readonly string[]): void {
  if (!Array.isArray(content)) throw new GlmError('messages_invalid', `messages[${index}].content must be a string or an array of parts.`)
  for (const part of content) {
    const { type, text } = (part ?? {}) as Record<string, unknown>
    if (!types.includes(type as string) || (type === 'text' && typeof text !== 'string')) {
      throw new GlmError(
        'messages_invalid',
        `messages[${index}] holds a part of type ${shown(type)}; this model takes ${types} parts only.`,
      )
    }
  }
}

/** A value as an error names it: short, and whatever it is. */
function shown(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch {}
  text ??= `a ${typeof value}`
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}

/** A finite number in a range, or the default for null and undefined. */
function ranged(
  request: GenerationRequest,
  name: keyof GenerationRequest,
  low: number,
  high: number,
  otherwise: number,
  whole = false,
): number {
  const value = request[name]
  if (value === undefined || value === null) return otherwise
  if (typeof value !== 'number' || !(value >= low && value <= high) || (whole && !Number.isInteger(value))) {
    throw new GlmError('request_invalid', `${name} is ${shown(value)}; use a ${whole ? 'whole ' : ''}number from ${low} to ${high}.`)
  }
  return value
}

/** Sampling of a request over the model's own defaults. Without a seed one is drawn. */
export function samplingOf(request: GenerationRequest, defaults: GenerationConfig, vocabulary: number): SamplingSettings {
  const seed = ranged(request, 'seed', Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, Math.floor(Math.random() * 2 ** 53), true)
  return {
    temperature: ranged(request, 'temperature', 0, 2, defaults.sampled === false ? 0 : (defaults.temperature ?? 1)),
    topK: ranged(request, 'top_k', 0, 2 ** 24, defaults.topK ?? 0, true),
    topP: ranged(request, 'top_p', 0, 1, defaults.topP ?? 1),
    seed: [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0],
    minP: ranged(request, 'min_p', 0, 1, 0),
    repetition: ranged(request, 'repetition_penalty', 0.01, 2, defaults.repetition ?? 1),
    presence: ranged(request, 'presence_penalty', -2, 2, 0),
    frequency: ranged(request, 'frequency_penalty', -2, 2, 0),
    bias: biasOf(request, vocabulary),
    logprobs: logprobsOf(request),
  }
}

function biasOf({ logit_bias: bias }: GenerationRequest, vocabulary: number): SamplingSettings['bias'] {
  if (bias === undefined || bias === null) return undefined
  const entries = typeof bias === 'object' && !Array.isArray(bias) ? Object.entries(bias) : [['', 0] as const]
  const good = ([token, value]: readonly [string, unknown]) =>
    /^\d+$/.test(token) && Number(token) < vocabulary && typeof value === 'number' && Math.abs(value) <= 100
  if (!entries.every(good)) {
    throw new GlmError(
      'request_invalid',
      `logit_bias is ${shown(bias)}; use an object from token ids below ${vocabulary} to numbers from -100 to 100.`,
    )
  }
  return entries.map(([token, value]) => [Number(token), value])
}

function logprobsOf(request: GenerationRequest): number | undefined {
  const { logprobs } = request
  if (logprobs !== undefined && logprobs !== null && typeof logprobs !== 'boolean')
    throw new GlmError('request_invalid', `logprobs is ${shown(logprobs)}; use true or false.`)
  const top = ranged(request, 'top_logprobs', 0, mostLogprobs, 0, true)
  if (top > 0 && !logprobs) throw new GlmError('request_invalid', `top_logprobs is ${top} without logprobs; set logprobs to true.`)
  return logprobs ? top : undefined
}

export function maxTokensOf(request: GenerationRequest, room: number): number {
  const asked = request.max_completion_tokens ?? request.max_tokens
  if (asked === undefined || asked === null) return room
  if (!Number.isInteger(asked) || asked < 1)
    throw new GlmError('request_invalid', `max_tokens is ${shown(asked)}; use a whole number from 1.`)
  return Math.min(asked, room)
}

export function stopStringsOf(request: GenerationRequest): string[] {
  const { stop } = request
  const strings = stop === undefined || stop === null ? [] : Array.isArray(stop) ? stop : [stop]
  if (strings.length > 16 || strings.some((text) => typeof text !== 'string' || text === '')) {
    throw new GlmError('request_invalid', 'stop must be a string or up to 16 strings, none of them empty.')
  }
  return strings
}
