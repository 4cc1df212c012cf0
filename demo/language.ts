// Which language the page speaks: put into every element marked with `data-words`, and into what is written later.
import { type Word, words } from './words.ts'

export type Language = 'en' | 'zh'

const key = 'glm-webgpu-demo-language'
const listeners: (() => void)[] = []
let current: Language = 'en'

export const language = (): Language => current

/** The sentence of a word, with its `{slots}` filled. */
export function say(word: Word, slots: Record<string, string> = {}): string {
  return words[current][word].replace(/\{(\w+)\}/g, (slot, name: string) => slots[name] ?? slot)
}

/** Sentences one after the other: Chinese ones need no space between them. */
export const joined = (...sentences: string[]): string => sentences.filter(Boolean).join(current === 'zh' ? '' : ' ')

/** Runs `write` now and after every change of language. */
export function inEveryLanguage(write: () => void): void {
  listeners.push(write)
  write()
}

export function startLanguage(button: HTMLButtonElement): void {
  const asked = remembered() ?? navigator.language
  use(asked.toLowerCase().startsWith('zh') ? 'zh' : 'en')
  button.addEventListener('click', () => {
    use(current === 'en' ? 'zh' : 'en')
    remember(current)
  })
  inEveryLanguage(() => {
    button.textContent = say('otherLanguage')
    button.lang = current === 'en' ? 'zh-Hans' : 'en'
  })
}

function use(next: Language): void {
  current = next
  document.documentElement.lang = next === 'zh' ? 'zh-Hans' : 'en'
  for (const marked of document.querySelectorAll<HTMLElement>('[data-words]')) marked.textContent = say(marked.dataset.words as Word)
  for (const marked of document.querySelectorAll<HTMLInputElement>('[data-words-placeholder]')) {
    marked.placeholder = say(marked.dataset.wordsPlaceholder as Word)
  }
  for (const marked of document.querySelectorAll<HTMLElement>('[data-words-label]'))
    marked.ariaLabel = say(marked.dataset.wordsLabel as Word)
  for (const write of listeners) write()
}

/** Storage may be forbidden (private windows, blocked cookies): then the choice lasts as long as the page. */
function remembered(): string | null {
  try {
    return localStorage.getItem(key)
  } catch {
    return null
  }
}

function remember(value: Language): void {
  try {
    localStorage.setItem(key, value)
  } catch {}
}
