// The settings form. Empty fields are left to the model; a bad value is pointed out in its field.
import type { ChatRequest } from 'glm-webgpu'
import { numberIn, part } from './view.ts'

export function startSettings(): void {
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
  temperature: numberIn(part('temperature')),
  max_tokens: numberIn(part('max-tokens')),
  seed: numberIn(part('seed')),
})

export const systemPrompt = (): string => part<HTMLTextAreaElement>('system').value.trim()
