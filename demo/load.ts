// Loading: one model at a time, with progress and a way out. The one before is closed first, for its memory.
import { type Glm, type GlmError, loadGlm, type Progress } from 'glm-webgpu'
import { codeOf, hideError, showError } from './banner.ts'
import { ask, writeFit } from './gpu.ts'
import { inEveryLanguage, joined, say } from './language.ts'
import { type Choice, chosen, nameMissing } from './models.ts'
import { loadOptions, type Options } from './options.ts'
import { page } from './pages.ts'
import { plannedBytes } from './plan.ts'
import { createMeter, hideProgress, type Meter, showReady, showStopped, startProgress } from './progress.ts'
import { remediesFor } from './remedies.ts'
import { announce } from './speech.ts'
import { bytes, compact, number, part } from './view.ts'
import type { Word } from './words.ts'

export interface Loaded {
  glm: Glm
  /** What was asked for, and how it is called on the page. */
  choice: Choice
  options: Options
  title: string
  cached: boolean
}

type Listener = (loaded: Loaded | undefined) => void

const button = part<HTMLButtonElement>('load')
let loaded: Loaded | undefined
let running: AbortController | undefined
let quiet: Word = 'noModel'
let warnings: string[] = []
let listener: Listener = () => {}

export function startLoading(onModel: Listener): void {
  listener = onModel
  part('load-form').addEventListener('submit', (event) => {
    event.preventDefault()
    if (!running && !nameMissing()) void load(chosen(), loadOptions())
  })
  startProgress(() => running?.abort())
  inEveryLanguage(writeModel)
}

/** `resumed`: it was stopped or failed before, and goes on from what is kept. */
export async function load(choice: Choice, options: Options, resumed = false): Promise<void> {
  if (running) return
  const controller = new AbortController()
  running = controller
  warnings = []
  hideError()
  const meter = createMeter(plannedBytes(choice) ?? choice.entry?.bytes, resumed)
  const closing = unload()
  writeModel()
  try {
    await closing
    // What is told after the end would be written over what came of it.
    const onProgress = (progress: Progress) => running === controller && meter.show(progress)
    const glm = await loadGlm(choice.model, { ...options, signal: controller.signal, onProgress, onWarning: warn })
    loaded = { glm, choice, options, title: choice.title, cached: meter.cached() }
    if (page() === 'models') showReady(choice.title)
    else hideProgress()
  } catch (error) {
    failed(error, choice, options, meter)
  } finally {
    running = undefined
  }
  writeModel()
  announce(part('status').textContent ?? '')
  listener(loaded)
}

export const isLoading = (): boolean => running !== undefined

/** The model cannot answer any more (its device or worker is gone): loads the same one again. */
export function reload(): void {
  if (loaded) void load(loaded.choice, loaded.options)
}

/** What is loaded, and the button that loads what is chosen. */
export function writeModel(): void {
  const same = loaded?.choice.key === chosen().key
  button.disabled = running !== undefined
  button.textContent = say(running ? 'loading' : same ? 'loadAgain' : 'load')
  part('status').textContent = running ? say('loading') : loaded ? describe(loaded) : say(quiet)
  writeLine('notice', loaded?.glm.model.notice ?? '')
  writeLine('warning', warnings.join(' '))
  writeFit(loaded?.glm.model)
}

function writeLine(id: string, text: string): void {
  part(id).textContent = text
  part(id).hidden = text === ''
}

function warn({ message }: GlmError): void {
  warnings.push(message)
  writeModel()
}

async function unload(): Promise<void> {
  const before = loaded
  loaded = undefined
  quiet = 'noModel'
  listener(undefined)
  await before?.glm.close().catch(() => {}) // it may be dead already; a new worker is started anyway
}

function failed(error: unknown, choice: Choice, options: Options, meter: Meter): void {
  const remote = typeof choice.model === 'string' && (!choice.entry || choice.entry.repository !== undefined)
  const keeps = remote && options.cache !== 'none'
  const again = (next: Options, resumed: boolean) => void load(choice, next, resumed)
  if (codeOf(error) === 'aborted') {
    quiet = 'cancelled'
    const here = meter.here()
    const kept = () => (here ? say('progressKept', { loaded: bytes(here.loaded, 2), total: bytes(here.total, 2) }) : say('progressSome'))
    const lost = () => (remote ? say('progressLost') : '')
    showStopped(keeps ? kept : lost, () => again(options, keeps))
    return
  }
  quiet = 'noModel'
  hideProgress()
  showError(error, remediesFor(error, { choice, options, begun: keeps && meter.here() !== undefined, load: again }))
  void ask()
}

function describe({ glm: { model }, title, cached }: Loaded): string {
  const slots = { id: title, parameters: compact(model.parameters), weights: model.weights, context: number(model.context) }
  return joined(say('loaded', slots), cached ? say('loadedCached') : '')
}
