// Loading: one model at a time, with progress and a way out. The one before is closed first, for its memory.
import { type Glm, loadGlm } from 'glm-webgpu'
import { codeOf, hideError, showError } from './banner.ts'
import { ask, writeFit } from './gpu.ts'
import { inEveryLanguage, joined, say } from './language.ts'
import { addressMissing, type Choice, chosen } from './models.ts'
import { createMeter } from './progress.ts'
import { loadSettings, settingsValid, weightsFormat } from './settings.ts'
import { announce } from './speech.ts'
import { compact, number, part } from './view.ts'
import type { Word } from './words.ts'

export interface Loaded {
  glm: Glm
  /** What was asked for, and how it is called on the page. */
  choice: Choice
  title: string
  cached: boolean
}

type Listener = (loaded: Loaded | undefined) => void

const button = part<HTMLButtonElement>('load')
let loaded: Loaded | undefined
let running: AbortController | undefined
let quiet: Word = 'noModel'
let listener: Listener = () => {}

export function startLoading(onModel: Listener): void {
  listener = onModel
  part('load-form').addEventListener('submit', (event) => {
    event.preventDefault()
    if (!running && !addressMissing() && settingsValid()) void load(chosen())
  })
  part('cancel').addEventListener('click', () => running?.abort())
  inEveryLanguage(writeModel)
}

export async function load(choice: Choice): Promise<void> {
  if (running) return
  const controller = new AbortController()
  running = controller
  hideError()
  const meter = createMeter(choice.entry?.bytes)
  const closing = unload()
  showRunning(true)
  try {
    await closing
    const options = { ...loadSettings(), signal: controller.signal, onProgress: meter.show }
    const glm = await loadGlm(choice.model, options)
    loaded = { glm, choice, title: choice.entry?.title ?? lastPart(choice.model), cached: meter.cached() }
  } catch (error) {
    failed(error, choice)
  } finally {
    running = undefined
    showRunning(false)
  }
  writeModel()
  announce(part('status').textContent ?? '')
  listener(loaded)
}

export const isLoading = (): boolean => running !== undefined

/** The model cannot answer any more (its device or worker is gone): loads the same one again. */
export function reload(): void {
  if (loaded) void load(loaded.choice)
}

/** What stands below the button, and whether the chosen model fits. */
export function writeModel(): void {
  const choice = chosen()
  const same = loaded?.choice.model === choice.model
  button.textContent = say(running ? 'loading' : same ? 'loadAgain' : 'load')
  button.className = same ? 'plain' : ''
  part('status').textContent = running ? '' : loaded ? describe(loaded) : say(quiet)
  writeFit(same ? loaded?.glm.model : undefined, choice.entry, weightsFormat())
}

async function unload(): Promise<void> {
  const before = loaded
  loaded = undefined
  quiet = 'noModel'
  listener(undefined)
  await before?.glm.close().catch(() => {}) // it may be dead already; a new worker is started anyway
}

function failed(error: unknown, choice: Choice): void {
  quiet = codeOf(error) === 'aborted' ? 'cancelled' : 'noModel'
  if (quiet === 'cancelled') return
  showError(error, () => void load(choice))
  void ask()
}

function showRunning(on: boolean): void {
  const focused = document.activeElement
  button.disabled = on
  part('progress').hidden = !on
  if (on && focused === button) part('cancel').focus()
  if (!on && focused === part('cancel')) button.focus()
  writeModel()
}

function describe({ glm: { model }, title, cached }: Loaded): string {
  const slots = { id: title, parameters: compact(model.parameters), weights: model.weights, context: number(model.context) }
  return joined(say('loaded', slots), cached ? say('loadedCached') : '')
}

/** `https://host/models/glm-edge/` is called `glm-edge`. */
const lastPart = (address: string): string => address.split('/').filter(Boolean).at(-1) ?? address
