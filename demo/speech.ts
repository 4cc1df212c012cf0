// What screen readers hear. Text that streams in is spoken a sentence or so at a time, not token by token.
import { part } from './view.ts'

const pause = 2500 // ms between two readings
const region = part('spoken')
let waiting = ''
let timer: ReturnType<typeof setTimeout> | undefined

/** Speaks a whole sentence at once: phases of a load, for example. */
export function announce(text: string): void {
  region.textContent = text
}

export function speakPart(text: string): void {
  waiting += text
  timer ??= setTimeout(() => {
    timer = undefined
    const end = lastBreak(waiting)
    if (end > 0) region.textContent = waiting.slice(0, end)
    waiting = waiting.slice(end)
  }, pause)
}

/** Speaks what is left; `silently` forgets it. */
export function speakRest(silently = false): void {
  clearTimeout(timer)
  timer = undefined
  if (waiting !== '' && !silently) region.textContent = waiting
  waiting = ''
}

/** Words are not cut: up to the last space or Chinese punctuation. */
function lastBreak(text: string): number {
  return Math.max(...[' ', '\n', '，', '。', '、', '；', '！', '？'].map((mark) => text.lastIndexOf(mark))) + 1
}
