// What the model sees: the frames that its processor takes of the clip, two to a step, and the very label that stands after each step.
import { type Plan, type ProfileName, profiles, toSeconds } from 'glm-webgpu'
import { inEveryLanguage, say } from './language.ts'
import { pictureLane, seconds } from './timeline-cell.ts'
import type { Lane } from './timeline-lane.ts'
import { choices, goTo, modelPlan, now, onPlan } from './timeline-state.ts'
import { make, number, part } from './view.ts'

/** Steps shown before more are asked for. */
const SOME = 24
const PAUSE = 150 // ms

const select = part<HTMLSelectElement>('timeline-profile')
const list = part('timeline-steps')
const more = part('timeline-more')
const names = (Object.keys(profiles) as ProfileName[]).filter((name) => profiles[name].kind === 'video')
let most = SOME
let pass = new AbortController()
let shown = ''
let timer: ReturnType<typeof setTimeout> | undefined

export function startSight(): void {
  select.append(...names.map((value) => make('option', { value, textContent: value })))
  select.addEventListener('change', () => {
    most = SOME
    write()
  })
  more.addEventListener('click', () => {
    most += 4 * SOME
    write()
  })
  onPlan(() => {
    const name = choices.axis.replace('model:', '')
    if (choices.axis !== `model:${select.value}` && names.some((one) => one === name)) select.value = name
    later()
  })
  inEveryLanguage(() => {
    shown = ''
    write()
  })
}

/** After the last of many plans: while a lane is dragged only its own is made. */
function later(): void {
  clearTimeout(timer)
  part('timeline-sight').hidden = !pictureLane() || now.live || now.plan === undefined
  timer = setTimeout(write, PAUSE)
}

function write(): void {
  const lane = pictureLane()
  const page = part('timeline-sight')
  page.hidden = !lane || now.live || now.plan === undefined
  if (page.hidden || !lane) {
    shown = ''
    pass.abort()
    list.replaceChildren()
    return
  }
  let plan: Plan | undefined
  try {
    plan = modelPlan(select.value as ProfileName, lane.id)
  } catch {
    // The same sentence stands above, where the plan is.
  }
  const { labels = [], frames = new Int32Array(), times = new Float64Array() } = plan?.axis ?? {}
  part('timeline-sight-about').textContent = say('timelineSightAbout', {
    frames: number(new Set(frames).size),
    all: number(lane.count),
    steps: number(labels.length),
  })
  const state = JSON.stringify([
    lane.id,
    lane.from,
    labels.length,
    most,
    select.value,
    labels.slice(0, most),
    ...frames.slice(0, 2 * most),
    times[0],
  ])
  more.hidden = labels.length <= most
  if (state === shown) return
  shown = state
  const pair = labels.length === 0 ? 1 : frames.length / labels.length
  const steps = labels
    .slice(0, most)
    .map((label, k) => newStep(lane, label, [...frames.slice(k * pair, (k + 1) * pair)], toSeconds(times[k]!)))
  list.replaceChildren(...steps.map(({ element }) => element))
  void picture(lane, steps)
}

interface Step {
  element: HTMLElement
  canvases: [number, HTMLCanvasElement][]
}

function newStep(lane: Lane, label: string, frames: number[], time: number): Step {
  const aspect = lane.content.kind === 'video' ? lane.content.thumbs.aspect : 1
  const canvases = frames.map((index): [number, HTMLCanvasElement] => {
    const canvas = make('canvas', { width: Math.round(96 * Math.min(2.5, aspect)), height: 96 })
    return [index, canvas]
  })
  const names = say('timelineStepFrames', { frames: [...new Set(frames)].map((index) => number(index)).join(', '), time: seconds(time) })
  const code = make('code', { textContent: label, lang: 'en' })
  code.dataset.testid = 'step-label'
  const button = make(
    'button',
    { type: 'button', className: 'plain' },
    make('span', { className: 'step-pictures' }, ...canvases.map(([, one]) => one)),
    code,
  )
  button.append(make('span', { className: 'small muted', textContent: names }))
  button.addEventListener('click', () => goTo(time))
  return { element: make('li', {}, button), canvases }
}

/** One pass over the clip for all of them. */
async function picture({ content }: Lane, steps: Step[]): Promise<void> {
  pass.abort()
  pass = new AbortController()
  const { signal } = pass
  if (content.kind !== 'video') return
  const places = new Map<number, HTMLCanvasElement[]>()
  for (const [index, canvas] of steps.flatMap(({ canvases }) => canvases)) places.set(index, [...(places.get(index) ?? []), canvas])
  const indices = [...places.keys()].sort((a, b) => a - b)
  let k = 0
  try {
    for await (const frame of content.thumbs.frames(indices, signal)) {
      for (const canvas of places.get(indices[k]!)!) canvas.getContext('2d')!.drawImage(frame, 0, 0, canvas.width, canvas.height)
      k++
      frame.close?.()
    }
  } catch {
    // A frame that cannot be decoded leaves its place empty.
  }
}
