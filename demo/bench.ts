// The bench page: measures the loaded model on the visitor's machine, says what each figure means, and gives the row to copy.
import type { BenchOptions, BenchPhase, BenchResult } from 'glm-webgpu'
import { codeOf, hideError, showError } from './banner.ts'
import { figures, markdownRow } from './bench-figures.ts'
import { inEveryLanguage, say } from './language.ts'
import { type Loaded, reload } from './load.ts'
import { onPage } from './pages.ts'
import { announce } from './speech.ts'
import { make, number, part, swap } from './view.ts'
import type { Word } from './words.ts'

const phases: BenchPhase[] = ['prefill', 'decode', 'gpu', 'stream']
const fields = ['prompt', 'gen', 'rows', 'context'] as const
const buttons = { start: part<HTMLButtonElement>('bench-start'), cancel: part<HTMLButtonElement>('bench-cancel') }
const markdown = part<HTMLTextAreaElement>('bench-markdown')

let model: Loaded | undefined
let running: AbortController | undefined
let phase: BenchPhase | undefined
let status: Word = 'benchNone'
let result: BenchResult | undefined

export function startBench(): void {
  part('bench-form').addEventListener('submit', (event) => {
    event.preventDefault()
    if (model && !running) void measure(model)
  })
  buttons.cancel.addEventListener('click', cancel)
  part('bench-copy').addEventListener('click', () => void copy())
  // What runs beside it would be measured too.
  onPage((page) => page !== 'bench' && cancel())
  inEveryLanguage(refresh)
}

/** Takes the model that was loaded, or none. */
export function measureModel(loaded: Loaded | undefined): void {
  cancel()
  model = loaded
  result = undefined
  status = 'benchNone'
  refresh()
}

function cancel(): void {
  if (!running) return
  running.abort()
  buttons.cancel.disabled = true // what is on the GPU ends first
}

/** A software adapter gets less to do, unless more is asked for. */
const defaults = (): Required<Pick<BenchOptions, 'prompt' | 'gen'>> =>
  model?.glm.model.adapter.software ? { prompt: 64, gen: 16 } : { prompt: 512, gen: 64 }

/** Empty fields keep what is shown in them; a default larger than the context is cut by the engine. */
function options(): BenchOptions {
  const { software } = model!.glm.model.adapter
  const asked: BenchOptions = software ? defaults() : {}
  for (const field of fields) {
    const value = part<HTMLInputElement>(`bench-${field}`).valueAsNumber
    if (!Number.isNaN(value)) asked[field] = value
  }
  return asked
}

async function measure({ glm }: Loaded): Promise<void> {
  const controller = new AbortController()
  running = controller
  result = undefined
  phase = undefined
  status = 'benchRunning'
  hideError()
  refresh()
  const onProgress = (next: BenchPhase) => {
    phase = next
    announce(say(`phase_${next}`))
    refresh()
  }
  try {
    result = await glm.bench({ ...options(), signal: controller.signal, onProgress })
    status = 'benchDone'
  } catch (error) {
    status = controller.signal.aborted ? 'benchCancelled' : 'benchFailed'
    if (status === 'benchFailed') showFailure(error)
  }
  running = undefined
  announce(say(status))
  if (!model) status = 'benchNone' // it was replaced meanwhile
  refresh()
}

/** Some failures end the model; a wrong number has to be changed first. */
function showFailure(error: unknown): void {
  const code = codeOf(error)
  const dead = ['device_lost', 'worker_failed', 'closed', 'out_of_memory'].includes(code)
  showError(error, dead ? reload : code === 'request_invalid' ? undefined : () => model && void measure(model))
}

async function copy(): Promise<void> {
  if (!result) return
  let copied = true
  await navigator.clipboard.writeText(markdownRow(result)).catch(() => {
    copied = false
  })
  status = copied ? 'benchCopied' : 'benchCopyFailed'
  refresh()
  announce(say(status))
  if (copied) return
  markdown.hidden = false
  markdown.select()
}

function refresh(): void {
  const busy = running !== undefined
  buttons.start.disabled = !model
  buttons.start.textContent = say(result ? 'benchAgain' : 'benchStart')
  if (busy) swap(buttons.cancel, buttons.start)
  else swap(buttons.start, buttons.cancel)
  buttons.cancel.disabled = running?.signal.aborted === true
  for (const field of fields) part<HTMLInputElement>(`bench-${field}`).readOnly = busy // a disabled field loses the focus
  for (const field of ['prompt', 'gen'] as const) part<HTMLInputElement>(`bench-${field}`).placeholder = number(defaults()[field])
  part('bench-slow').hidden = !model?.glm.model.adapter.software
  part('bench-status').textContent = say(!model && !busy ? 'benchWaiting' : status)
  part('bench-page').dataset.state = busy ? 'running' : result ? 'done' : 'idle'
  writePhases(busy)
  writeResult()
}

function writePhases(busy: boolean): void {
  const at = phase ? phases.indexOf(phase) : -1
  const list = part('bench-phases')
  list.hidden = !busy
  list.replaceChildren(
    ...phases.map((one, index) => {
      const name = say(`phase_${one}`)
      const item = make('li', { textContent: index < at ? say('phaseDone', { phase: name }) : name })
      item.dataset.state = index < at ? 'done' : index === at ? 'running' : 'waiting'
      if (index === at) item.ariaCurrent = 'step'
      return item
    }),
  )
}

function writeResult(): void {
  part('bench-result').hidden = !result
  markdown.hidden = true
  if (!result) return
  const { model: id, weights, adapter } = result
  const numbers = Object.fromEntries(fields.map((field) => [field, number(result![field])]))
  part('bench-caption').textContent = say('benchCaption', { ...numbers, model: id, weights, adapter })
  markdown.value = markdownRow(result)
  part('bench-rows-out').replaceChildren(
    ...figures.map(([name, write]) => {
      const value = make('td', { className: 'value', textContent: write(result![name]) })
      value.dataset.testid = name
      return make('tr', {}, make('th', { scope: 'row', textContent: say(name) }), value, make('td', { textContent: say(`${name}_about`) }))
    }),
  )
}
