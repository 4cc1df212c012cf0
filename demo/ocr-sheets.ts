// The pages that were given: a strip of small pictures to choose from, and the chosen one large. Only small ones are kept; the large one is read anew.
import { showError } from './banner.ts'
import { say } from './language.ts'
import { showPicture } from './ocr-pictures.ts'
import type { Reading } from './ocr-result.ts'
import { make, number, part } from './view.ts'

/** Longest sides in pixels: in the strip, and of the large one. */
const SMALL = 96
const LARGE = 1400

export interface Sheet {
  file: File
  element: HTMLLIElement
  button: HTMLButtonElement
  /** Pixels that it has. */
  width: number
  height: number
  reading?: Reading
}

let sheets: Sheet[] = []
let chosen: Sheet | undefined
let changed: () => void = () => {}

export const allSheets = (): readonly Sheet[] => sheets
export const currentSheet = (): Sheet | undefined => chosen

export function startSheets(listener: () => void): void {
  changed = listener
}

/** Those that are no pictures are told, and the others taken. */
export async function addSheets(files: readonly File[]): Promise<void> {
  for (const file of files) {
    try {
      const { canvas, width, height } = await showPicture(file, SMALL)
      add(file, canvas, width, height)
    } catch (error) {
      showError(error)
    }
  }
}

function add(file: File, canvas: HTMLCanvasElement, width: number, height: number): void {
  const button = make('button', { type: 'button', className: 'plain', title: file.name }, canvas)
  const remove = make('button', { type: 'button', className: 'plain away', textContent: '×' })
  const element = make('li', {}, button, remove)
  const sheet: Sheet = { file, element, button, width, height }
  element.dataset.testid = 'ocr-sheet'
  button.addEventListener('click', () => choose(sheet))
  remove.addEventListener('click', () => drop(sheet))
  sheets.push(sheet)
  part('ocr-list').append(element)
  choose(sheets.find(({ reading }) => !reading) ?? sheet)
}

export function choose(sheet: Sheet | undefined): void {
  const same = chosen === sheet
  chosen = sheet
  if (!same) void enlarge(sheet)
  changed()
}

function drop(sheet: Sheet): void {
  const at = sheets.indexOf(sheet)
  sheets = sheets.filter((one) => one !== sheet)
  sheet.element.remove()
  const next = sheets[Math.min(at, sheets.length - 1)]
  if (chosen === sheet) choose(next)
  else changed()
  ;(next?.button ?? part('ocr-pick')).focus()
}

export function clearSheets(): void {
  sheets = []
  part('ocr-list').replaceChildren()
  choose(undefined)
}

async function enlarge(sheet: Sheet | undefined): Promise<void> {
  const box = part('ocr-preview')
  box.replaceChildren()
  if (!sheet) return
  try {
    const { canvas } = await showPicture(sheet.file, LARGE)
    if (chosen !== sheet) return
    canvas.role = 'img'
    canvas.ariaLabel = sheet.file.name
    box.replaceChildren(canvas)
  } catch (error) {
    if (chosen === sheet) showError(error)
  }
}

/** Marks of what is chosen and of how far each is read. */
export function writeSheets(): void {
  const words = { running: 'ocrRunning', done: 'ocrDone', stopped: 'stopped', failed: 'failed' } as const
  for (const { element, button, file, reading } of sheets) {
    element.dataset.state = reading?.state ?? 'new'
    button.ariaPressed = String(chosen?.button === button)
    button.ariaLabel = `${file.name}${reading ? `, ${say(words[reading.state])}` : ''}`
    ;(button.nextElementSibling as HTMLElement).ariaLabel = say('ocrRemove', { name: file.name })
  }
  part('ocr-list').hidden = sheets.length === 0
  const name = chosen ? `${chosen.file.name} · ${number(chosen.width)} × ${number(chosen.height)}` : ''
  const { seen } = chosen?.reading ?? {}
  const slots = { width: String(seen?.width), height: String(seen?.height), tokens: number(seen?.tokens ?? 0) }
  const told = seen ? say(seen.cached ? 'ocrSeenBefore' : 'ocrSeen', slots) : ''
  part('ocr-seen').textContent = [name, told].filter(Boolean).join(' · ')
}
