// The cache panel: which models this browser keeps, how large they are, and a way to be rid of them.
import { type CachedModel, cache } from 'glm-webgpu'
import { showError } from './banner.ts'
import { inEveryLanguage, joined, say } from './language.ts'
import { bytes, make, number, part } from './view.ts'
import type { Word } from './words.ts'

const panel = part<HTMLDetailsElement>('kept')
let models: CachedModel[] | undefined = []
let promise: Word | undefined

export function startKept(): void {
  inEveryLanguage(write)
  panel.addEventListener('toggle', () => panel.open && void refreshKept())
  part('keep').addEventListener('click', async () => {
    promise = (await cache.persist().catch(() => false)) ? 'keepYes' : 'keepNo'
    write()
  })
}

/** Reads the list again: after a load, a deletion, or when the panel is opened. */
export async function refreshKept(): Promise<void> {
  models = await cache.list().catch(() => undefined) // no storage at all
  write()
}

function write(): void {
  const list = part('kept-list')
  list.replaceChildren(...(models ?? []).map(row))
  const total = (models ?? []).reduce((sum, model) => sum + model.bytes, 0)
  const summary =
    models === undefined ? say('keptUnavailable') : models.length === 0 ? say('keptNone') : say('keptTotal', { bytes: bytes(total) })
  part('kept-total').textContent = joined(summary, promise ? say(promise) : '')
  part('keep').hidden = !models?.length
}

function row(model: CachedModel): HTMLElement {
  const name = shortName(model.name)
  const facts = [say('keptRow', { bytes: bytes(model.bytes), files: number(model.files) }), ...(model.complete ? [] : [say('keptPart')])]
  const remove = make('button', { type: 'button', className: 'plain', textContent: say('delete'), ariaLabel: say('deleteNamed', { name }) })
  remove.addEventListener('click', () => void forget(model.name))
  const item = make(
    'li',
    {},
    make('span', { textContent: name, title: model.name }),
    make('small', { textContent: facts.join(' · ') }),
    remove,
  )
  item.dataset.testid = 'kept-model'
  return item
}

async function forget(name: string): Promise<void> {
  try {
    await cache.delete(name)
  } catch (error) {
    showError(error, () => void forget(name))
  }
  await refreshKept()
  panel.querySelector('summary')?.focus() // the button that had the focus is gone
}

/** `pocket@b87c344e9ee5` is `pocket`; addresses stay whole. */
const shortName = (name: string): string => (name.includes('://') ? name : name.replace(/@.*/, ''))
