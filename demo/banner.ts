// The banner: one error at a time, as its own sentence, with what can be done about it. The page goes on behind it.
import { GlmError, type GlmErrorCode } from 'glm-webgpu'
import { errorTitles } from './error-titles.ts'
import { inEveryLanguage, language, say } from './language.ts'
import { make, part } from './view.ts'

export interface Action {
  name: string
  text: () => string
  run: () => void
}

const banner = part('banner')
const title = part('banner-title')
const text = part('banner-text')

let code: GlmErrorCode = 'internal'
let actions: Action[] = []

export function startBanner(): void {
  inEveryLanguage(write)
  part('banner-close').addEventListener('click', hideError)
}

/** What does it again, where that may help, or a list of what may. */
export function showError(error: unknown, remedy?: (() => void) | Action[]): void {
  code = codeOf(error)
  actions = typeof remedy === 'function' ? [{ name: 'retry', text: () => say('retry'), run: remedy }] : (remedy ?? [])
  text.textContent = error instanceof Error ? error.message : String(error)
  banner.dataset.code = code
  write()
  banner.hidden = false
}

export function hideError(): void {
  banner.hidden = true
  actions = []
}

export const codeOf = (error: unknown): GlmErrorCode => (error instanceof GlmError ? error.code : 'internal')

function write(): void {
  title.textContent = errorTitles[language()][code]
  const buttons = actions.map((action, index) => {
    const button = make('button', { type: 'button', className: index > 0 ? 'plain' : '', textContent: action.text() })
    button.dataset.testid = action.name
    button.addEventListener('click', () => {
      hideError()
      action.run()
    })
    return button
  })
  part('banner-actions').replaceChildren(...buttons)
}
