// The settings form. Empty fields are left to the model; a bad value is pointed out in its field.
import type { ChatRequest, LoadOptions, WeightsFormat } from 'glm-webgpu'
import { inEveryLanguage, say } from './language.ts'
import { make, part } from './view.ts'

const formats: WeightsFormat[] = ['file', 'q4', 'q8', 'f16', 'f32']
const weights = part<HTMLSelectElement>('weights')

export function startSettings(onLoadSettings: () => void): void {
  weights.append(...formats.map((format) => make('option', { value: format })))
  inEveryLanguage(() => {
    for (const option of weights.options) option.textContent = say(`weights_${option.value as WeightsFormat}`)
  })
  weights.addEventListener('change', onLoadSettings)
  part('settings-form').addEventListener('submit', (event) => event.preventDefault())
}

/** True when every field can be used; else opens the form at the wrong one. */
export function settingsValid(): boolean {
  const form = part<HTMLFormElement>('settings-form')
  if (form.checkValidity()) return true
  part<HTMLDetailsElement>('settings').open = true
  return form.reportValidity()
}

export const requestSettings = (): Pick<ChatRequest, 'temperature' | 'max_tokens' | 'seed'> => ({
  temperature: numberIn('temperature'),
  max_tokens: numberIn('max-tokens'),
  seed: numberIn('seed'),
})

export const systemPrompt = (): string => part<HTMLTextAreaElement>('system').value.trim()

export const weightsFormat = (): WeightsFormat => weights.value as WeightsFormat

export const loadSettings = (): Pick<LoadOptions, 'weights' | 'context'> => {
  const context = numberIn('context')
  return { weights: weightsFormat(), ...(context === undefined ? {} : { context }) }
}

function numberIn(id: string): number | undefined {
  const value = part<HTMLInputElement>(id).valueAsNumber
  return Number.isNaN(value) ? undefined : value
}
