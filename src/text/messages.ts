// What callers send (OpenAI's message shapes) made into what chat templates expect, and marked as the caller's.
import { GlmError } from '../errors.ts'
import type { Taint } from './taint.ts'
import { Dict, toValue, type Value } from './values.ts'

type Json = Record<string, unknown>

/** Templates glue roles into control strings, so only these are let through. */
const ROLES = new Set(['system', 'user', 'assistant', 'tool', 'observation', 'function'])
/** Types of messages' parts, tools and calls: read by templates, and as harmless as roles. */
const TYPES = new Set(['text', 'function', 'image', 'image_url', 'video', 'video_url', 'audio', 'input_audio'])

/** Messages as templates read them. `takesParts`: the template handles a list as content. Throws `messages_invalid`. */
export function normalise(messages: readonly unknown[], takesParts: boolean): Json[] {
  if (!Array.isArray(messages)) throw new GlmError('messages_invalid', 'The messages must be an array.')
  return messages.map((value) => {
    const message = checked(value)
    const role = message.role === 'developer' ? 'system' : message.role
    if (!ROLES.has(role as string)) {
      throw new GlmError('messages_invalid', `A message has the role ${JSON.stringify(message.role)}; use system, user, assistant or tool.`)
    }
    const content = contentOf(message.content, takesParts)
    const calls = message.tool_calls
    return Array.isArray(calls) ? { ...message, role, content, tool_calls: calls.map(withArguments) } : { ...message, role, content }
  })
}

function checked(value: unknown): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json
  throw new GlmError('messages_invalid', 'Every message, part and tool call must be an object.')
}

function contentOf(content: unknown, takesParts: boolean): unknown {
  if (content === null || content === undefined) return ''
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) throw new GlmError('messages_invalid', 'The content of a message must be a string or a list of parts.')
  const parts = content.map(checked)
  if (takesParts) return parts
  return parts
    .map((part) => {
      if (typeof part.text === 'string') return part.text
      throw new GlmError('messages_invalid', `This model's template takes text only, not a part of type ${JSON.stringify(part.type)}.`)
    })
    .join('\n')
}

/** OpenAI sends a call's arguments as JSON text; templates go through them as a dict. */
function withArguments(value: unknown): Json {
  const call = checked(value)
  const inner = typeof call.function === 'object' && call.function !== null ? (call.function as Json) : undefined
  if (typeof inner?.arguments !== 'string') return call
  try {
    const parsed: unknown = JSON.parse(inner.arguments)
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))
      return { ...call, function: { ...inner, arguments: parsed } }
  } catch {
    // Not JSON: the template gets the text.
  }
  return call
}

/** All strings and keys of plain data. Throws `request_invalid` for what JSON cannot hold. */
export function* stringsOf(data: unknown, depth = 0): Generator<string> {
  if (typeof data === 'string') yield data
  else if (typeof data === 'object' && data !== null && depth < 100) {
    for (const [key, value] of Object.entries(data)) {
      if (!Array.isArray(data)) yield key
      yield* stringsOf(value, depth + 1)
    }
  } else if (!['number', 'boolean', 'undefined'].includes(typeof data) && data !== null) {
    throw new GlmError('request_invalid', 'Messages, tools and template variables must be plain JSON data, nested less than 100 deep.')
  }
}

/**
 * Plain data as a template's value, all strings and keys marked as the caller's. In an `open` structure (messages, tools) the names of
 * fields, roles and known types are the format's own, down to a call's arguments and a function's parameters.
 */
export function told(data: unknown, taint: Taint, open: boolean): Value {
  if (Array.isArray(data)) return data.map((item) => told(item, taint, open))
  if (typeof data !== 'object' || data === null) return toValue(typeof data === 'string' ? taint.mark(data) : data)
  const entries = Object.entries(data).map(([key, value]): [string, Value] => {
    const known = open && ((key === 'role' && ROLES.has(value)) || (key === 'type' && TYPES.has(value)))
    const name = open && /^\w+$/.test(key) ? key : taint.mark(key)
    return [name, known ? toValue(value) : told(value, taint, open && key !== 'arguments' && key !== 'parameters')]
  })
  return new Dict(entries, taint)
}
