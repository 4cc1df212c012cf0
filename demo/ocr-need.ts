// The line that says which model a page works with, and the way to one: the models page with it chosen, where its size, its licence and whether it fits are
// told before anything is downloaded.
import { say } from './language.ts'
import type { Loaded } from './load.ts'
import { chooseName } from './models.ts'
import { make, part } from './view.ts'
import type { Word } from './words.ts'

/** What a page was made for: a name on the hub, and the positions that it wants. */
export interface Wanted {
  name: string
  context: number
  /** The sentence where no model sees, and where another one does. */
  none: Word
  other: Word
  load: Word
}

export type Able = 'none' | 'other' | 'made'

export function ableOf(loaded: Loaded | undefined, made: (loaded: Loaded) => boolean): Able {
  return !loaded?.glm.model.sees?.picture ? 'none' : made(loaded) ? 'made' : 'other'
}

/** Writes `#<page>-need`; `ready` is what it says of the model it was made for. */
export function writeNeed(page: 'ocr' | 'agent', able: Able, title: string, wanted: Wanted, ready: string): void {
  const line = part(`${page}-need`)
  line.dataset.state = able
  const text = make('p', { className: 'small', textContent: able === 'made' ? ready : say(wanted[able], { model: title }) })
  text.dataset.testid = `${page}-need-text`
  const button = make('button', { type: 'button', className: 'plain', textContent: say(wanted.load) })
  button.dataset.testid = `${page}-load`
  button.addEventListener('click', () => offer(wanted))
  line.replaceChildren(text, ...(able === 'made' ? [] : [button]))
}

/** The page is turned to in a task of its own. */
function offer({ name, context }: Wanted): void {
  location.hash = '#models'
  setTimeout(() => {
    const field = part<HTMLInputElement>('context')
    field.value = String(context)
    field.dispatchEvent(new Event('input'))
    chooseName(name)
    part('plan').scrollIntoView({ block: 'center' })
  })
}
