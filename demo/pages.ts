// Which page is shown: the chat, or the bench at #bench (or ?bench). Model and GPU stand beside both.
import { part } from './view.ts'

export type Page = 'chat' | 'bench'

const listeners: ((page: Page) => void)[] = []

export const page = (): Page =>
  location.hash === '#bench' || (location.hash === '' && new URLSearchParams(location.search).has('bench')) ? 'bench' : 'chat'

/** Runs `write` whenever a page is turned to. */
export function onPage(write: (page: Page) => void): void {
  listeners.push(write)
}

export function startPages(): void {
  addEventListener('hashchange', show)
  show()
}

function show(): void {
  for (const one of ['chat', 'bench'] as const) {
    const here = one === page()
    part(`${one}-page`).hidden = !here
    if (here) part(`to-${one}`).setAttribute('aria-current', 'page')
    else part(`to-${one}`).removeAttribute('aria-current')
  }
  for (const write of listeners) write(page())
}
