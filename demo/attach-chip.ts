// One attachment in the message field: its small picture, its name and size, the stretch of a video, and a button that takes it out.
import type { Attachment } from './attach-item.ts'
import { say } from './language.ts'
import { make, number, numberIn } from './view.ts'

export function createChip(item: Attachment, remove: () => void): HTMLElement {
  const { name, kind, width, height, duration, thumb } = item
  const facts = [`${width} × ${height}`]
  if (kind === 'video') facts.push(say('seconds', { count: number(duration, 1) }))
  thumb.ariaLabel = name
  const told = make('div', { className: 'told' }, make('span', { className: 'name', textContent: name, title: name }))
  told.append(make('span', { className: 'small muted', textContent: facts.join(' · ') }))
  const chip = make('li', {}, thumb, told, removeButton(name, remove))
  if (kind === 'video' && item.source instanceof Blob) chip.append(stretch(item))
  chip.dataset.testid = `attached-${kind}`
  return chip
}

/** A file that is still being opened. */
export function createWaiting(name: string, cancel: () => void): HTMLElement {
  const told = make('div', { className: 'told' }, make('span', { className: 'small muted', textContent: say('attachOpening', { name }) }))
  const chip = make('li', { ariaBusy: 'true' }, told, removeButton(name, cancel))
  chip.dataset.testid = 'attached-waiting'
  return chip
}

function removeButton(name: string, remove: () => void): HTMLButtonElement {
  const button = make('button', { type: 'button', className: 'plain remove', textContent: '×', ariaLabel: say('attachRemove', { name }) })
  button.dataset.testid = 'attached-remove'
  button.addEventListener('click', remove)
  return button
}

/** Seconds from the file's start; empty fields are its start and its end. */
function stretch(item: Attachment): HTMLElement {
  const most = Math.ceil(item.duration * 10) / 10
  const field = (key: 'start' | 'end', placeholder: number) => {
    const input = make('input', { type: 'number', min: '0', max: String(most), step: 'any', placeholder: number(placeholder, 1) })
    if (item[key] !== undefined) input.value = String(item[key])
    input.dataset.testid = `attached-${key}`
    input.ariaLabel = say(key === 'start' ? 'attachStartOf' : 'attachEndOf', { name: item.name })
    return input
  }
  const [start, end] = [field('start', 0), field('end', item.duration)]
  const read = () => {
    item.start = numberIn(start)
    item.end = numberIn(end)
    const right = (item.end ?? Number.POSITIVE_INFINITY) > (item.start ?? 0) && (item.start ?? 0) < item.duration
    end.setCustomValidity(right ? '' : say('attachStretch', { seconds: number(item.duration, 1) }))
  }
  start.addEventListener('input', read)
  end.addEventListener('input', read)
  read()
  const labelled = (word: 'attachStart' | 'attachEnd', input: HTMLInputElement) =>
    make('label', { className: 'small muted' }, make('span', { textContent: say(word) }), input)
  return make('div', { className: 'stretch' }, labelled('attachStart', start), labelled('attachEnd', end))
}
