// The model chooser: what the package knows by name, the embedded model first; files that were given; and any other by its name or address.
import { type CatalogEntry, catalog, type LocalModel } from 'glm-webgpu'
import { aboutOf } from './abouts.ts'
import { inEveryLanguage, say } from './language.ts'
import { bytes, make, number, part } from './view.ts'

/** What to load: what `loadGlm` takes, how it is called on the page, and the catalog's entry where it has one. */
export interface Choice {
  /** The same for the same model. */
  key: string
  model: string | LocalModel
  title: string
  entry?: CatalogEntry
}

/** Files that a person gave. */
export interface Given {
  model: LocalModel
  name: string
  bytes: number
  count: number
}

interface Card {
  value: string
  radio: HTMLInputElement
  element: HTMLElement
  write(): void
}

const url = part<HTMLInputElement>('url')
const entries = [...catalog].sort((one, another) => Number(another.id === 'pocket') - Number(one.id === 'pocket'))
const cards: Card[] = [...entries.map(({ id }) => id), 'files', 'other'].map(createCard)
let given: (Given & { key: string }) | undefined
let gifts = 0
let onChoose: () => void = () => {}

export function startModels(listener: () => void): void {
  part('cards').append(...cards.map(({ element }) => element))
  cards[0]!.radio.checked = true
  part('cards').addEventListener('change', changed)
  url.addEventListener('input', changed)
  inEveryLanguage(write)
  onChoose = listener
}

export function chosen(): Choice {
  const value = cards.find(({ radio }) => radio.checked)!.value
  if (value === 'files' && given) return { key: given.key, model: given.model, title: given.name }
  const entry = entries.find(({ id }) => id === value)
  if (entry) return { key: entry.id, model: entry.id, title: entry.title, entry }
  const name = url.value.trim()
  return { key: name, model: name, title: titleOf(name) }
}

export function chooseFiles(files: Given): void {
  given = { ...files, key: `files ${++gifts}` }
  choose('files')
}

/** Puts a name into the field, as if it had been typed; what the catalog knows is taken there, with its licence's notice. */
export function chooseName(name: string): void {
  const place = name.replace(/@[^/]+/, '')
  const entry = entries.find(({ repository, file }) => repository && place === `${repository}/${file}`)
  if (!entry) url.value = name
  choose(entry?.id ?? 'other')
}

/** Points at the name where it is still missing. */
export function nameMissing(): boolean {
  const missing = chosen().key === ''
  url.setCustomValidity(missing ? say('folderMissing') : '')
  if (missing) url.reportValidity()
  return missing
}

export function choose(value: string): void {
  const card = cards.find((one) => one.value === value)!
  card.radio.checked = true
  changed()
  card.radio.focus()
}

function changed(): void {
  url.setCustomValidity('')
  write()
  onChoose()
}

function write(): void {
  for (const card of cards) card.write()
  part('url-row').hidden = !cards.find(({ value }) => value === 'other')!.radio.checked
}

function createCard(value: string): Card {
  const radio = make('input', { type: 'radio', name: 'model', value })
  const [title, about, facts, notice] = ['title', 'about', 'facts', 'notice'].map((className) => make('span', { className })) as [
    HTMLElement,
    HTMLElement,
    HTMLElement,
    HTMLElement,
  ]
  const element = make('label', { className: 'card' }, radio, title, facts, about, notice)
  radio.dataset.testid = `model-${value}`
  const entry = entries.find(({ id }) => id === value)
  notice.lang = 'en'
  const writeEntry = (known: CatalogEntry) => {
    const slots = { bytes: bytes(known.bytes, 2), context: number(known.context), licence: known.licence }
    const sentence = aboutOf(known)
    title.textContent = known.title
    facts.textContent = say('facts', slots)
    about.textContent = sentence.text
    about.lang = sentence.lang
    notice.textContent = radio.checked ? (known.notice ?? '') : ''
  }
  const writeGiven = () => {
    element.hidden = !given
    title.textContent = say('yourFiles')
    about.textContent = given ? say('filesAbout', { name: given.name }) : ''
    facts.textContent = given ? say('filesFacts', { bytes: bytes(given.bytes, 2), files: number(given.count) }) : ''
  }
  const writeOther = () => {
    title.textContent = say('otherModel')
    about.textContent = say('folderAbout')
  }
  return { value, radio, element, write: () => (entry ? writeEntry(entry) : value === 'files' ? writeGiven() : writeOther()) }
}

/** `https://host/models/glm-edge/` and `owner/glm-edge@main` are called `glm-edge`. */
function titleOf(name: string): string {
  const last = name.split('/').filter(Boolean).at(-1) ?? name
  return last.replace(/@.*/, '').replace(/\.gguf$/i, '') || name
}
