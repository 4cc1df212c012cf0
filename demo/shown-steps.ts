// The steps of a video as the model was given them: the frames of each, the very label that it reads beside them, and their tokens.
import { type Media, openMedia, type ProfileName, type SeenReport, sampleFrames } from 'glm-webgpu'
import type { Attachment, Clip } from './attach-item.ts'
import { say } from './language.ts'
import { make, number } from './view.ts'

type Step = NonNullable<SeenReport['steps']>[number]

export interface StepsView {
  element: HTMLElement
  refresh(): void
}

/** Steps shown before more are asked for. */
const SOME = 12
const HEIGHT = 96 // pixels of a frame's small picture

export function createSteps(item: Attachment, steps: readonly Step[], profile: ProfileName, signal: AbortSignal): StepsView {
  const list = make('ol', { className: 'steps' })
  const more = make('button', { type: 'button', className: 'plain' })
  const element = make('div', { className: 'seen-steps' }, list, more)
  const cards: { step: Step; pictures: HTMLElement; tokens: HTMLElement }[] = []
  list.dataset.testid = 'shown-steps'
  more.dataset.testid = 'shown-more'

  const add = (count: number) => {
    const fresh = steps.slice(cards.length, cards.length + count).map((step) => {
      const label = make('code', { textContent: step.label, lang: 'en' })
      label.dataset.testid = 'shown-label'
      const [pictures, tokens] = [make('span', { className: 'frames' }), make('span', { className: 'small muted' })]
      list.append(make('li', {}, pictures, label, tokens))
      return { step, pictures, tokens }
    })
    cards.push(...fresh)
    more.hidden = cards.length >= steps.length
    refresh()
    void draw(item, { steps, from: cards.length - fresh.length, pictures: fresh.map(({ pictures }) => pictures) }, profile, signal)
  }
  const refresh = () => {
    for (const { step, tokens } of cards) tokens.textContent = say('tokens', { count: number(step.tokens) })
    more.textContent = say('shownMore', { count: number(steps.length - cards.length) })
  }
  more.addEventListener('click', () => add(4 * SOME))
  add(SOME)
  return { element, refresh }
}

interface Wanted {
  /** All steps of the video. */
  steps: readonly Step[]
  /** The first that is drawn, and where each goes. */
  from: number
  pictures: HTMLElement[]
}

async function draw(item: Attachment, wanted: Wanted, profile: ProfileName, signal: AbortSignal): Promise<void> {
  const { source } = item
  if (!(source instanceof Blob)) return drawClip(item, source, wanted)
  let media: Media | undefined
  try {
    media = await openMedia(source, { signal })
    await drawFile(media, item, wanted, profile, signal)
  } catch {
    // Aborted, or a file that has gone since. A frame that cannot be decoded leaves its place empty: what the model was given stands beside.
  } finally {
    media?.close()
  }
}

/** One pass over the file for all of them. */
async function drawFile(media: Media, item: Attachment, { steps, from, pictures }: Wanted, profile: ProfileName, signal: AbortSignal) {
  const places = new Map<number, HTMLCanvasElement[]>()
  framesOf(media, item, steps, profile)
    .slice(from, from + pictures.length)
    .forEach((frames, k) => {
      const canvases = frames.map((frame) => {
        const canvas = newFrame(item)
        places.set(frame, [...(places.get(frame) ?? []), canvas])
        return canvas
      })
      pictures[k]!.replaceChildren(...canvases)
    })
  const wanted = [...places.keys()].sort((a, b) => a - b)
  let at = 0
  for await (const frame of media.video!.frames(wanted, { signal })) {
    for (const canvas of places.get(wanted[at]!)!) paint(canvas, frame)
    at++
    frame.close()
  }
}

/** Two frames share a step, an odd last one has its own. */
function drawClip(item: Attachment, { frames }: Clip, { from, pictures }: Wanted): void {
  pictures.forEach((place, k) => {
    const shown = frames.slice(2 * (from + k), 2 * (from + k) + 2)
    place.replaceChildren(
      ...shown.map((frame) => {
        const canvas = newFrame(item)
        paint(canvas, frame)
        return canvas
      }),
    )
  })
}

const newFrame = ({ width, height }: Attachment): HTMLCanvasElement =>
  make('canvas', { width: Math.max(1, Math.round((HEIGHT * width) / height)), height: HEIGHT, ariaHidden: 'true' })

const paint = (canvas: HTMLCanvasElement, frame: CanvasImageSource): void =>
  canvas.getContext('2d')!.drawImage(frame, 0, 0, canvas.width, canvas.height)

/** The frames of each step, by the model's own rule; where that does not meet the times that were told, the frame at each of those. */
export function framesOf(
  { video, start: origin, duration }: Media,
  { start = 0, end = Number.POSITIVE_INFINITY }: Pick<Attachment, 'start' | 'end'>,
  steps: readonly Pick<Step, 'time'>[],
  profile: ProfileName,
): number[][] {
  const times = Array.from(video!.times, (time) => time - origin)
  const within = [...times.keys()].filter((i) => times[i]! >= start && times[i]! < end)
  const length = Math.max(1e-3, Math.min(duration, end) - start)
  const clip = { frames: within.length, fps: Math.max(1e-3, within.length / length), duration: length }
  const ruled = sampleFrames(profile, { ...clip, times: within.map((i) => times[i]! - start) }).map((i) => within[i]!)
  const pairs = steps.map((_, k) => ruled.slice(2 * k, 2 * k + 2))
  const met = ruled.length === 2 * steps.length && steps.every(({ time }, k) => Math.abs(times[pairs[k]![0]!]! - time) < 1e-3)
  return met ? pairs : steps.map(({ time }) => [nearest(times, time)])
}

function nearest(times: readonly number[], time: number): number {
  let best = 0
  for (let i = 1; i < times.length; i++) if (Math.abs(times[i]! - time) < Math.abs(times[best]! - time)) best = i
  return best
}
