// What goes with the next message: pictures and videos that were chosen, dropped, pasted or taken, in the message field until they are sent.
import { createChip, createWaiting } from './attach-chip.ts'
import { type Attachment, canAttach, openAttachment } from './attach-item.ts'
import { startLive } from './attach-live.ts'
import { startMenu } from './attach-menu.ts'
import { codeOf, showError } from './banner.ts'
import { inEveryLanguage, say } from './language.ts'
import { page } from './pages.ts'
import { announce } from './speech.ts'
import { part } from './view.ts'

/** A file on its way to be an attachment, in the order given. */
interface Place {
  name: string
  item?: Attachment
  controller: AbortController
  /** What stands for it; made anew when it is open, or in another language. */
  chip?: HTMLElement | undefined
}

const list = part('attached')
const field = part<HTMLInputElement>('attach-files')
const news = part('attach-news')
let places: Place[] = []
let told = () => ''
let changed = () => {}

/** `listener` is told whenever something comes or goes. */
export function startAttach(listener: () => void): void {
  changed = listener
  startMenu(() => field.click())
  startLive((still) => void attachFiles([still]))
  field.addEventListener('change', () => {
    const files = [...(field.files ?? [])]
    field.value = '' // the same files can be chosen again
    void attachFiles(files)
  })
  document.addEventListener('paste', paste)
  // Before the page takes what is dropped for a model.
  addEventListener('drop', drop, { capture: true })
  inEveryLanguage(() => {
    for (const place of places) place.chip = undefined
    write()
  })
}

export const attached = (): Attachment[] => places.flatMap(({ item }) => item ?? [])

/** Files that are still being opened. */
export const isAttaching = (): boolean => places.some(({ item }) => !item)

/** What is attached goes out with a message; the field is empty. */
export function takeAttached(): Attachment[] {
  const items = attached()
  places = []
  tell(() => '')
  write()
  return items
}

/** What was not answered comes back, ahead of what was attached since. */
export function putBack(items: readonly Attachment[], text: () => string): void {
  places = [...items.map((item): Place => ({ name: item.name, item, controller: new AbortController() })), ...places]
  tell(text)
  write()
}

/** A line under the message field, which is also spoken. */
export function tell(text: () => string): void {
  told = text
  news.textContent = text()
}

/** One after the other; what cannot be opened is told by its name. */
export async function attachFiles(files: readonly File[]): Promise<void> {
  const given = files.map((file) => ({ file, place: { name: file.name, controller: new AbortController() } as Place }))
  places.push(...given.map(({ place }) => place))
  write()
  for (const { file, place } of given) {
    const { signal } = place.controller
    try {
      const item = await openAttachment(file, signal)
      if (signal.aborted) continue
      place.item = item
      place.chip = undefined
      announce(say('attachDone', { name: file.name }))
      write()
      list.scrollTo(list.scrollWidth, list.scrollHeight)
    } catch (error) {
      places = places.filter((one) => one !== place)
      if (!signal.aborted && codeOf(error) !== 'aborted') showError(error)
    }
    write()
  }
}

function remove(place: Place): void {
  const at = places.indexOf(place)
  place.controller.abort()
  places = places.filter((one) => one !== place)
  tell(() => '')
  announce(say('attachGone', { name: place.name }))
  write()
  const buttons = list.querySelectorAll<HTMLElement>('.remove')
  const next = buttons[Math.min(at, buttons.length - 1)] ?? part('attach')
  next.focus()
}

function chipOf(place: Place): HTMLElement {
  const gone = () => remove(place)
  return place.item ? createChip(place.item, gone) : createWaiting(place.name, gone)
}

/** What stands there stays: a field that is typed in keeps the focus. */
function write(): void {
  const chips = places.map((place) => (place.chip ??= chipOf(place)))
  for (const chip of [...list.children]) if (!chips.includes(chip as HTMLElement)) chip.remove()
  chips.forEach((chip, at) => {
    if (list.children[at] !== chip) list.insertBefore(chip, list.children[at] ?? null)
  })
  list.hidden = places.length === 0
  news.textContent = told()
  changed()
}

/** Pictures of the clipboard, unless it has words: programs that copy text often add a picture of it. */
function paste(event: ClipboardEvent): void {
  const { clipboardData: data } = event
  if (page() !== 'chat' || !data || data.types.includes('text/plain')) return
  const files = [...data.files].filter(canAttach)
  if (files.length === 0) return
  event.preventDefault()
  void attachFiles(files)
}

/** Pictures and videos are for the message; anything else that is dropped is a model. */
function drop(event: DragEvent): void {
  const files = [...(event.dataTransfer?.files ?? [])]
  if (page() !== 'chat' || files.length === 0 || !files.every(canAttach)) return
  event.preventDefault()
  event.stopPropagation()
  part('drop').hidden = true
  void attachFiles(files)
}
