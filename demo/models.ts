// The model picker: what the package knows by name, the embedded model first, and any folder by its address.
import { type CatalogEntry, catalog } from 'glm-webgpu'
import { inEveryLanguage, say } from './language.ts'
import { bytes, make, number, part } from './view.ts'

/** What to load: the name or address that `loadGlm` takes, and the catalog's entry where it has one. */
export interface Choice {
  model: string
  entry?: CatalogEntry
}

const other = 'other'
const select = part<HTMLSelectElement>('model')
const url = part<HTMLInputElement>('url')

export function startModels(onChoose: () => void): void {
  const entries = [...catalog].sort((a, b) => Number(b.id === 'pocket') - Number(a.id === 'pocket'))
  select.append(...entries.map(({ id }) => make('option', { value: id })), make('option', { value: other }))
  const write = () => {
    for (const option of select.options) option.textContent = title(option.value)
    writeChoice()
  }
  inEveryLanguage(write)
  for (const [element, event] of [
    [select, 'change'],
    [url, 'input'],
  ] as const) {
    element.addEventListener(event, () => {
      writeChoice()
      onChoose()
    })
  }
}

export function chosen(): Choice {
  if (select.value === other) return { model: url.value.trim() }
  const entry = entryOf(select.value)
  return entry ? { model: select.value, entry } : { model: select.value }
}

/** Points at the address where it is still missing. */
export function addressMissing(): boolean {
  const missing = select.value === other && url.value.trim() === ''
  url.setCustomValidity(missing ? say('folderMissing') : '')
  if (missing) url.reportValidity()
  return missing
}

const entryOf = (id: string): CatalogEntry | undefined => catalog.find((entry) => entry.id === id)

function title(id: string): string {
  const entry = entryOf(id)
  return entry ? `${entry.title} · ${bytes(entry.bytes)}` : say('otherModel')
}

function writeChoice(): void {
  const { entry } = chosen()
  const about = part('about')
  const ours = !entry || entry.id === 'pocket'
  about.textContent = ours ? say(entry ? 'pocketAbout' : 'folderAbout') : entry.about
  about.lang = ours ? document.documentElement.lang : 'en'
  part('url-row').hidden = entry !== undefined
  part('facts').textContent = entry
    ? say('facts', { bytes: bytes(entry.bytes), licence: entry.licence, context: number(entry.context) })
    : ''
}
