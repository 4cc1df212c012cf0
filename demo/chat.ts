// The chat: asks, streams, stops, asks again. It keeps the conversation when the model is changed or lost.
import type { ChatStream } from 'glm-webgpu'
import { type AnswerView, createAnswer } from './answer.ts'
import { codeOf, hideError, showError } from './banner.ts'
import { messagesOf, newTurn, type Turn } from './conversation.ts'
import { inEveryLanguage } from './language.ts'
import { type Loaded, reload } from './load.ts'
import { isAtEnd, scrollToEnd } from './scroll.ts'
import { requestSettings, settingsValid, systemPrompt } from './settings.ts'
import { speakPart, speakRest } from './speech.ts'
import { part, swap } from './view.ts'
import { writeWelcome } from './welcome.ts'

const answers = part('answers')
const prompt = part<HTMLTextAreaElement>('prompt')
const buttons = Object.fromEntries(['send', 'stop', 'regenerate', 'clear'].map((id) => [id, part<HTMLButtonElement>(id)])) as Record<
  'send' | 'stop' | 'regenerate' | 'clear',
  HTMLButtonElement
>

let model: Loaded | undefined
let turns: Turn[] = []
let views: AnswerView[] = []
/** The answer under way; whoever replaces or empties it has ended it. */
let running: AbortController | undefined

export function startChat(): void {
  part('composer').addEventListener('submit', (event) => {
    event.preventDefault()
    send()
  })
  prompt.addEventListener('keydown', (event) => {
    // While a Chinese or Japanese word is being composed, Enter belongs to the input method (229: Safari says so only there).
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return
    event.preventDefault()
    send()
  })
  buttons.stop.addEventListener('click', stop)
  document.addEventListener('keydown', (event) => event.key === 'Escape' && !event.isComposing && stop())
  buttons.regenerate.addEventListener('click', regenerate)
  buttons.clear.addEventListener('click', clear)
  inEveryLanguage(() => {
    for (const view of views) view.refresh()
    refresh()
  })
}

/** Takes the model that was loaded, or none. */
export function useModel(loaded: Loaded | undefined): void {
  if (!loaded) stop()
  model = loaded
  refresh()
  if (loaded) offerPrompt()
}

function send(): void {
  const question = prompt.value.trim()
  if (question === '' || !model || running || !settingsValid()) return
  prompt.value = ''
  void ask(question)
}

function stop(): void {
  running?.abort()
}

/** Drops the last answer and asks its question again. */
function regenerate(): void {
  const last = turns.at(-1)
  if (!last || !model || running || !settingsValid()) return
  turns.pop()
  views.pop()?.element.remove()
  void ask(last.question)
}

function clear(): void {
  stop()
  running = undefined
  turns = []
  views = []
  answers.replaceChildren()
  speakRest(true)
  hideError()
  refresh()
  prompt.focus()
}

async function ask(question: string): Promise<void> {
  const { glm, title } = model!
  const turn = newTurn(question, title, glm.model.notice)
  const view = createAnswer(turn)
  const controller = new AbortController()
  turns.push(turn)
  views.push(view)
  answers.append(view.element)
  running = controller
  hideError()
  refresh()
  scrollToEnd()
  try {
    const request = {
      ...requestSettings(),
      messages: messagesOf(turns, systemPrompt()),
      stream: true,
      stream_options: { include_usage: true },
    } as const
    await follow(await glm.chat.completions.create(request, { signal: controller.signal }), turn, view)
    turn.state = 'done'
  } catch (error) {
    turn.state = controller.signal.aborted ? 'stopped' : 'failed'
    if (turn.state === 'failed') showFailure(error)
  }
  speakRest(controller.signal.aborted)
  const atEnd = isAtEnd()
  view.refresh()
  if (atEnd) scrollToEnd()
  if (running === controller) running = undefined
  refresh()
}

async function follow(stream: ChatStream, turn: Turn, view: AnswerView): Promise<void> {
  for await (const { choices, usage, timings } of stream) {
    const text = choices[0]?.delta.content
    turn.finish = choices[0]?.finish_reason ?? turn.finish
    turn.usage = usage ?? turn.usage
    turn.timings = timings ?? turn.timings
    if (!text) continue
    const atEnd = isAtEnd()
    turn.answer += text
    view.append(text)
    if (turn.answer === text) view.refresh()
    speakPart(text)
    if (atEnd) scrollToEnd()
  }
}

/** Some failures end the model, not just the answer. */
function showFailure(error: unknown): void {
  const dead = ['device_lost', 'worker_failed', 'closed'].includes(codeOf(error))
  const hopeless = codeOf(error) === 'prompt_too_long' // its sentence says what to do
  showError(error, dead ? reload : hopeless ? undefined : regenerate)
}

function refresh(): void {
  const busy = running !== undefined
  const fromRegenerate = busy && document.activeElement === buttons.regenerate
  prompt.disabled = buttons.send.disabled = !model
  buttons.regenerate.disabled = !model || busy || turns.length === 0
  buttons.clear.disabled = turns.length === 0
  if (busy) swap(buttons.stop, buttons.send)
  else swap(buttons.send, buttons.stop)
  if (fromRegenerate) buttons.stop.focus() // a disabled button loses the focus
  part('answers').dataset.state = busy ? 'running' : 'idle'
  writeWelcome(model, turns.length === 0, (question) => {
    if (!model || running || !settingsValid()) return
    void ask(question)
    offerPrompt()
  })
}

/** Lets people type at once, unless they are somewhere else on the page, or a keyboard would come up over it. */
function offerPrompt(): void {
  const free = document.activeElement === null || document.activeElement === document.body
  if (free && matchMedia('(hover: hover)').matches) prompt.focus({ preventScroll: true })
}
