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

export async function ask(asked: Asked): Promise<void> {
  const { glm, turns, turn, signal } = asked
  const { sees } = glm.model
  const request = {
    ...requestSettings(),
    messages: messagesOf(turns, systemPrompt(), sees),
    stream: true,
    stream_options: { include_usage: true },
  } as const
  const shows = sees !== undefined && turns.some(({ shown }) => shown.length > 0)
  if (shows) doing(asked, { word: 'shownReading' })
  const stream = await glm.chat.completions.create(request, {
    signal,
    onSeeing: ({ loaded, total }) =>
      doing(asked, loaded < total ? { word: 'shownLooking', share: loaded / total } : { word: 'shownPrompt' }),
    onReading: ({ loaded, total }) => {
      if (shows || loaded < total) doing(asked, { word: 'shownPrompt', share: loaded / total, tokens: total })
    },
  })
  // Read in the page; now it is looked at, where it was not before.
  if (shows) doing(asked, { word: turn.shown.every((one) => looked.has(one)) ? 'shownPrompt' : 'shownLooking' })
  await follow(stream, asked)
}

function doing({ turn, view }: Asked, next: Doing): void {
  if (turn.seen || turn.answer || turn.state !== 'running') return
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
