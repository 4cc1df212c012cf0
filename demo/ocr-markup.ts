// What stands on the pages that read pages and show an agent's action: written in ocr.html and agent.html, put into the sections that index.html has for them.
// It is this page's own markup; nothing that a model wrote comes this way.
import agent from './agent.html?raw'
import ocr from './ocr.html?raw'
import { part } from './view.ts'

/** Before anything asks for an element of the page. */
export function putMarkup(page: 'ocr' | 'agent'): void {
  const { body } = new DOMParser().parseFromString(page === 'ocr' ? ocr : agent, 'text/html')
  part(`${page}-page`).replaceChildren(...body.childNodes)
}
