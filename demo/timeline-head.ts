// A lane's head: its name, its policy with how far a sample may lie, its offset as a number, and a way out.
import type { PolicyName } from 'glm-webgpu'
import { say } from './language.ts'
import { type Lane, policies } from './timeline-lane.ts'
import { now, removeLane, replan } from './timeline-state.ts'
import { make, part } from './view.ts'
import type { Word } from './words.ts'

export interface Head {
  element: HTMLElement
  write(): void
}

export function newHead(lane: Lane, move: (offset: number) => void): Head {
  const name = make('h3', { textContent: lane.id })
  const from = make('span', { className: 'lane-from small muted', textContent: lane.from, title: lane.from })
  const remove = make('button', { type: 'button', className: 'plain lane-remove', textContent: '×' })
  const policy = make('select')
  const tolerance = make('input', { type: 'number', min: '0', step: 'any', placeholder: '' })
  const offset = make('input', { type: 'number', step: '10' })
  const fields = [field('timelinePolicy', policy), field('timelineTolerance', tolerance), field('timelineOffset', offset)]
  policy.append(...policies[lane.content.kind].map((value) => make('option', { value })))
  for (const [element, what] of [
    [remove, 'remove'],
    [policy, 'policy'],
    [tolerance, 'tolerance'],
    [offset, 'offset'],
  ] as const)
    element.dataset.testid = `${what}-${lane.id}`
  remove.addEventListener('click', () => {
    removeLane(lane)
    part(now.lanes.length > 0 ? 'timeline-ruler' : 'timeline-example').focus()
  })
  policy.addEventListener('change', () => {
    lane.policy = policy.value as PolicyName
    replan()
  })
  tolerance.addEventListener('input', () => {
    if (Number.isNaN(tolerance.valueAsNumber)) delete lane.tolerance
    else lane.tolerance = tolerance.valueAsNumber
    replan()
  })
  offset.addEventListener('input', () => {
    if (!Number.isNaN(offset.valueAsNumber)) move(offset.valueAsNumber / 1000)
  })
  const write = () => {
    remove.ariaLabel = say('timelineRemove', { lane: lane.id })
    for (const option of policy.options) option.textContent = say(`timelinePolicy_${option.value as PolicyName}` as Word)
    for (const one of fields) one.write(lane.id)
    policy.value = lane.policy
    tolerance.placeholder = usualTolerance(lane)
    // What is being typed is not written over.
    if (document.activeElement !== offset) offset.value = String(Math.round(lane.offset * 1000))
    remove.hidden = now.live
    for (const one of fields) one.element.hidden = now.live
  }
  const title = make('div', { className: 'lane-title' }, name, from, remove)
  return {
    element: make('div', { className: 'lane-head' }, title, make('div', { className: 'lane-fields' }, ...fields.map((one) => one.element))),
    write,
  }
}

/** What the plan took where nothing was asked for. */
function usualTolerance({ id }: Lane): string {
  const ticks = now.plan?.tracks[id]?.how.tolerance ?? Infinity
  return ticks === Infinity ? '∞' : String(Math.round(ticks / 70_560) / 10)
}

function field(word: Word, input: HTMLElement): { element: HTMLElement; write(lane: string): void } {
  const name = make('span', { ariaHidden: 'true' })
  const element = make('label', {}, name, input)
  const write = (lane: string) => {
    name.textContent = say(word)
    input.ariaLabel = say('timelineOf', { what: say(word), lane })
  }
  return { element, write }
}
