// The playhead: keys move it cell by cell, and playing lets it run as time does, with the pictures in their order.
import { inEveryLanguage, say } from './language.ts'
import { pictureLane, showShown } from './timeline-cell.ts'
import { sing } from './timeline-sing.ts'
import { cellAt, fitAll, goTo, now, onPlan, shiftOf, view, viewChanged, zoom } from './timeline-state.ts'
import { part } from './view.ts'

const ruler = part('timeline-ruler')
const button = part<HTMLButtonElement>('timeline-play')
let stop: (() => void) | undefined

export function startPlay(mark: () => void): void {
  button.addEventListener('click', toggle)
  part('timeline-out').addEventListener('click', () => zoom(1.6))
  part('timeline-in').addEventListener('click', () => zoom(1 / 1.6))
  part('timeline-fit').addEventListener('click', fitAll)
  part('timeline-mark-here').addEventListener('click', mark)
  ruler.addEventListener('keydown', (event) => {
    const act = event.ctrlKey || event.metaKey || event.altKey ? undefined : keys[event.key]
    if (event.key === 'm' || event.key === 'M') mark()
    else if (act && !now.live) act()
    else return
    event.preventDefault()
  })
  onPlan(() => {
    if (now.lanes.length === 0) pause()
  })
  inEveryLanguage(write)
}

export function pause(): void {
  stop?.()
}

const keys: Record<string, () => void> = {
  ArrowLeft: () => step(-1),
  ArrowRight: () => step(1),
  PageUp: () => step(-10),
  PageDown: () => step(10),
  Home: () => goTo(-Infinity),
  End: () => goTo(now.cells?.times[now.cells.times.length - 1] ?? 0),
  ' ': toggle,
  '+': () => zoom(1 / 1.6),
  '=': () => zoom(1 / 1.6),
  '-': () => zoom(1.6),
  '0': fitAll,
}

/** By cells; from between them to the next start. */
function step(by: number): void {
  const { times } = now.cells ?? { times: [] }
  if (times.length === 0) return
  const cell = cellAt(now.playhead)
  const here = cell < 0 ? (now.playhead <= times[0]! ? -1 : times.length) : cell
  goTo(times[Math.min(times.length - 1, Math.max(0, here + by))]!)
}

function toggle(): void {
  if (stop) pause()
  else play()
}

function play(): void {
  if (now.lanes.length === 0 || now.live) return
  const [, end] = now.extent
  if (now.playhead >= end - 1e-3) goTo(-Infinity)
  const began = performance.now() - now.playhead * 1000
  const controller = new AbortController()
  let request = 0
  const tick = () => {
    const time = (performance.now() - began) / 1000
    // The view turns a page rather than gliding along.
    if (time > view.from + view.span) view.from = time - view.span * 0.02
    goTo(time)
    if (time >= end) pause()
    else request = requestAnimationFrame(tick)
  }
  stop = () => {
    cancelAnimationFrame(request)
    controller.abort()
    stop = undefined
    now.playing = false
    write()
    viewChanged()
  }
  now.playing = true
  request = requestAnimationFrame(tick)
  write()
  void film(controller.signal)
  void sing(controller.signal)
}

/** Frames one after the other, each when its time has come; those that come late are passed over. */
async function film(signal: AbortSignal): Promise<void> {
  const lane = pictureLane()
  if (lane?.content.kind !== 'video') return
  const { times, thumbs } = lane.content
  const shift = shiftOf(lane)
  const indices = Array.from({ length: times.length }, (_, k) => k).filter((k) => (times[k + 1] ?? Infinity) + shift > now.playhead)
  let k = 0
  try {
    for await (const frame of thumbs.frames(indices, signal)) {
      const index = indices[k++]!
      const wait = times[index]! + shift - now.playhead
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait * 1000))
      if (signal.aborted || (times[index + 1] ?? Infinity) + shift < now.playhead) frame.close?.()
      else showShown(frame)
      if (signal.aborted) return
    }
  } catch {
    // The playhead goes on without pictures.
  }
}

function write(): void {
  button.textContent = say(stop ? 'timelinePause' : 'timelinePlay')
  button.ariaPressed = String(stop !== undefined)
}
