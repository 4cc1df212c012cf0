// The agent page: a screenshot and a task go to a model that was made to use phones, and the action that it answers is drawn on the screenshot. An answer can be
// pasted as well. Nothing is ever carried out.
import { type AgentStep, type PictureInput, parseAgent } from 'glm-webgpu'
import { drawAction, messageOf, type Size, wordsOf } from './agent-draw.ts'
import { messagesOf, sampling, systemPrompt } from './agent-prompt.ts'
import { captureScreen } from './agent-screen.ts'
import { codeOf, hideError, showError } from './banner.ts'
import { inEveryLanguage, language, say } from './language.ts'
import { type Loaded, reload } from './load.ts'
import { createBusy } from './ocr-busy.ts'
import { putMarkup } from './ocr-markup.ts'
import { type Able, ableOf, type Wanted, writeNeed } from './ocr-need.ts'
import { showPicture, takePictures } from './ocr-pictures.ts'
import { pictureTokens } from './ocr-tasks.ts'
import { page } from './pages.ts'
import { announce } from './speech.ts'
import { number, part, swap } from './view.ts'

interface Shot extends Size {
  input: PictureInput
  name: string
}

/** Longest side that is drawn. */
const LARGE = 1600

putMarkup('agent')

const wanted: Wanted = { name: 'ggml-org/AutoGLM-Phone-9B-GGUF', context: 8192, none: 'agentNeed', other: 'agentOther', load: 'agentLoad' }
const buttons = { ask: part<HTMLButtonElement>('agent-ask'), stop: part<HTMLButtonElement>('agent-stop') }
const busy = createBusy('agent')
const answer = part<HTMLTextAreaElement>('agent-answer')
const system = part<HTMLTextAreaElement>('agent-system')
const drawing = document.getElementById('agent-drawing') as unknown as SVGSVGElement
const examples = [
  '<think>The search field is at the top.</think><answer>do(action="Tap", element=[500,80])</answer>',
  '<think>What is wanted lies further down.</think><answer>do(action="Swipe", start=[500,750], end=[500,250])</answer>',
]

let model: Loaded | undefined
let shot: Shot | undefined
let running: AbortController | undefined
/** The system prompt that stands in its field by itself. */
let own = ''
let example = 0

export function startAgent(): void {
  part('agent-form').addEventListener('submit', (event) => {
    event.preventDefault()
    if (model && shot && !running) void ask(model, shot)
  })
  buttons.stop.addEventListener('click', () => running?.abort())
  document.addEventListener('keydown', (event) => event.key === 'Escape' && !event.isComposing && page() === 'agent' && running?.abort())
  part('agent-capture').addEventListener('click', () => void take(async () => show(await captureScreen(), say('agentCaptured'))))
  part('agent-example').addEventListener('click', () => {
    answer.value = examples[example++ % examples.length]!
    write()
  })
  answer.addEventListener('input', write)
  for (const id of ['agent-task', 'agent-app']) part(id).addEventListener('input', write)
  takePictures('agent', ([file]) => void take(() => show(file!, file!.name)))
  inEveryLanguage(() => {
    const before = own
    own = systemPrompt(language())
    if (system.value === before) system.value = own
    write()
  })
}

/** Takes the model that was loaded, or none. */
export function actWith(loaded: Loaded | undefined): void {
  running?.abort()
  model = loaded
  write()
}

async function take(work: () => Promise<void>): Promise<void> {
  hideError()
  try {
    await work()
  } catch (error) {
    if (codeOf(error) !== 'aborted') showError(error)
  }
  write()
}

async function show(input: PictureInput, name: string): Promise<void> {
  const { canvas, width, height } = await showPicture(input, LARGE)
  shot = { input, name, width, height }
  canvas.role = 'img'
  canvas.ariaLabel = name
  part('agent-screen').replaceChildren(canvas)
}

const able = (): Able => ableOf(model, ({ glm, choice, title }) => /auto-?glm/i.test(`${glm.model.id} ${choice.key} ${title}`))

async function ask({ glm }: Loaded, { input }: Shot): Promise<void> {
  const controller = new AbortController()
  const { signal } = controller
  running = controller
  answer.value = ''
  hideError()
  busy.now('ocrLooking')
  write()
  const messages = messagesOf({ screen: input, task: field('agent-task'), app: field('agent-app'), system: system.value })
  const budget = { picture: pictureTokens(glm.model.context) }
  // What its own client asks for, where the context has as much.
  const max_tokens = Math.min(sampling.max_tokens, Math.max(16, Math.floor(glm.model.context / 4)))
  try {
    const stream = await glm.chat.completions.create({ messages, ...sampling, max_tokens, budget, stream: true }, busy.options(signal))
    for await (const { choices, seen } of stream) {
      if (seen) busy.now('agentThinking')
      answer.value += choices[0]?.delta.content ?? ''
      answer.scrollTop = answer.scrollHeight
    }
  } catch (error) {
    if (!signal.aborted) showFailure(error)
  }
  if (running === controller) running = undefined
  write()
  if (answer.value !== '') announce(wordsOf(parseAgent(answer.value).action, shot))
}

const field = (id: string): string => part<HTMLInputElement>(id).value

/** Some failures end the model, not just the answer. */
function showFailure(error: unknown): void {
  const code = codeOf(error)
  const dead = ['device_lost', 'worker_failed', 'closed', 'out_of_memory'].includes(code)
  showError(error, dead ? reload : undefined)
}

function write(): void {
  const box = part('agent-page')
  box.dataset.state = running ? 'running' : shot ? 'work' : 'empty'
  box.ariaBusy = String(running !== undefined)
  writeNeed('agent', able(), model?.title ?? '', wanted, say('agentReady', { model: model?.title ?? '' }))
  buttons.ask.disabled = able() === 'none' || !shot || field('agent-task').trim() === ''
  if (running) swap(buttons.stop, buttons.ask)
  else swap(buttons.ask, buttons.stop)
  answer.readOnly = running !== undefined
  busy.write(running !== undefined)
  part('agent-none').hidden = shot !== undefined
  part('agent-size').textContent = shot ? `${shot.name} · ${number(shot.width)} × ${number(shot.height)}` : ''
  writeStep(running || answer.value.trim() === '' ? undefined : parseAgent(answer.value))
}

/** The action in words beside its drawing; what the model thought is folded away. */
function writeStep(step: AgentStep | undefined): void {
  part('agent-action').hidden = !step
  drawing.replaceChildren()
  if (!step) return
  const { action, thinking } = step
  drawAction(drawing, action, shot)
  part('agent-action').dataset.type = action.type
  part('agent-what').textContent = wordsOf(action, shot)
  const message = part('agent-message')
  message.textContent = messageOf(action)
  message.hidden = message.textContent === ''
  message.lang = action.type === 'unknown' ? 'en' : ''
  part('agent-first').hidden = !(action.type === 'tap' && action.message !== undefined)
  part('agent-written').textContent = action.type === 'unknown' ? action.text : ''
  part('agent-written').hidden = action.type !== 'unknown' || action.text === ''
  part('agent-thought').textContent = thinking
  part('agent-thinking').hidden = thinking === ''
}
