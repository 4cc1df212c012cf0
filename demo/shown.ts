// Under a sent message: what was attached to it, and what the model was given of that: a picture's size and tokens, a video's steps.
import type { ModelInfo, SeenReport } from 'glm-webgpu'
import type { Attachment } from './attach-item.ts'
import type { Turn } from './conversation.ts'
import { say } from './language.ts'
import { createSteps, type StepsView } from './shown-steps.ts'
import { make, number } from './view.ts'

type Sees = ModelInfo['sees']

export interface ShownView {
  element: HTMLElement
  /** What the model was given is known now. */
  seen(sees: Sees): void
  /** Writes what depends on the language. */
  refresh(): void
  close(): void
}

export function createShown(turn: Turn): ShownView {
  const controller = new AbortController()
  const element = make('ul', { className: 'shown', hidden: turn.shown.length === 0 })
  element.dataset.testid = 'shown'
  const steps = new Map<Attachment, StepsView>()
  const captions = turn.shown.map((item) => {
    item.thumb.ariaLabel = item.name
    const caption = make('p', { className: 'small muted' })
    caption.dataset.testid = `shown-${item.kind}`
    element.append(make('li', {}, item.thumb, caption))
    return caption
  })

  const refresh = () => {
    element.ariaLabel = say('shownList')
    turn.shown.forEach((item, k) => {
      captions[k]!.replaceChildren(...captionOf(item, turn.seen?.[k]))
    })
    for (const one of steps.values()) one.refresh()
  }

  const seen = (sees: Sees) => {
    turn.shown.forEach((item, k) => {
      const told = turn.seen?.[k]?.steps
      if (item.kind !== 'video' || !told || !sees?.profile) return
      const view = createSteps(item, told, sees.profile, controller.signal)
      steps.set(item, view)
      captions[k]!.after(view.element)
      captions[k]!.parentElement!.classList.add('timed')
    })
    refresh()
  }
  refresh()
  return { element, seen, refresh, close: () => controller.abort() }
}

/** Lines break between the notes, not in them; a name may be long. */
function captionOf(item: Attachment, seen: SeenReport | undefined): (Node | string)[] {
  const notes: string[] = []
  if (item.kind === 'video') notes.push(say('shownStretch', stretchOf(item)))
  if (seen) {
    notes.push(say('shownAs', { size: `${seen.width} × ${seen.height}` }))
    if (seen.steps) notes.push(say('shownSteps', { steps: number(seen.steps.length) }))
    notes.push(say('tokens', { count: number(seen.tokens) }))
    if (seen.cached) notes.push(say('shownBefore'))
  } else if (item.kind === 'picture') notes.push(`${item.width} × ${item.height}`)
  return [item.name, ...notes.flatMap((note) => [' · ', make('span', { className: 'note', textContent: note })])]
}

const stretchOf = ({ start = 0, end, duration }: Attachment) => ({
  start: number(start, 1),
  end: number(Math.min(end ?? duration, duration), 1),
})
