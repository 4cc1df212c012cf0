// The banner: one error at a time, as its own sentence, with a way to try again. The page goes on behind it.
import { GlmError, type GlmErrorCode } from 'glm-webgpu'
import { errorTitles } from './error-titles.ts'
import { inEveryLanguage, language } from './language.ts'
import { part } from './view.ts'

const banner = part('banner')
const title = part('banner-title')
const text = part('banner-text')
const retry = part<HTMLButtonElement>('banner-retry')

let code: GlmErrorCode = 'internal'
let again: (() => void) | undefined

export function startBanner(): void {
  inEveryLanguage(writeTitle)
  part('banner-close').addEventListener('click', hideError)
  retry.addEventListener('click', () => {
    const action = again
    hideError()
    action?.()
  })
}

export function showError(error: unknown, action?: () => void): void {
  code = codeOf(error)
  again = action
  text.textContent = error instanceof Error ? error.message : String(error)
  retry.hidden = action === undefined
  banner.dataset.code = code
  writeTitle()
  banner.hidden = false
}

export function hideError(): void {
  banner.hidden = true
  again = undefined
}

export const codeOf = (error: unknown): GlmErrorCode => (error instanceof GlmError ? error.code : 'internal')

function writeTitle(): void {
  title.textContent = errorTitles[language()][code]
}
