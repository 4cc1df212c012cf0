// What a load is asked for beside the model: weights, context, memory; and, folded away, hub, keys and values, and what is kept.
import type { LoadOptions, ModelPlan } from 'glm-webgpu'
import { inEveryLanguage, say } from './language.ts'
import { bytes, make, number, numberIn, part } from './view.ts'
import type { Word } from './words.ts'

export type Options = Pick<LoadOptions, 'weights' | 'context' | 'kv' | 'memory' | 'hub' | 'cache'>
export type Weights = NonNullable<LoadOptions['weights']>

const formats: Weights[] = ['file', 'auto', 'f16', 'q8', 'q4', 'f32']
const steps = [256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072]
const usual = 4096

const context = part<HTMLInputElement>('context')
const slider = part<HTMLInputElement>('context-slider')
const memory = part<HTMLInputElement>('memory')
const selects = { kv: ['auto', 'f16', 'q8'], cache: ['packed', 'source', 'none'] } as const
const rows = formats.map((value) => {
  const radio = make('input', { type: 'radio', name: 'weights', value, checked: value === 'file' })
  const parts = { name: make('span'), bytes: make('span', { className: 'value' }), mark: make('span', { className: 'mark' }) }
  radio.dataset.testid = `weights-${value}`
  return { value, radio, ...parts, element: make('label', { className: 'format' }, radio, parts.name, parts.bytes, parts.mark) }
})

let limit = usual
let plan: ModelPlan | undefined

export function startOptions(onChange: () => void): void {
  part('weights').append(...rows.map(({ element }) => element))
  for (const [id, values] of Object.entries(selects)) part(id).append(...values.map((value) => make('option', { value })))
  slider.addEventListener('input', () => {
    context.value = String(Math.min(steps[slider.valueAsNumber]!, limit))
    onChange()
  })
  context.addEventListener('input', onChange)
  context.addEventListener('input', writeSlider)
  memory.addEventListener('input', onChange)
  for (const id of ['weights', 'hub', 'kv']) part(id).addEventListener('change', onChange)
  // A wrong value in a fold cannot be pointed at while it is closed.
  part('hub').addEventListener('invalid', () => (part<HTMLDetailsElement>('advanced').open = true))
  inEveryLanguage(write)
}

export function loadOptions(): Options {
  const positions = numberIn(context)
  const gigabytes = numberIn(memory)
  const kv = part<HTMLSelectElement>('kv').value as 'auto' | 'f16' | 'q8'
  const hub = part<HTMLInputElement>('hub').value.trim()
  return {
    weights: rows.find(({ radio }) => radio.checked)!.value,
    cache: part<HTMLSelectElement>('cache').value as NonNullable<Options['cache']>,
    ...(positions === undefined ? {} : { context: positions }),
    ...(gigabytes === undefined ? {} : { memory: gigabytes * 1e9 }),
    ...(kv === 'auto' ? {} : { kv }),
    ...(hub ? { hub } : {}),
  }
}

/** False while a field holds what cannot be used; its browser says so when the form is sent. */
export const optionsValid = (): boolean => part<HTMLFormElement>('load-form').checkValidity()

export const weightsName = (weights: Weights): string => say(`weights_${weights}`)

export function chooseWeights(weights: Weights): void {
  for (const { value, radio } of rows) radio.checked = value === weights
}

/** The sizes of a plan beside the formats; and how long a context the model can have, where it is known. */
export function showPlanned(planned: ModelPlan | undefined, longest?: number): void {
  plan = planned
  // What was cut is as long as it can be.
  const cut = plan && plan.context < (numberIn(context) ?? usual) ? plan.context : undefined
  limit = longest ?? cut ?? 32768
  const last = steps.findIndex((step) => step >= limit)
  slider.max = String(last < 0 ? steps.length - 1 : last)
  writeSlider()
  write()
}

function writeSlider(): void {
  const positions = numberIn(context) ?? Math.min(limit, plan?.context ?? usual)
  const at = steps.findIndex((step) => step >= positions)
  slider.value = String(at < 0 ? steps.length - 1 : at)
  slider.ariaValueText = number(positions)
}

function write(): void {
  for (const { value, name, bytes: size, mark, element } of rows) {
    const format = plan?.formats.find(({ weights }) => weights === value)
    name.textContent = weightsName(value)
    size.textContent = format ? bytes(format.bytes, 2) : ''
    mark.textContent = format ? (format.fits ? '✓' : '✗') : ''
    mark.ariaLabel = format ? say(format.fits ? 'yes' : 'no') : null
    mark.role = format ? 'img' : null
    element.dataset.fits = format ? String(format.fits) : ''
    element.dataset.taken = String(plan?.weights === value)
  }
  for (const [id, values] of Object.entries(selects)) {
    for (const [index, option] of [...part<HTMLSelectElement>(id).options].entries()) {
      option.textContent = say(`${id}_${values[index]}` as Word)
    }
  }
  memory.placeholder = plan && !plan.memory.given ? number(plan.memory.bytes / 1e9, 1) : ''
  context.placeholder = numberIn(context) === undefined && plan ? number(plan.context) : ''
}
