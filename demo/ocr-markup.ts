// What stands on the pages that read pages and show an agent's action: written in ocr.html and agent.html, put into the sections that index.html has for them
// before anything asks for an element. It is this page's own markup; nothing that a model wrote comes this way.
import agent from './agent.html?raw'
import ocr from './ocr.html?raw'
import { part } from './view.ts'

for (const [id, markup] of [
  ['ocr-page', ocr],
  ['agent-page', agent],
] as const) {
  const { body } = new DOMParser().parseFromString(markup, 'text/html')
  part(id).replaceChildren(...body.childNodes)
}
