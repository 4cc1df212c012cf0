// The conversation as data: turns of a question and its answer, and the messages they make.
import type { ChatMessage, FinishReason, Timings, Usage } from 'glm-webgpu'

export interface Turn {
  question: string
  answer: string
  state: 'running' | 'done' | 'stopped' | 'failed'
  /** Who answered. */
  title: string
  /** What its licence wants shown beside. */
  notice: string | undefined
  finish?: FinishReason
  usage?: Usage
  timings?: Timings
}

export const newTurn = (question: string, title: string, notice?: string): Turn => ({
  question,
  answer: '',
  state: 'running',
  title,
  notice,
})

/** What the model reads: every answered turn, and the question of the last. A turn that failed without a word is left out. */
export function messagesOf(turns: Turn[], system: string): ChatMessage[] {
  const messages: ChatMessage[] = system ? [{ role: 'system', content: system }] : []
  const last = turns.at(-1)
  for (const turn of turns) {
    if (turn === last) messages.push({ role: 'user', content: turn.question })
    else if (turn.answer) messages.push({ role: 'user', content: turn.question }, { role: 'assistant', content: turn.answer })
  }
  return messages
}

/** Tokens per second after the first. The stop token is no part of the answer, but it took its step too. */
export function speedOf({ usage, timings, finish }: Turn): number | undefined {
  if (!usage || !timings) return undefined
  const steps = usage.completion_tokens - (finish === 'length' ? 1 : 0)
  return steps > 0 && timings.decode_ms > 0 ? (1000 * steps) / timings.decode_ms : undefined
}
