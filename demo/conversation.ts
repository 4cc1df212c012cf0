// The conversation as data: turns of a question and its answer, and the messages they make.
import type { ChatMessage, FinishReason, ModelInfo, SeenReport, Timings, Usage } from 'glm-webgpu'
import { type Attachment, partOf } from './attach-item.ts'

type Sees = ModelInfo['sees']

/** What is done before the first word of an answer. `share` of it is known of a part only. */
export interface Doing {
  word: 'shownReading' | 'shownLooking' | 'shownPrompt'
  share?: number
  /** Of the prompt. */
  tokens?: number
}

export interface Turn {
  question: string
  /** What was attached to the question. */
  shown: readonly Attachment[]
  /** What the model was given of that, in the same order. */
  seen?: SeenReport[]
  answer: string
  state: 'running' | 'done' | 'stopped' | 'failed'
  doing?: Doing
  /** Who answered. */
  title: string
  /** What its licence wants shown beside. */
  notice: string | undefined
  finish?: FinishReason
  usage?: Usage
  timings?: Timings
}

export const newTurn = (question: string, shown: readonly Attachment[], title: string, notice?: string): Turn => ({
  question,
  shown,
  answer: '',
  state: 'running',
  title,
  notice,
})

/** A model reads what is shown only where it sees such. */
export const canSee = (sees: Sees, { kind }: Attachment): boolean => sees?.[kind] === true

/** What the model reads: every answered turn, and the question of the last. A turn that failed without a word is left out. */
export function messagesOf(turns: Turn[], system: string, sees: Sees): ChatMessage[] {
  const messages: ChatMessage[] = system ? [{ role: 'system', content: system }] : []
  const last = turns.at(-1)
  for (const turn of turns) {
    if (turn === last) messages.push({ role: 'user', content: contentOf(turn, sees) })
    else if (turn.answer) messages.push({ role: 'user', content: contentOf(turn, sees) }, { role: 'assistant', content: turn.answer })
  }
  return messages
}

/** Pictures first, then the question about them. */
function contentOf({ question, shown }: Turn, sees: Sees): Extract<ChatMessage, { role: 'user' }>['content'] {
  const parts = shown.filter((one) => canSee(sees, one)).map(partOf)
  if (parts.length === 0) return question
  return question ? [...parts, { type: 'text', text: question }] : parts
}

/** Tokens per second after the first. The stop token is no part of the answer, but it took its step too. */
export function speedOf({ usage, timings, finish }: Turn): number | undefined {
  if (!usage || !timings) return undefined
  const steps = usage.completion_tokens - (finish === 'length' ? 1 : 0)
  return steps > 0 && timings.decode_ms > 0 ? (1000 * steps) / timings.decode_ms : undefined
}
