// Kept models: which ones this browser has, how large and how whole; used, mended, deleted, carried to another machine and back.
import { type CachedModel, cache } from 'glm-webgpu'
import { codeOf, showError } from './banner.ts'
import { pickFolder } from './folder.ts'
import { inEveryLanguage, joined, language, say } from './language.ts'
import { chooseName } from './models.ts'
import { chooseWeights } from './options.ts'
import { onPage } from './pages.ts'
import { bytes, make, number, part } from './view.ts'
import type { Word } from './words.ts'

let models: CachedModel[] | undefined = []
let room: StorageEstimate = {}
let promise: Word | undefined
let news = () => ''
let busy = false

export function startKept(): void {
  inEveryLanguage(write)
  onPage((page) => page === 'models' && void refreshKept())
  part('keep').addEventListener('click', async () => {
    promise = (await cache.persist().catch(() => false)) ? 'keepYes' : 'keepNo'
    write()
  })
  part('import').addEventListener('click', () => void take())
}

/** Reads the list again: after a load, a deletion, or when the page is turned to. */
export async function refreshKept(): Promise<void> {
  models = await cache.list().catch(() => undefined) // no storage at all
  room = (await navigator.storage?.estimate?.().catch(() => undefined)) ?? {}
  if (await navigator.storage?.persisted?.().catch(() => false)) promise = 'keepYes'
  write()
}

function write(): void {
  part('kept-list').replaceChildren(...(models ?? []).map(row))
  part('kept-total').textContent = joined(summary(), promise ? say(promise) : '')
  part('kept-news').textContent = news()
  part('keep').hidden = promise === 'keepYes' || models === undefined
  part('import').hidden = models === undefined
}

function summary(): string {
  if (models === undefined) return say('keptUnavailable')
  const free = room.quota === undefined ? undefined : Math.max(0, room.quota - (room.usage ?? 0))
  const slots = {
    bytes: bytes(
      models.reduce((sum, model) => sum + model.bytes, 0),
      2,
    ),
    free: bytes(free ?? 0),
  }
  if (models.length === 0) return joined(say('keptNone'), free === undefined ? '' : say('keptFree', slots))
  return say(free === undefined ? 'keptTotalOnly' : 'keptTotal', slots)
}

function row(model: CachedModel): HTMLElement {
  const { name, licence, complete, saved, files } = model
  const when = Date.parse(saved)
  const date = Number.isNaN(when) ? '' : new Intl.DateTimeFormat(language(), { dateStyle: 'medium' }).format(when)
  const facts = [
    say('keptRow', { bytes: bytes(model.bytes, 2), files: number(files), date }),
    say(complete ? 'keptFull' : 'keptPart'),
    ...(licence ? [say('keptWhere', { licence })] : []),
  ]
  const actions = [
    action('keptLoad', 'keptLoadNamed', model, use),
    action('repair', 'repairNamed', model, repair),
    ...(complete ? [action('export', 'exportNamed', model, carry)] : []),
    action('delete', 'deleteNamed', model, forget),
  ]
  const item = make(
    'li',
    {},
    make('span', { className: 'name', textContent: shortName(name), title: name }),
    make('small', { textContent: facts.join(' · ') }),
    make('span', { className: 'buttons' }, ...actions),
  )
  item.dataset.testid = 'kept-model'
  item.dataset.complete = String(complete)
  return item
}

function action(word: Word, label: Word, model: CachedModel, run: (model: CachedModel) => unknown): HTMLButtonElement {
  const named = say(label, { name: shortName(model.name) })
  const button = make('button', { type: 'button', className: 'plain small', textContent: say(word), ariaLabel: named, disabled: busy })
  button.dataset.testid = `kept-${word}`
  button.addEventListener('click', () => void run(model))
  return button
}

/** Puts its name into the field above; weights made while loading are found by their format. */
function use({ name, revision }: CachedModel): void {
  const [, place = name, format] = /^(.*) as (q4|q8)$/.exec(name) ?? []
  chooseWeights(format === 'q8' ? 'q8' : 'file')
  chooseName(revision ? place.replace(/@[^/]+/, `@${revision}`) : place)
  part('models-heading').scrollIntoView()
}

const repair = ({ name }: CachedModel) =>
  working('repairing', shortName(name), async () => {
    const { checked, dropped, droppedBytes } = await cache.repair(name)
    const slots = () => ({ name: shortName(name), checked: number(checked), dropped: number(dropped), bytes: bytes(droppedBytes, 2) })
    return () => say(dropped > 0 ? 'repaired' : 'repairedWell', slots())
  })

async function carry({ name }: CachedModel): Promise<void> {
  const folder = await chosenFolder('readwrite')
  if (!folder) return
  await working('exporting', shortName(name), async () => {
    const own = shortName(name).replace(/[^\w.-]+/g, '-')
    await cache.export(name, await folder.getDirectoryHandle(own, { create: true }))
    return () => say('exported', { name: shortName(name), folder: `${folder.name}/${own}` })
  })
}

async function take(): Promise<void> {
  const folder = await chosenFolder('read')
  if (!folder) return
  await working('importing', '', async () => {
    const name = await cache.import(folder)
    return () => say('imported', { name: shortName(name) })
  })
}

const forget = ({ name }: CachedModel) =>
  working('deleting', shortName(name), async () => {
    await cache.delete(name)
    return () => say('deleted', { name: shortName(name) })
  })

/** One thing at a time; says what is done, and what came of it. */
async function working(word: Word, name: string, work: () => Promise<() => string>): Promise<void> {
  if (busy) return
  busy = true
  news = () => say(word, { name })
  write()
  try {
    news = await work()
  } catch (error) {
    news = () => ''
    if (codeOf(error) !== 'aborted') showError(error, () => void working(word, name, work))
  }
  busy = false
  await refreshKept()
}

async function chosenFolder(mode: 'read' | 'readwrite'): Promise<FileSystemDirectoryHandle | undefined> {
  const folder = await pickFolder(mode)
  if (folder !== 'unable') return folder
  news = () => say('noFolders')
  write()
  return undefined
}

/** `owner/glm-edge@b87c344e9ee5/Q4_0.gguf` is `owner/glm-edge/Q4_0.gguf`; addresses stay whole. */
const shortName = (name: string): string => (name.includes('://') ? name : name.replace(/@[^/ ]+/, ''))
