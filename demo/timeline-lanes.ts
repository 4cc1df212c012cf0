// Lanes as elements: a head with what can be chosen, a canvas, and a handle that moves the lane. Drawn once a frame of the screen at most.
import { inEveryLanguage, say } from './language.ts'
import { forgetColors } from './timeline-colors.ts'
import { drawLane, drawRuler, heightOf, timeAt, xOf } from './timeline-draw.ts'
import { newHead } from './timeline-head.ts'
import type { Lane } from './timeline-lane.ts'
import { cellAt, goTo, now, onPlan, onView, pan, replan, shiftOf, view, zoom } from './timeline-state.ts'
import { make, number, part } from './view.ts'

interface Row {
  lane: Lane
  element: HTMLElement
  canvas: HTMLCanvasElement
  handle: HTMLElement
  write(): void
}

/** Width of a handle, in pixels; it stands before its lane's start. */
const HANDLE = 12

const list = part('timeline-lanes')
const ruler = part<HTMLCanvasElement>('timeline-ruler')
const line = part('timeline-line')
const mark = part('timeline-mark')
let rows: Row[] = []
let due = 0
const hovered: ((cell: number) => void)[] = []

export function startLanes(): void {
  onPlan(writeRows)
  onView(redraw)
  inEveryLanguage(() => {
    for (const row of rows) row.write()
  })
  for (const query of ['(prefers-color-scheme: dark)', `(resolution: ${devicePixelRatio}dppx)`]) {
    matchMedia(query).addEventListener('change', () => {
      forgetColors()
      redraw()
    })
  }
  new ResizeObserver(redraw).observe(list)
  follow(ruler)
}

/** Told the cell under the pointer, -1 when it has left. */
export function onHover(listener: (cell: number) => void): void {
  hovered.push(listener)
}

export function redraw(): void {
  if (due === 0) due = requestAnimationFrame(draw)
}

function draw(): void {
  due = 0
  if (list.clientWidth === 0) return
  drawRuler(ruler)
  for (const { lane, canvas, handle } of rows) {
    canvas.style.height = `${heightOf(lane)}px`
    drawLane(canvas, lane, redraw)
    const left = xOf(startOf(lane), canvas.clientWidth)
    handle.style.translate = `${Math.min(Math.max(left - HANDLE, 0), canvas.clientWidth - HANDLE)}px 0`
  }
  place()
}

/** Playhead and the cell that it is in, over all lanes. */
function place(): void {
  const width = ruler.clientWidth
  const at = ruler.offsetLeft
  const x = xOf(now.playhead, width)
  line.hidden = x < 0 || x > width
  line.style.translate = `${at + x}px 0`
  const cell = cellAt(now.playhead)
  const { cells } = now
  mark.hidden = cell < 0 || !cells
  if (cell < 0 || !cells) return
  const [from, to] = [cells.times[cell]!, cell + 1 < cells.times.length ? cells.times[cell + 1]! : cells.end]
  const [left, right] = [Math.max(0, xOf(from, width)), Math.min(width, xOf(to, width))]
  mark.hidden = right <= left
  mark.style.translate = `${at + left}px 0`
  mark.style.width = `${Math.max(1, right - left)}px`
}

function startOf(lane: Lane): number {
  const { content } = lane
  const shift = shiftOf(lane)
  if (content.kind === 'video') return (content.times[0] ?? 0) + shift
  if (content.kind === 'audio') return content.start + shift
  if (content.kind === 'text') return (content.cues[0]?.start ?? 0) + shift
  return (content.marks[0]?.time ?? 0) + shift
}

/** Rows are kept while their lanes are, so that focus stays. */
function writeRows(): void {
  const kept = new Map(rows.map((row) => [row.lane, row]))
  const next = now.lanes.map((lane) => kept.get(lane) ?? newRow(lane))
  for (const row of rows) if (!next.includes(row)) row.element.remove()
  for (const row of next) if (!kept.has(row.lane)) list.append(row.element)
  rows = next
  for (const row of rows) row.write()
  redraw()
}

function newRow(lane: Lane): Row {
  const canvas = make('canvas', { className: 'lane-canvas' })
  const handle = make('button', { type: 'button', className: 'lane-handle' })
  handle.role = 'slider'
  handle.dataset.testid = `handle-${lane.id}`
  const move = (offset: number) => {
    lane.offset = Math.round(offset * 1000) / 1000
    replan()
  }
  const head = newHead(lane, move)
  const element = make('section', { className: 'lane' }, head.element, make('div', { className: 'lane-track' }, canvas, handle))
  element.dataset.kind = lane.content.kind
  element.dataset.testid = `lane-${lane.id}`
  follow(canvas)
  drag(handle, lane, canvas, move)
  steer(handle, lane, move)
  const write = () => {
    const value = offsetText(lane)
    element.ariaLabel = lane.id
    handle.title = say('timelineHandle', { lane: lane.id, offset: value })
    handle.ariaLabel = say('timelineOffsetOf', { lane: lane.id })
    handle.ariaValueNow = String(Math.round(lane.offset * 1000))
    handle.ariaValueText = value
    handle.dataset.offset = lane.offset === 0 ? '' : value
    handle.hidden = now.live
    head.write()
  }
  return { lane, element, canvas, handle, write }
}

function offsetText({ offset }: Lane): string {
  const ms = Math.round(offset * 1000)
  return `${ms > 0 ? '+' : ms < 0 ? '−' : ''}${number(Math.abs(ms))} ms`
}

function drag(handle: HTMLElement, lane: Lane, canvas: HTMLCanvasElement, move: (offset: number) => void): void {
  let from: { x: number; offset: number } | undefined
  handle.addEventListener('pointerdown', (event) => {
    from = { x: event.clientX, offset: lane.offset }
    handle.setPointerCapture(event.pointerId)
  })
  handle.addEventListener('pointermove', (event) => {
    if (from) move(from.offset + ((event.clientX - from.x) / canvas.clientWidth) * view.span)
  })
  for (const end of ['pointerup', 'pointercancel', 'lostpointercapture'] as const) {
    handle.addEventListener(end, () => {
      from = undefined
    })
  }
}

/** Arrows move by 10 ms, with Shift by 100 ms; Delete puts it back. */
function steer(handle: HTMLElement, lane: Lane, move: (offset: number) => void): void {
  handle.addEventListener('keydown', (event) => {
    const sign = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key]
    if (sign) move(lane.offset + sign * (event.shiftKey ? 0.1 : 0.01))
    else if (event.key === 'Delete' || event.key === 'Backspace') move(0)
    else return
    event.preventDefault()
    event.stopPropagation()
  })
}

/** A press moves the playhead and takes it along; the wheel goes through time, with Ctrl it zooms. */
function follow(canvas: HTMLCanvasElement): void {
  const time = (event: MouseEvent) => timeAt(event.clientX - canvas.getBoundingClientRect().left, canvas.clientWidth)
  const tell = (cell: number) => {
    for (const listener of hovered) listener(cell)
  }
  canvas.addEventListener('pointerdown', (event) => {
    if (event.button !== 0 || now.live) return
    canvas.setPointerCapture(event.pointerId)
    goTo(time(event))
  })
  canvas.addEventListener('pointermove', (event) => {
    if (canvas.hasPointerCapture(event.pointerId)) goTo(time(event))
    else if (event.pointerType === 'mouse') tell(cellAt(time(event)))
  })
  canvas.addEventListener('pointerleave', () => tell(-1))
  canvas.addEventListener(
    'wheel',
    (event) => {
      const across = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX
      if (now.live || (!event.ctrlKey && !event.metaKey && Math.abs(across) < Math.abs(event.deltaY) && !event.shiftKey)) return
      event.preventDefault()
      if (event.ctrlKey || event.metaKey) zoom(Math.exp(event.deltaY / 200), time(event))
      else pan((across / canvas.clientWidth) * view.span)
    },
    { passive: false },
  )
}
