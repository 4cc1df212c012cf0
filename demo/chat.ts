// The chat: asks, streams, stops, asks again. It keeps the conversation when the model is changed or lost.
import { type AnswerView, createAnswer } from './answer.ts'
import { type Asked, ask } from './ask.ts'
import { attached, isAttaching, putBack, startAttach, takeAttached, tell } from './attach.ts'
import type { Attachment } from './attach-item.ts'
import { closeLive } from './attach-live.ts'
import { offerFor, openMenu } from './attach-menu.ts'
import { codeOf, hideError, showError } from './banner.ts'
import { canSee, newTurn, type Turn } from './conversation.ts'
import type { Example } from './examples.ts'
import { inEveryLanguage, say } from './language.ts'
import { type Loaded, reload } from './load.ts'
import { sceneAttachment } from './scene.ts'
import { isAtEnd, scrollToEnd } from './scroll.ts'
import { settingsValid } from './settings.ts'
import { speakRest } from './speech.ts'
import { part, swap } from './view.ts'
import { writeWelcome } from './welcome.ts'

const answers = part('answers')
const composer = part<HTMLFormElement>('composer')
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
  composer.addEventListener('submit', (event) => {
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
  startAttach(refresh)
  inEveryLanguage(() => {
    for (const view of views) view.refresh()
    refresh()
  })
}

/** Takes the model that was loaded, or none. */
export function useModel(loaded: Loaded | undefined): void {
  if (!loaded) stop()
  else if (loaded !== model) tell(() => '') // it spoke of the model before
  model = loaded
  offerFor(loaded?.glm.model.sees, loaded?.title)
  refresh()
  if (loaded) offerPrompt()
}

function send(): void {
  const question = prompt.value.trim()
  if ((question === '' && attached().length === 0) || !ready(attached())) return
  prompt.value = ''
  closeLive()
  void answer(question, takeAttached())
}

/** Whether a question that shows this can go out now; where a person can help, it is pointed out. */
function ready(shown: readonly Attachment[]): boolean {
  if (!model || running || isAttaching() || !settingsValid() || !composer.reportValidity()) return false
  const { sees } = model.glm.model
  const unseen = shown.find((one) => !canSee(sees, one))
  if (!unseen) return true
  if (!sees?.picture) openMenu()
  const { title } = model
  tell(() => say(unseen.kind === 'video' ? 'attachNoVideo' : 'attachNoPicture', { model: title, name: unseen.name }))
  return false
}

function stop(): void {
  running?.abort()
}

/** Drops the last answer and asks its question again. */
function regenerate(): void {
  const last = turns.at(-1)
  if (!last || !ready(last.shown)) return
  drop(last)
  void answer(last.question, last.shown)
}

function drop(turn: Turn): void {
  const at = turns.indexOf(turn)
  if (at < 0) return
  turns.splice(at, 1)
  const [view] = views.splice(at, 1)
  view?.close()
  view?.element.remove()
}

function clear(): void {
  stop()
  running = undefined
  for (const view of views) view.close()
  turns = []
  views = []
  answers.replaceChildren()
  speakRest(true)
  hideError()
  refresh()
  prompt.focus()
}

async function answer(question: string, shown: readonly Attachment[]): Promise<void> {
  const loaded = model!
  const turn = newTurn(question, shown, loaded.title, loaded.glm.model.notice)
  const view = createAnswer(turn)
  const controller = new AbortController()
  turns.push(turn)
  views.push(view)
  answers.append(view.element)
  running = controller
  hideError()
  refresh()
  scrollToEnd()
  const asked: Asked = { glm: loaded.glm, turns, turn, view, signal: controller.signal }
  let failure: unknown
  try {
    await ask(asked)
    turn.state = 'done'
  } catch (error) {
    turn.state = controller.signal.aborted ? 'stopped' : 'failed'
    failure = error
  }
  speakRest(controller.signal.aborted)
  const back = turn.state !== 'done' && turn.answer === '' && shown.length > 0 && turns.includes(turn)
  if (running === controller) running = undefined
  if (back) giveBack(turn)
  if (turn.state === 'failed') showFailure(failure, back ? send : regenerate)
  const atEnd = isAtEnd()
  view.refresh()
  if (atEnd) scrollToEnd()
  refresh()
}

/** What was shown and not answered is in the message field again, with its words: nothing has to be chosen or typed twice. */
function giveBack(turn: Turn): void {
  drop(turn)
  prompt.value = [turn.question, prompt.value].filter(Boolean).join('\n')
  putBack(turn.shown, () => say(turn.state === 'failed' ? 'attachFailed' : 'attachStopped'))
}

/** Some failures end the model, not just the answer. */
function showFailure(error: unknown, again: () => void): void {
  const dead = ['device_lost', 'worker_failed', 'closed'].includes(codeOf(error))
  const hopeless = codeOf(error) === 'prompt_too_long' // its sentence says what to do
  showError(error, dead ? reload : hopeless ? undefined : again)
}

function refresh(): void {
  const busy = running !== undefined
  const fromRegenerate = busy && document.activeElement === buttons.regenerate
  prompt.disabled = !model
  buttons.send.disabled = !model || isAttaching()
  buttons.regenerate.disabled = !model || busy || turns.length === 0
  buttons.clear.disabled = turns.length === 0
  if (busy) swap(buttons.stop, buttons.send)
  else swap(buttons.send, buttons.stop)
  if (fromRegenerate) buttons.stop.focus() // a disabled button loses the focus
  part('answers').dataset.state = busy ? 'running' : 'idle'
  writeWelcome(model, turns.length === 0, (question, scene) => void suggested(question, scene))
}

/** What an example shows comes with it; else the question is about what is attached. */
async function suggested(question: string, scene: Example['scene']): Promise<void> {
  const item = scene && (await sceneAttachment(scene))
  if (!ready(item ? [item] : attached())) return
  void answer(question, item ? [item] : takeAttached())
  offerPrompt()
}

/** Lets people type at once, unless they are somewhere else on the page, or a keyboard would come up over it. */
function offerPrompt(): void {
  const free = document.activeElement === null || document.activeElement === document.body
  if (free && matchMedia('(hover: hover)').matches) prompt.focus({ preventScroll: true })
}
