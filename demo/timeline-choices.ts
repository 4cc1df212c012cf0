// Which axis and which part of it: fields that make the plan anew, and the sentence where there is none.
import { type ProfileName, profiles } from 'glm-webgpu'
import { inEveryLanguage, say } from './language.ts'
import { choices, MOST_CELLS, now, onPlan, onView, pan, replan, view } from './timeline-state.ts'
import { make, number, part } from './view.ts'

const axis = part<HTMLSelectElement>('timeline-axis')
const rate = part<HTMLInputElement>('timeline-rate')
const range = part<HTMLSelectElement>('timeline-range')
const from = part<HTMLInputElement>('timeline-from')
const to = part<HTMLInputElement>('timeline-to')
const scroll = part<HTMLInputElement>('timeline-scroll')
const problem = part('timeline-problem')

export function startChoices(): void {
  axis.addEventListener('change', () => choose({ axis: axis.value }))
  rate.addEventListener('input', () => choose({ rate: rate.valueAsNumber }))
  range.addEventListener('change', () => {
    const [start, end] = now.extent
    choose({ range: range.value, ...(range.value === 'part' ? { from: rounded(start), to: rounded(end) } : {}) })
  })
  from.addEventListener('input', () => choose({ from: from.valueAsNumber }))
  to.addEventListener('input', () => choose({ to: to.valueAsNumber }))
  scroll.addEventListener('input', () => pan(scroll.valueAsNumber - view.from))
  onPlan(write)
  onView(writeScroll)
  inEveryLanguage(write)
}

function choose(change: Partial<typeof choices>): void {
  Object.assign(choices, change)
  replan()
}

const rounded = (value: number): number => Math.round(value * 1000) / 1000

function write(): void {
  offer(axis, axes(), choices.axis)
  offer(range, ranges(), choices.range)
  part('timeline-rate-field').hidden = choices.axis !== 'uniform'
  part('timeline-part-fields').hidden = choices.range !== 'part'
  for (const [field, value] of [
    [rate, choices.rate],
    [from, choices.from],
    [to, choices.to],
  ] as const) {
    if (document.activeElement !== field) field.value = String(value)
  }
  const { plan, problem: wrong } = now
  problem.hidden = wrong === undefined
  problem.textContent = wrong === undefined ? '' : wrong instanceof Error ? wrong.message : String(wrong)
  part('timeline-cells').textContent = plan
    ? say('timelineCells', { cells: number(plan.axis.times.length), lanes: number(now.lanes.length) })
    : ''
  part('timeline-page').dataset.cells = String(plan?.axis.times.length ?? 0)
  writeScroll()
}

/** What there is to choose, as value and name. */
function axes(): [string, string][] {
  const kinds = new Set(now.lanes.map(({ content }) => content.kind))
  const models = (Object.keys(profiles) as ProfileName[]).filter((name) => {
    const { kind } = profiles[name]
    return kind === 'rate' || kinds.has(kind)
  })
  const tracks = now.lanes.filter(({ count }) => count > 0 && count <= MOST_CELLS)
  return [
    ['uniform', say('timelineUniform')],
    ...models.map((name): [string, string] => [`model:${name}`, say('timelineModelAxis', { model: name })]),
    ...tracks.map(({ id }): [string, string] => [`track:${id}`, say('timelineTrackAxis', { lane: id })]),
  ]
}

function ranges(): [string, string][] {
  return [
    ['union', say('timelineUnion')],
    ['intersection', say('timelineIntersection')],
    ...now.lanes.map(({ id }): [string, string] => [`track:${id}`, say('timelineOnly', { lane: id })]),
    ['part', say('timelinePart')],
  ]
}

function offer(select: HTMLSelectElement, offered: [string, string][], chosen: string): void {
  const same = select.options.length === offered.length && offered.every(([value], k) => select.options[k]!.value === value)
  for (const [k, [, text]] of same ? offered.entries() : []) select.options[k]!.textContent = text
  if (!same) select.replaceChildren(...offered.map(([value, textContent]) => make('option', { value, textContent })))
  select.value = chosen
}

/** There only where not all is on show. */
function writeScroll(): void {
  const [start, end] = now.extent
  const margin = Math.max(0.1, end - start) * 0.01
  scroll.min = String(start - margin)
  scroll.max = String(Math.max(start - margin, end + margin - view.span))
  scroll.step = 'any'
  scroll.value = String(view.from)
  part('timeline-scroll-row').hidden = now.live || view.span >= (end - start) * 1.015
}
