// One question to the model: what is done before its first word is told as it goes, then the answer as it comes.
import type { ChatStream, Glm } from 'glm-webgpu'
import type { AnswerView } from './answer.ts'
import type { Attachment } from './attach-item.ts'
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

/** What has been looked at: its embeddings are most likely still there. */
const looked = new WeakSet<Attachment>()

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
  doing(asked, next(asked))
  await follow(stream, asked)
}

/** What comes once pictures and frames are read: they are looked at, unless they were, and then the prompt is read. */
function next({ turn, turns }: Asked): Doing {
  if (turn.shown.some((one) => !looked.has(one))) return { word: 'shownLooking' }
  const tokens = turns.flatMap(({ seen = [] }) => seen).reduce((sum, one) => sum + one.tokens, 0)
  return turn.shown.length === 0 ? { word: 'shownPrompt', tokens } : { word: 'shownPrompt' }
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
      for (const one of turn.shown) looked.add(one)
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
