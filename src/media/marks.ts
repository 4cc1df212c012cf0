// Evenly spread marks in the arithmetic of the processors: the same doubles in the same order, since a ceil or floor follows.
import type { Seconds } from './ticks.ts'

/** `count` numbers from first to last. */
export function linspace(first: number, last: number, count: number): number[] {
  if (count < 2) return count === 1 ? [first] : []
  const step = (last - first) / (count - 1)
  const at = (i: number) => (step === 0 ? (i / (count - 1)) * (last - first) : i * step) + first
  return Array.from({ length: count }, (_, i) => (i === count - 1 ? last : at(i)))
}

/** The first time at or after each mark; both rise. Past the end: the last. */
export function walk(times: ArrayLike<Seconds>, marks: number[]): number[] {
  let i = 0
  return marks.map((mark) => {
    while (i < times.length - 1 && times[i]! < mark) i++
    return i
  })
}
