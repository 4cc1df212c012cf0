// The page that reads pages: pictures in, text, tables, formulas or fields out. One page after the other is looked at, read, and can be stopped.
import { codeOf, hideError, showError } from './banner.ts'
import { inEveryLanguage, joined, say } from './language.ts'
import { type Loaded, reload } from './load.ts'
import { createBusy } from './ocr-busy.ts'
import { putMarkup } from './ocr-markup.ts'
import { type Able, ableOf, type Wanted, writeNeed } from './ocr-need.ts'
import { takePictures } from './ocr-pictures.ts'
import { type Read, type Reading, resultOf, startResult, writeOuts } from './ocr-result.ts'
import { addSheets, allSheets, choose, clearSheets, currentSheet, type Sheet, startSheets, writeSheets } from './ocr-sheets.ts'
import { isSmall, pictureTokens, promptOf, type Task, tasks, wholeContext } from './ocr-tasks.ts'
import { onPage, page } from './pages.ts'
import { announce, speakPart, speakRest } from './speech.ts'
import { make, number, part, swap } from './view.ts'

putMarkup('ocr')

const wanted: Wanted = { name: 'zai-org/GLM-OCR', context: wholeContext, none: 'ocrNeed', other: 'ocrOther', load: 'ocrLoad' }
const buttons = { read: part<HTMLButtonElement>('ocr-read'), stop: part<HTMLButtonElement>('ocr-stop') }
const busy = createBusy('ocr')
const fields = part<HTMLTextAreaElement>('ocr-fields')
const radios = tasks.map((value, index) => make('input', { type: 'radio', name: 'ocr-task', value, checked: index === 0 }))

let model: Loaded | undefined
let running: AbortController | undefined
/** The page that is being read. */
let underway: Sheet | undefined
/** Files that are being opened. */
let opening = 0

export function startOcr(): void {
  part('ocr-tasks').append(
    ...radios.map((radio) => {
      radio.dataset.testid = `ocr-task-${radio.value}`
      return make('label', {}, radio, make('span'))
    }),
  )
  part('ocr-tasks').addEventListener('change', write)
  fields.addEventListener('input', write)
  part('ocr-form').addEventListener('submit', (event) => {
    event.preventDefault()
    start()
  })
  buttons.stop.addEventListener('click', stop)
  document.addEventListener('keydown', (event) => event.key === 'Escape' && !event.isComposing && page() === 'ocr' && stop())
  part('ocr-clear').addEventListener('click', () => {
    stop()
    clearSheets()
    hideError()
    part('ocr-pick').focus()
  })
  takePictures('ocr', (files) => void take(files))
  startSheets(() => {
    if (underway && !allSheets().includes(underway)) stop()
    write()
  })
  startResult(current, allRead)
  onPage((shown) => shown === 'ocr' && write())
  inEveryLanguage(write)
}

/** Takes the model that was loaded, or none. */
export function readWith(loaded: Loaded | undefined): void {
  stop()
  model = loaded
  write()
}

async function take(files: File[]): Promise<void> {
  hideError()
  opening++
  write()
  await addSheets(files)
  opening--
  write()
}

const able = (): Able => ableOf(model, ({ glm }) => glm.model.family.startsWith('glm_ocr'))
const task = (): Task => radios.find(({ checked }) => checked)!.value as Task
const keyNow = (): string => JSON.stringify([model?.choice.key, promptOf(task(), fields.value)])

const current = (): Read | undefined => {
  const sheet = currentSheet()
  return sheet?.reading && { name: sheet.file.name, reading: sheet.reading }
}

const allRead = (): Read[] => allSheets().flatMap(({ file, reading }) => (reading?.state === 'done' ? [{ name: file.name, reading }] : []))

/** Those that nobody has read like this, or the chosen one again. */
function waiting(): Sheet[] {
  const key = keyNow()
  const sheets = allSheets().filter(({ reading }) => reading?.key !== key || reading.state !== 'done')
  const chosen = currentSheet()
  return sheets.length > 0 ? sheets : chosen ? [chosen] : []
}

function start(): void {
  const prompt = promptOf(task(), fields.value)
  fields.setCustomValidity(prompt === undefined ? say('ocrFieldsMissing') : '')
  if (prompt === undefined) fields.reportValidity()
  else if (model && able() !== 'none' && !running) void readAll(waiting(), prompt)
}

function stop(): void {
  running?.abort()
}

async function readAll(sheets: Sheet[], prompt: string): Promise<void> {
  const controller = new AbortController()
  const { signal } = controller
  running = controller
  hideError()
  for (const sheet of sheets) {
    if (signal.aborted) break
    if (!allSheets().includes(sheet)) continue
    underway = sheet
    choose(sheet)
    if (!(await read(sheet, prompt, signal))) break
  }
  running = underway = undefined
  speakRest(signal.aborted)
  if (signal.aborted) announce(say('ocrStopped'))
  write()
}

/** False where it did not come to its end. */
async function read(sheet: Sheet, prompt: string, signal: AbortSignal): Promise<boolean> {
  const { glm, title } = model!
  const reading: Reading = { task: task(), key: keyNow(), asked: fields.value, text: '', state: 'running', title, notice: glm.model.notice }
  sheet.reading = reading
  busy.now('ocrLooking')
  write()
  try {
    await follow(glm, sheet, reading, prompt, signal)
    reading.state = 'done'
  } catch (error) {
    reading.state = signal.aborted ? 'stopped' : 'failed'
    if (!signal.aborted) showFailure(error)
  }
  write()
  return reading.state === 'done'
}

async function follow({ chat, model }: Loaded['glm'], sheet: Sheet, reading: Reading, prompt: string, signal: AbortSignal): Promise<void> {
  const content = [{ type: 'image', image: sheet.file } as const, { type: 'text', text: prompt } as const]
  const stream = await chat.completions.create(
    {
      messages: [{ role: 'user', content }],
      temperature: 0,
      budget: { picture: pictureTokens(model.context) },
      stream: true,
      stream_options: { include_usage: true },
    },
    busy.options(signal),
  )
  for await (const { choices, usage, timings, seen } of stream) {
    reading.seen = seen?.[0] ?? reading.seen
    reading.finish = choices[0]?.finish_reason ?? reading.finish
    reading.usage = usage ?? reading.usage
    reading.timings = timings ?? reading.timings
    if (seen) {
      busy.now('ocrWriting')
      write()
    }
    append(sheet, reading, choices[0]?.delta.content ?? '')
  }
}

/** The text grows in place: nothing else of the page is written anew for a token. */
function append(sheet: Sheet, reading: Reading, more: string): void {
  if (more === '') return
  reading.text += more
  speakPart(more)
  if (currentSheet() !== sheet) return
  const text = part('ocr-text').firstElementChild?.firstChild
  if (text instanceof Text) text.appendData(more)
  else write()
}

/** Some failures end the model, not just the reading. */
function showFailure(error: unknown): void {
  const code = codeOf(error)
  const dead = ['device_lost', 'worker_failed', 'closed', 'out_of_memory'].includes(code)
  showError(error, dead ? reload : code === 'prompt_too_long' ? undefined : start)
}

function write(): void {
  const sheets = allSheets()
  const state = running ? 'running' : sheets.length > 0 ? 'work' : 'empty'
  const box = part('ocr-page')
  box.dataset.state = state
  box.ariaBusy = String(running !== undefined || opening > 0)
  part('ocr-about').hidden = sheets.length > 0
  part('ocr-work').hidden = sheets.length === 0
  part('ocr-clear').hidden = sheets.length === 0
  writeSheets()
  writeModel()
  writeForm()
  writeResult()
}

function writeModel(): void {
  const context = model?.glm.model.context ?? 0
  const tokens = number(pictureTokens(context))
  const ready = joined(
    say('ocrReady', { model: model?.title ?? '' }),
    isSmall(context) ? say('ocrSmall', { tokens, context: number(context), whole: number(wholeContext) }) : '',
  )
  writeNeed('ocr', able(), model?.title ?? '', wanted, ready)
}

function writeForm(): void {
  for (const radio of radios) radio.nextElementSibling!.textContent = say(`ocrTask_${radio.value as Task}`)
  part('ocr-fields-row').hidden = task() !== 'fields'
  fields.setCustomValidity('')
  const count = waiting().length
  buttons.read.textContent = count > 1 ? say('ocrReadAll', { count: number(count) }) : say('ocrRead')
  buttons.read.disabled = able() === 'none' || allSheets().length === 0
  if (running) swap(buttons.stop, buttons.read)
  else swap(buttons.read, buttons.stop)
  busy.write(running !== undefined)
}

function writeResult(): void {
  const read = current()
  part('ocr-result').hidden = !read
  part('ocr-text').replaceChildren(...(read ? resultOf(read.reading) : []))
  part('ocr-figures').textContent = read ? figuresOf(read.reading) : ''
  writeOuts(read, allRead().length)
}

function figuresOf({ title, notice, usage, timings, finish, state, text }: Reading): string {
  if (state === 'running') return ''
  const notes = notice ? [title, notice] : [title]
  if (usage) notes.push(say('tokens', { count: number(usage.completion_tokens) }))
  if (timings) notes.push(say('ocrSeconds', { seconds: number((timings.prefill_ms + timings.decode_ms) / 1000, 1) }))
  if (finish === 'length') notes.push(say('ocrCut'))
  if (state !== 'done') notes.push(say(state))
  else if (text.trim() === '') notes.push(say('empty'))
  return notes.join(' · ')
}
