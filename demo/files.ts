// Files that a person gives: dropped anywhere on the page, or chosen in a dialog. They are read where they lie.
import { type FileEntry, fromDrop } from 'glm-webgpu'
import { showError } from './banner.ts'
import { say } from './language.ts'
import { chooseFiles } from './models.ts'
import { part } from './view.ts'

const zone = part('drop')

export function startFiles(): void {
  for (const [button, field] of [
    ['pick-files', 'files'],
    ['pick-folder', 'folder'],
  ] as const) {
    const input = part<HTMLInputElement>(field)
    part(button).addEventListener('click', () => input.click())
    input.addEventListener('change', () => {
      take([...(input.files ?? [])].map((file) => ({ path: file.webkitRelativePath || file.name, file })))
      input.value = '' // the same files can be chosen again
    })
  }
  addEventListener('dragover', (event) => {
    if (!event.dataTransfer?.types.includes('Files')) return
    event.preventDefault()
    event.dataTransfer.dropEffect = 'copy'
    zone.hidden = false
  })
  addEventListener('dragleave', (event) => {
    if (!event.relatedTarget) zone.hidden = true
  })
  addEventListener('drop', (event) => void drop(event))
}

async function drop(event: DragEvent): Promise<void> {
  zone.hidden = true
  if (!event.dataTransfer?.types.includes('Files')) return
  event.preventDefault()
  try {
    const entries = await fromDrop(event.dataTransfer)
    if (entries.length === 0) throw new Error(say('dropNothing'))
    take(entries)
  } catch (error) {
    showError(error)
  }
}

function take(entries: FileEntry[]): void {
  const [first] = entries
  if (!first) return
  const folder = first.path.includes('/') ? first.path.split('/')[0]! : undefined
  const name = entries.length === 1 ? first.path : (folder ?? `${first.path} …`)
  location.hash = '#models'
  chooseFiles({ model: entries, name, bytes: entries.reduce((sum, { file }) => sum + file.size, 0), count: entries.length })
}
