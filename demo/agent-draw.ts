// An action drawn over a screenshot, in its pixels: rings where it taps, an arrow where it swipes; and in words, as a person says it. Nothing is carried out.
import { type AgentAction, pixelsOf, type ScreenPoint } from 'glm-webgpu'
import { language, say } from './language.ts'
import { number } from './view.ts'

export interface Size {
  width: number
  height: number
}

const namespace = 'http://www.w3.org/2000/svg'

/** Puts the drawing into `svg`, whose user space becomes the screenshot's pixels. */
export function drawAction(svg: SVGSVGElement, action: AgentAction, size: Size | undefined): void {
  svg.replaceChildren()
  if (!size) return
  svg.setAttribute('viewBox', `0 0 ${size.width} ${size.height}`)
  // Each line twice: light below, so that it shows on any picture.
  for (const layer of ['below', 'above']) {
    const group = shape('g', { class: layer })
    group.append(...shapesOf(action, size))
    svg.append(group)
  }
}

function shapesOf(action: AgentAction, { width, height }: Size): SVGElement[] {
  const unit = Math.min(width, height)
  const at = (point: ScreenPoint) => pixelsOf(point, width, height)
  const ring = (point: ScreenPoint, radius: number, name = 'ring') => {
    const [cx, cy] = at(point)
    return shape('circle', { cx, cy, r: radius * unit, class: name })
  }
  if (action.type === 'tap') return [ring(action.at, 0.05), ring(action.at, 0.008, 'dot')]
  if (action.type === 'doubleTap') return [ring(action.at, 0.05), ring(action.at, 0.032), ring(action.at, 0.008, 'dot')]
  if (action.type === 'longPress') return [ring(action.at, 0.05), ring(action.at, 0.03, 'dot held')]
  if (action.type !== 'swipe') return []
  return [ring(action.from, 0.016, 'dot'), ...arrow(at(action.from), at(action.to), 0.05 * unit)]
}

/** A line with a head; a swipe that goes nowhere has none. */
function arrow([x1, y1]: [number, number], [x2, y2]: [number, number], head: number): SVGElement[] {
  const length = Math.hypot(x2 - x1, y2 - y1)
  if (length === 0) return []
  const [along, size] = [[(x2 - x1) / length, (y2 - y1) / length] as const, Math.min(head, length)]
  const side = (sign: number) => [x2 - size * (along[0] + sign * 0.6 * along[1]), y2 - size * (along[1] - sign * 0.6 * along[0])]
  const points = [side(1), [x2, y2], side(-1)].map(([x, y]) => `${round(x!)},${round(y!)}`).join(' ')
  return [shape('line', { x1, y1, x2, y2 }), shape('polyline', { points })]
}

const round = (value: number) => Math.round(value * 10) / 10

function shape(name: string, attributes: Record<string, string | number>): SVGElement {
  const made = document.createElementNS(namespace, name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value))
  return made
}

/** One sentence. Points are told in pixels of the screenshot, without one in thousandths of the screen. */
export function wordsOf(action: AgentAction, size: Size | undefined): string {
  const point = (one: ScreenPoint) => pointOf(one, size)
  switch (action.type) {
    case 'tap':
    case 'doubleTap':
    case 'longPress':
      return say(`agent_${action.type}`, { at: point(action.at) })
    case 'swipe':
      return say('agent_swipe', { from: point(action.from), to: point(action.to) })
    case 'type':
    case 'typeName':
      return say(`agent_${action.type}`, { text: action.text })
    case 'launch':
      return say('agent_launch', { app: action.app })
    case 'wait':
      return say('agent_wait', { seconds: number(action.seconds, 1) })
    case 'callApi':
      return say('agent_callApi', { text: action.instruction })
    default:
      return say(`agent_${action.type}`)
  }
}

function pointOf(point: ScreenPoint, size: Size | undefined): string {
  const plain = (value: number) => new Intl.NumberFormat(language(), { useGrouping: false }).format(value)
  if (!size) return `${plain(point[0])} ‰, ${plain(point[1])} ‰`
  const [x, y] = pixelsOf(point, size.width, size.height)
  return `${plain(x)}, ${plain(y)}`
}

/** What the agent says to the person, beside what it does. */
export function messageOf(action: AgentAction): string {
  if (action.type === 'unknown') return action.why
  return 'message' in action && action.message ? action.message : ''
}
