// `--messages`: a file of OpenAI messages, and the pictures beside it that they name.
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { ChatMessage, ChatRequest } from '../api/types.ts'
import type { Engine } from '../engine/engine.ts'
import type { ShownRequest } from '../engine/request.ts'
import { GlmError } from '../errors.ts'
import { readShown } from '../media/shown.ts'

type Part = Record<string, unknown>

/** Messages with the bytes of pictures in the place of paths, which are relative to the file. Throws `request_invalid`, `messages_invalid`, `file_missing`. */
export function readMessages(file: string): ChatMessage[] {
  const json = jsonOf(file)
  if (!Array.isArray(json))
    throw new GlmError('messages_invalid', `${file} holds no list of messages; write [{"role": "user", "content": "…"}].`)
  const folder = dirname(file)
  return json.map((message: { content?: unknown } | null) =>
    Array.isArray(message?.content) ? { ...message, content: message.content.map((part: Part) => withBytes(part, folder)) } : message,
  ) as ChatMessage[]
}

function jsonOf(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const why = code ? `cannot be read (${code})` : 'is not valid JSON'
    throw new GlmError('request_invalid', `The file "${file}" of --messages ${why}; give one with a list of messages.`, { cause })
  }
}

function withBytes(part: Part, folder: string): Part {
  if (part?.type === 'image_url') {
    const { image_url: named } = part
    const url = typeof named === 'string' ? named : (named as { url?: unknown } | null)?.url
    return isPath(url) ? { type: 'image', image: bytesOf(url, folder) } : part
  }
  const video = part?.type === 'video' ? part.video : undefined
  if (isPath(video)) return { ...part, video: bytesOf(video, folder) }
  const frames = (video as { frames?: unknown } | null | undefined)?.frames
  if (!Array.isArray(frames)) return part
  return { ...part, video: { ...(video as object), frames: frames.map((frame) => (isPath(frame) ? bytesOf(frame, folder) : frame)) } }
}

/** Addresses stay as they are; one letter and a colon is a drive. */
const isPath = (text: unknown): text is string => typeof text === 'string' && !/^[a-z][a-z\d+.-]+:/i.test(text)

function bytesOf(path: string, folder: string): Uint8Array {
  try {
    return readFileSync(resolve(folder, path))
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new GlmError(
      'file_missing',
      `The file "${path}" that a message names cannot be read (${code}); paths are relative to the file of --messages.`,
      { cause },
    )
  }
}

/** The messages as the engine takes them: pictures decoded, a mark where each stood. */
export const shownOf = (engine: Engine, messages: ChatMessage[], signal: AbortSignal): Promise<ShownRequest> =>
  readShown({ messages } satisfies ChatRequest, { sees: engine.info.sees, signal })

/** What the engine makes of a picture, and of a step of two frames, where nobody asks for less or more; with their ends and label. */
const room = { picture: 640 + 2, step: 100 + 32 }

/** Positions that pictures take at most, and messages with a mark for each, as the template reads them. */
export function marked(messages: readonly ChatMessage[]): { marks: unknown[]; room: number } {
  let total = 0
  const marks = messages.map((message) => {
    if (!Array.isArray(message?.content)) return message
    const content = message.content.map((part) => {
      if (part?.type === 'image' || part?.type === 'image_url') total += room.picture
      else if (part?.type !== 'video') return part
      else total += Math.ceil(((part.video as { frames?: unknown[] })?.frames?.length ?? 0) / 2) * room.step
      return { type: part.type === 'video' ? 'video' : 'image' }
    })
    return { ...message, content }
  })
  return { marks, room: total }
}
