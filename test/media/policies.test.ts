// Policies against their plain definition, and what must hold of any alignment whatever the numbers.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Plan, PlannedTrack } from '../../src/media/plan.ts'
import type { Edge, PolicyName } from '../../src/media/policies.ts'
import { toSeconds } from '../../src/media/ticks.ts'
import { Timeline } from '../../src/media/timeline.ts'
import { type Asked, cases, codeOf, ordered, plainly, rising, somes, tickwise } from './tracks.ts'

const queries = fc.oneof(ordered(-90, 260, { minLength: 1, maxLength: 40 }), ordered(-8, 20, { minLength: 1, maxLength: 20 }))
const limits = fc.oneof(fc.constant(Infinity), fc.integer({ min: 0, max: 30 }))
const edges = fc.constantFrom<Edge>('missing', 'clamp', 'zero')
const points = fc.record({
  policy: fc.constantFrom<PolicyName>('nearest', 'hold', 'next', 'linear'),
  tolerance: limits,
  maxGap: limits,
  edge: edges,
})

const seconds = (ticks: number) => (ticks === Infinity ? ticks : toSeconds(ticks))

/** One series with the value of its place, asked at ticks. */
function planned(ticks: readonly number[], axis: readonly number[], how: Asked, options: { offset?: number; values?: Float32Array } = {}) {
  const timeline = new Timeline({ strict: false, origin: 'media' })
  const values = options.values ?? Float32Array.from(ticks, (_, i) => i)
  timeline.series('s', { ticks, values, duration: toSeconds(5), offset: toSeconds(options.offset ?? 0) })
  const policy = { policy: how.policy, tolerance: seconds(how.tolerance), maxGap: seconds(how.maxGap), edge: how.edge }
  const plan = timeline.plan({ axis: { kind: 'explicit', ticks: axis }, policies: { s: policy } })
  return { plan, track: plan.tracks.s!, rendered: timeline.render(plan).s! }
}

function median(ticks: readonly number[]): number {
  const steps = ticks
    .slice(1)
    .map((t, i) => t - ticks[i]!)
    .sort((a, b) => a - b)
  return Math.max(1, steps[Math.floor((steps.length - 1) / 2)] ?? 1)
}

const at = ({ index, right, mask, error }: PlannedTrack, k: number) => ({
  index: index[k]!,
  right: right?.[k] ?? -1,
  valid: mask[k] === 1,
  error: error[k]!,
})

describe('at a moment', () => {
  test('every policy, tolerance, gap and edge is its definition', () => {
    fc.assert(
      fc.property(somes, queries, points, (ticks, axis, how) => {
        const { track } = planned(ticks, axis, how)
        const wanted = axis.map((q) => plainly(ticks, 5, median(ticks), q, how))
        expect(axis.map((_, k) => at(track, k))).toEqual(wanted)
      }),
      cases,
    )
  })

  test('a later cell never goes back to an earlier sample', () => {
    fc.assert(
      fc.property(somes, queries, points, (ticks, axis, how) => {
        const used = [...planned(ticks, axis, how).track.index].filter((index) => index >= 0)
        expect(used.every((index, k) => k === 0 || index >= used[k - 1]!)).toBe(true)
      }),
      cases,
    )
  })

  test('on its own times a track is itself, bit for bit, with no error', () => {
    const floats = fc.float({ noNaN: true, noDefaultInfinity: true })
    fc.assert(
      fc.property(rising(), points, fc.array(floats, { minLength: 40, maxLength: 40 }), (ticks, how, list) => {
        const values = Float32Array.from(list.slice(0, ticks.length))
        const { track, rendered } = planned(ticks, ticks, { ...how, tolerance: 0 }, { values })
        expect([...track.index]).toEqual(ticks.map((_, i) => i))
        expect(track.error.every((error) => error === 0)).toBe(true)
        expect(new Uint32Array(rendered.values!.buffer)).toEqual(new Uint32Array(values.buffer))
      }),
      cases,
    )
  })

  test('moving track and axis together changes nothing', () => {
    fc.assert(
      fc.property(
        somes,
        queries,
        points,
        fc.integer({ min: -(2 ** 52), max: 2 ** 52 }),
        fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
        (ticks, axis, how, shift, offset) => {
          const here = planned(ticks, axis, how)
          const there = planned(
            ticks.map((t) => t + shift),
            axis.map((t) => t + shift + offset),
            how,
            { offset },
          )
          expect(there.track).toEqual(here.track)
          expect(there.rendered).toEqual(here.rendered)
        },
      ),
      cases,
    )
  })

  test('linear stays between the two samples it is made of', () => {
    const floats = fc.float({ noNaN: true, min: -1e6, max: 1e6 })
    fc.assert(
      fc.property(rising(), queries, fc.array(floats, { minLength: 40, maxLength: 40 }), (ticks, axis, list) => {
        const values = Float32Array.from(list.slice(0, ticks.length))
        const { track, rendered } = planned(
          ticks,
          axis,
          { policy: 'linear', tolerance: Infinity, maxGap: Infinity, edge: 'missing' },
          { values },
        )
        for (let k = 0; k < axis.length; k++) {
          if (!track.mask[k] || track.right![k]! < 0) continue
          const [a, b] = [values[track.index[k]!]!, values[track.right![k]!]!]
          expect(rendered.values![k]!).toBeGreaterThanOrEqual(Math.min(a, b))
          expect(rendered.values![k]!).toBeLessThanOrEqual(Math.max(a, b))
          const exact = track.weight[k]! * ticks[track.index[k]!]! + (1 - track.weight[k]!) * ticks[track.right![k]!]!
          expect(exact).toBeCloseTo(axis[k]!, 9)
        }
      }),
      cases,
    )
  })

  test('no error is beyond the tolerance, and nothing within it is left out', () => {
    const how = fc.record({ policy: fc.constantFrom<PolicyName>('nearest', 'hold', 'next'), tolerance: fc.integer({ min: 0, max: 30 }) })
    fc.assert(
      fc.property(somes, queries, how, (ticks, axis, { policy, tolerance }) => {
        const { track } = planned(ticks, axis, { policy, tolerance, maxGap: Infinity, edge: 'missing' })
        axis.forEach((q, k) => {
          const within = ticks.some((t) => Math.abs(t - q) <= tolerance && (policy === 'nearest' || (policy === 'hold' ? t <= q : t >= q)))
          expect(track.mask[k] === 1).toBe(within)
          if (track.mask[k]) expect(Math.abs(track.error[k]!)).toBeLessThanOrEqual(tolerance)
        })
      }),
      cases,
    )
  })

  test('what is missing is 0 and masked, never NaN; a NaN masks the cells it would enter', () => {
    const values = fc.array(fc.constantFrom(1, 2, Number.NaN, Infinity), { minLength: 40, maxLength: 40 })
    const policies = fc.constantFrom<PolicyName>('nearest', 'linear', 'mean', 'max', 'sum')
    fc.assert(
      fc.property(somes, queries, policies, values, edges, (ticks, axis, policy, list, edge) => {
        const how = { policy, tolerance: Infinity, maxGap: Infinity, edge }
        const { rendered } = planned(ticks, axis, how, { values: Float32Array.from(list.slice(0, ticks.length)) })
        rendered.values!.forEach((value, k) => {
          expect(Number.isFinite(value)).toBe(true)
          if (!rendered.mask[k]) expect(value).toBe(0)
        })
      }),
      cases,
    )
  })
})

describe('over a cell', () => {
  const folds = fc.constantFrom<'mean' | 'max' | 'sum'>('mean', 'max', 'sum')

  test('mean, max and sum are what every tick of the cell says', () => {
    fc.assert(
      fc.property(rising(12), queries, folds, limits, (ticks, axis, policy, maxGap) => {
        const values = ticks.map((t) => Math.fround((t % 7) + 0.25))
        const { plan, track, rendered } = planned(
          ticks,
          axis,
          { policy, tolerance: Infinity, maxGap, edge: 'missing' },
          { values: Float32Array.from(values) },
        )
        const step = median(ticks)
        const until = ticks.map((t, i) =>
          i === ticks.length - 1 ? t + 5 : ticks[i + 1]! - t > maxGap ? Math.min(t + step, ticks[i + 1]!) : ticks[i + 1]!,
        )
        axis.forEach((q, k) => {
          const wanted = tickwise(policy, ticks, values, until, q, axis[k + 1] ?? plan.axis.end)
          expect(track.mask[k] === 1).toBe(wanted !== undefined)
          if (wanted !== undefined) expect(rendered.values![k]!).toBeCloseTo(wanted, 4)
        })
      }),
      cases,
    )
  })

  test('the sum over all cells is the sum of the samples, however the cells lie', () => {
    fc.assert(
      fc.property(rising(), queries, (ticks, inner) => {
        const axis = [-100, ...inner.filter((t) => t > -100 && t < 300), 300, 301]
        const { rendered } = planned(ticks, axis, { policy: 'sum', tolerance: Infinity, maxGap: Infinity, edge: 'missing' })
        const total = rendered.values!.reduce((sum, value) => sum + value, 0)
        expect(total).toBeCloseTo((ticks.length * (ticks.length - 1)) / 2, 2)
      }),
      cases,
    )
  })

  test('a window has every event once, in the cell it starts in', () => {
    const events = fc.array(fc.integer({ min: -60, max: 200 }), { maxLength: 40 })
    fc.assert(
      fc.property(events, queries, (ticks, axis) => {
        const timeline = new Timeline({ strict: false, origin: 'media' }).event('e', { ticks, payloads: ticks })
        const plan: Plan = timeline.plan({ axis: { kind: 'explicit', ticks: axis } })
        const { lists } = timeline.render(plan).e!
        axis.forEach((q, k) => {
          const end = axis[k + 1] ?? plan.axis.end
          expect(lists![k]).toEqual(ticks.filter((t) => t >= q && t < end).sort((a, b) => a - b))
        })
      }),
      cases,
    )
  })

  test('captions of a cell are those that overlap it, the longer first', () => {
    const cue = fc.record({ start: fc.integer({ min: 0, max: 100 }), length: fc.integer({ min: 1, max: 60 }) })
    fc.assert(
      fc.property(fc.array(cue, { maxLength: 20 }), queries, fc.constantFrom<'hold' | 'window'>('hold', 'window'), (list, axis, policy) => {
        const cues = list.map(({ start, length }, i) => ({ start: toSeconds(start), end: toSeconds(start + length), text: String(i) }))
        const timeline = new Timeline({ strict: false, origin: 'media' }).text('t', { cues })
        const plan = timeline.plan({ axis: { kind: 'explicit', ticks: axis }, policies: { t: policy } })
        const { lists } = timeline.render(plan).t!
        axis.forEach((q, k) => {
          const end = policy === 'hold' ? q + 1 : (axis[k + 1] ?? plan.axis.end)
          const wanted = list.map((one, i) => ({ ...one, i })).filter(({ start, length }) => start < end && start + length > q)
          wanted.sort((a, b) => a.start - b.start || b.length - a.length || a.i - b.i)
          expect(lists![k]).toEqual(wanted.map(({ i }) => String(i)))
        })
      }),
      cases,
    )
  })
})

test('policies that make no sense for a track are refused', () => {
  const timeline = new Timeline().video('v', { fps: 30, count: 3 }).text('t', { cues: [{ start: 0, end: 1, text: '' }] })
  const plan = (policies: Record<string, PolicyName>) => () =>
    timeline.plan({ axis: { kind: 'track', id: 'v' }, policies, durationTolerance: 9 })
  for (const policies of [{ v: 'linear' }, { v: 'mean' }, { t: 'sum' }, { v: 'toString' }, { x: 'hold' }] as Record<string, PolicyName>[]) {
    expect(codeOf(plan(policies))).toBe('E_RANGE')
  }
  expect(timeline.render(plan({ v: 'blend' })()).v!.frames).toEqual([0, 1, 2])
})

test('edge error names itself', () => {
  const timeline = new Timeline().video('v', { fps: 30, count: 3 })
  const axis = { kind: 'uniform', rate: 30, start: 0, count: 4 } as const
  expect(codeOf(() => timeline.plan({ axis, policies: { v: { policy: 'nearest', edge: 'error', tolerance: 0 } } }))).toBe('E_EDGE')
})
