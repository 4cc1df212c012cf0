// What the tests of media share: rates, random tracks, and the plain definition of every policy, as slow and as obvious as can be.
import fc from 'fast-check'
import { type FaultCode, faultOf } from '../../src/media/faults.ts'
import type { Edge, PolicyName } from '../../src/media/policies.ts'
import type { Rate } from '../../src/media/ticks.ts'

export const cases = { numRuns: 1000 }

export const rates: Rate[] = [
  { num: 30, den: 1 },
  { num: 30_000, den: 1001 },
  { num: 16_000, den: 1 },
  { num: 44_100, den: 1 },
  { num: 13, den: 1 },
  { num: 15_360, den: 1 },
  { num: 1_000_000, den: 1 },
  { num: 7, den: 3 },
]

/** Distinct whole numbers in order. */
export const ordered = (min: number, max: number, options: fc.UniqueArrayConstraintsRecommended<number, number>) =>
  fc.uniqueArray(fc.integer({ min, max }), options).map((list) => list.sort((a, b) => a - b))

/** Rising ticks, now far apart, now so close that ties and exact hits are common. */
export const rising = (max = 40) => fc.oneof(ordered(-60, 200, { maxLength: max }), ordered(-4, 12, { maxLength: Math.min(max, 8) }))

export const somes = fc.oneof(rising(1), rising(3), rising())

export interface Asked {
  policy: PolicyName
  tolerance: number
  maxGap: number
  edge: Edge
}

export interface Said {
  index: number
  right: number
  valid: boolean
  error: number
}

const nobody: Said = { index: -1, right: -1, valid: false, error: 0 }

/** The definition of the policies at a moment: looks at all samples, for every query. */
export function plainly(ticks: readonly number[], last: number, step: number, q: number, how: Asked): Said {
  const n = ticks.length
  if (n === 0) return nobody
  const inside = q >= ticks[0]! && q < ticks[n - 1]! + last
  const edge = (): Said => {
    if (how.edge === 'zero') return { ...nobody, valid: true }
    if (how.edge !== 'clamp') return nobody
    const index = q < ticks[0]! ? 0 : n - 1
    return { index, right: -1, valid: true, error: ticks[index]! - q }
  }
  const before = ticks.filter((t) => t <= q).length - 1
  if (how.policy === 'linear') {
    if (ticks.includes(q)) return { index: ticks.indexOf(q), right: -1, valid: true, error: 0 }
    if (before < 0 || before === n - 1) return edge()
    const [a, b] = [ticks[before]! - q, ticks[before + 1]! - q]
    const error = b < -a ? b : a
    return b - a > how.maxGap || Math.abs(error) > how.tolerance ? nobody : { index: before, right: before + 1, valid: true, error }
  }
  if (inside && before < n - 1 && ticks[before + 1]! - ticks[before]! > how.maxGap && q >= ticks[before]! + step) return nobody
  const able = ticks
    .map((t, i) => ({ i, off: t - q }))
    .filter(({ off }) => (how.policy === 'hold' ? off <= 0 : how.policy === 'next' ? off >= 0 : true))
  const best = able.sort((a, b) => Math.abs(a.off) - Math.abs(b.off) || a.i - b.i)[0]
  if (best && Math.abs(best.off) <= how.tolerance && (inside || how.tolerance < Infinity))
    return { index: best.i, right: -1, valid: true, error: best.off }
  return inside && best ? nobody : edge()
}

/** Mean, max or sum over a cell, tick by tick where it is short: each tick has the value of the sample that stands there. */
export function tickwise(
  policy: 'mean' | 'max' | 'sum',
  ticks: readonly number[],
  values: readonly number[],
  until: readonly number[],
  from: number,
  to: number,
): number | undefined {
  const there: { value: number; share: number }[] = []
  for (let t = from; t < to; t++) {
    const i = ticks.findIndex((start, rank) => start <= t && t < until[rank]!)
    if (i >= 0) there.push({ value: values[i]!, share: 1 / (until[i]! - ticks[i]!) })
  }
  if (there.length === 0) return undefined
  if (policy === 'max') return Math.max(...there.map(({ value }) => value))
  const sum = there.reduce((all, { value, share }) => all + (policy === 'sum' ? value * share : value), 0)
  return policy === 'sum' ? sum : sum / there.length
}

/** The code of the fault that this throws, if it throws one. */
export function codeOf(work: () => unknown): FaultCode | undefined {
  try {
    work()
  } catch (error) {
    const fault = faultOf(error)
    if (!fault) throw error
    return fault.code
  }
  return undefined
}
