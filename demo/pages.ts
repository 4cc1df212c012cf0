// Which page is shown: the chat, the models at #models, the bench at #bench (or ?bench), the timeline at #timeline,
// pages that are read at #ocr, a phone agent's action at #agent. Model and GPU stand beside the first three.
import { part } from './view.ts'

export type Page = 'chat' | 'models' | 'bench' | 'timeline' | 'ocr' | 'agent'

const pages: Page[] = ['chat', 'models', 'bench', 'timeline', 'ocr', 'agent']
const listeners: ((page: Page) => void)[] = []

export function page(): Page {
  const query = new URLSearchParams(location.search)
  return pages.find((one) => location.hash === `#${one}` || (location.hash === '' && query.has(one))) ?? 'chat'
}

/** Runs `write` whenever a page is turned to. */
export function onPage(write: (page: Page) => void): void {
  listeners.push(write)
}

export function startPages(): void {
  addEventListener('hashchange', show)
  show()
}

function show(): void {
  for (const one of pages) {
    const here = one === page()
    part(`${one}-page`).hidden = !here
    if (here) part(`to-${one}`).setAttribute('aria-current', 'page')
    else part(`to-${one}`).removeAttribute('aria-current')
  }
  document.body.dataset.page = page()
  for (const write of listeners) write(page())
}
