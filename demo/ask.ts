// One question to the model: what is done before its first word is told as it goes, then the answer as it comes.
import type { ChatStream, Glm } from 'glm-webgpu'
import type { AnswerView } from './answer.ts'
import { type Doing, messagesOf, type Turn } from './conversation.ts'
import { say } from './language.ts'
import { isAtEnd, scrollToEnd } from './scroll.ts'
import { requestSettings, systemPrompt } from './settings.ts'
import { announce, speakPart } from './speech.ts'

export interface Asked {
  glm: Glm
  turns: Turn[]
  /** The last of them, and its view. */
  turn: Turn
  view: AnswerView
  signal: AbortSignal
}

/** Patches that the tower makes one token of. */
const patches = 4

export async function ask(asked: Asked): Promise<void> {
  const { glm, turns, turn, signal } = asked
  const { sees } = glm.model
  const request = {
    ...requestSettings(),
    messages: messagesOf(turns, systemPrompt(), sees),
    stream: true,
    stream_options: { include_usage: true },
  } as const
  const shows = turns.some(({ shown }) => shown.length > 0) && sees !== undefined
  if (!shows) return follow(await glm.chat.completions.create(request, { signal }), asked)
  doing(asked, { word: 'shownReading' })
  const onSeeing = ({ loaded, total }: { loaded: number; total: number }) => {
    if (turn.seen) return
    const tokens = Math.round(total / patches)
    doing(asked, loaded < total ? { word: 'shownLooking', share: loaded / total } : { word: 'shownPrompt', tokens })
  }
  const stream = await glm.chat.completions.create(request, { signal, onSeeing })
  doing(asked, { word: 'shownPrompt' }) // if all was seen before, this is next
  await follow(stream, asked)
}

function doing({ turn, view }: Asked, next: Doing): void {
  if (turn.doing?.word !== next.word) announce(say(next.word))
  turn.doing = next
  view.refresh()
}

async function follow(stream: ChatStream, { glm, turn, view }: Asked): Promise<void> {
  for await (const { choices, usage, timings, seen } of stream) {
    const text = choices[0]?.delta.content
    turn.finish = choices[0]?.finish_reason ?? turn.finish
    turn.usage = usage ?? turn.usage
    turn.timings = timings ?? turn.timings
    if (!text && !seen) continue
    const atEnd = isAtEnd()
    if (seen && turn.shown.length > 0) {
      turn.seen = seen.slice(-turn.shown.length) // those of the turns before come first
      view.seen(glm.model.sees)
    }
    if (text) {
      turn.answer += text
      view.append(text)
      if (turn.answer === text) view.refresh()
      speakPart(text)
    }
    if (atEnd) scrollToEnd()
  }
}
