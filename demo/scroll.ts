// Keeps the end of a growing answer in sight, just above the prompt, which is stuck to the bottom of the screen or to what stands there.
import { part } from './view.ts'

const near = 80 // px

/** Only who reads the end is taken along; who scrolled up stays there. */
export const isAtEnd = (): boolean => hiddenBelow() < near

export function scrollToEnd(): void {
  const distance = hiddenBelow()
  if (distance > 0) scrollBy({ top: distance })
}

/** How much of the last turn lies under the prompt, in px. */
function hiddenBelow(): number {
  const last = part('answers').lastElementChild
  return last ? last.getBoundingClientRect().bottom + 16 - part('composer').getBoundingClientRect().top : 0
}
