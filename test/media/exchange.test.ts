// Plans as JSON come back exactly and still render; what somebody else wrote is checked; WebVTT and CSV are readable by others.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { GlmError } from '../../src/errors.ts'
import { parseCues } from '../../src/media/cues.ts'
import { exportPlan, importPlan, planToCSV, planToWebVTT } from '../../src/media/exchange.ts'
import type { Plan } from '../../src/media/plan.ts'
import type { Edge, PolicyName } from '../../src/media/policies.ts'
import { Timeline } from '../../src/media/timeline.ts'
import { changes, counted, mutate, only } from '../hostile/mutate.ts'
import { cases } from './tracks.ts'

const timeline = new Timeline({ strict: false })
  .video('v', { times: [0, 0.1, 0.3, 0.2, 0.9], frames: ['a', 'b', 'c', 'd', 'e'] })
  .audio('a', { sampleRate: 100, samples: Float32Array.from({ length: 90 }, (_, i) => i), start: 0.05 })
  .text('t', {
    cues: [
      { start: 0, end: 0.5, text: 'x' },
      { start: 0.2, end: 0.9, text: 'y' },
    ],
  })
  .event('e', { times: [0.1, 0.1, 0.4] })
  .series('s', { rate: 7, values: Float32Array.from({ length: 6 }, (_, i) => i * i) })

const plan = timeline.plan({ axis: { kind: 'uniform', rate: 12 } })
const model = timeline.plan({ axis: { kind: 'model', profile: 'glm-4.6v' } })
const known = exportPlan(plan)

describe('JSON', () => {
  test('comes back as it was, with any policies', () => {
    const of = (...names: PolicyName[]) => fc.constantFrom(...names)
    const policies = fc.record({
      v: of('nearest', 'hold', 'next', 'blend', 'window', 'none'),
      a: of('nearest', 'linear', 'mean', 'max', 'sum', 'window', 'none'),
      t: of('hold', 'window', 'nearest', 'none'),
      e: of('window', 'hold', 'none'),
      s: of('nearest', 'hold', 'linear', 'mean', 'none'),
    })
    fc.assert(
      fc.property(
        policies,
        fc.constantFrom<Edge>('missing', 'clamp', 'zero'),
        fc.integer({ min: 1, max: 40 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (names, edge, rate, tolerance) => {
          const settled = Object.fromEntries(Object.entries(names).map(([id, policy]) => [id, { policy, edge, tolerance }]))
          const one = timeline.plan({ axis: { kind: 'uniform', rate, start: -0.3, count: rate * 2 }, policies: settled })
          const back = importPlan(exportPlan(one))
          expect(back).toEqual(one)
          expect(timeline.render(back)).toEqual(timeline.render(one))
        },
      ),
      cases,
    )
  })

  test('labels and frames of a model, too; from an object as from a text', () => {
    expect(importPlan(exportPlan(model))).toEqual(model)
    expect(importPlan(JSON.parse(known))).toEqual(plan)
  })

  test('a report that lies about its cells is counted anew', () => {
    const json = JSON.parse(known)
    json.report.tracks.v.coverage = 100
    json.report.tracks.v.error.max = 0
    expect(importPlan(json).report).toEqual(plan.report)
  })

  const wrong: [string, (json: ReturnType<typeof JSON.parse>) => void][] = [
    ['no format', (json) => delete json.format],
    ['another version', (json) => Object.assign(json, { version: 2 })],
    ['times that fall', (json) => json.axis.times.reverse()],
    ['half a tick', (json) => Object.assign(json.axis.times, { 0: -0.5 })],
    ['an end before the last cell', (json) => Object.assign(json.axis, { end: 0 })],
    ['an index past the track', (json) => Object.assign(json.tracks.v.index, { 0: 5 })],
    ['an index below -1', (json) => Object.assign(json.tracks.v.index, { 0: -2 })],
    ['a weight of 2', (json) => Object.assign(json.tracks.s.weight, { 0: 2 })],
    ['a mask of 2', (json) => Object.assign(json.tracks.v.mask, { 0: 2 })],
    ['a cell too few', (json) => json.tracks.v.error.pop()],
    ['ranks that run back', (json) => Object.assign(json.tracks.a.to, { 3: 0 })],
    ['offsets that fall', (json) => Object.assign(json.tracks.t.offsets, { 3: 0 })],
    ['ids that are missing', (json) => json.tracks.t.ids.pop()],
    ['a policy of another kind', (json) => Object.assign(json.tracks.v.how, { policy: 'mean' })],
    ['a policy of the prototype', (json) => Object.assign(json.tracks.v.how, { policy: 'constructor' })],
    ['a report without a track', (json) => delete json.report.tracks.v],
    ['a count of 1e300', (json) => Object.assign(json.tracks.v, { count: 1e300 })],
    ['tracks in a list', (json) => Object.assign(json, { tracks: [] })],
    ['a warning that is none', (json) => json.report.warnings.push({ code: 'X', track: '', count: 1, text: '' })],
    ['labels for some cells', (json) => Object.assign(json.axis, { labels: ['a'] })],
  ]
  for (const [what, change] of wrong) {
    test(`${what} is refused`, () => {
      const json = JSON.parse(known)
      change(json)
      expect(() => importPlan(json)).toThrow(/^The plan cannot be used: /)
    })
  }

  test('ranks past what a track kept are not rendered', () => {
    const lossy = new Timeline({ strict: false }).series('s', { times: [0, Number.NaN, 0.2], values: new Float32Array(3) })
    const one = lossy.plan({ axis: { kind: 'uniform', rate: 5 }, policies: { s: 'window' } })
    one.tracks.s!.to![0] = 3
    expect(() => lossy.render(importPlan(exportPlan(one)))).toThrow(/another timeline/)
  })

  test('a name that is a trap is refused, and changes nothing', () => {
    const text = known.replaceAll('"v":', '"__proto__":')
    expect(() => importPlan(text)).toThrow(GlmError)
    expect(({} as Record<string, unknown>).kind).toBeUndefined()
  })

  test('changed at random: a sound plan or a GlmError, in looks that are in proportion', () => {
    const outcomes = { read: 0, refused: 0 }
    fc.assert(
      fc.property(fc.constantFrom(known, exportPlan(model)), changes, (text, list) => {
        const changed = list.reduce(mutate, text)
        const steps = { count: 0 }
        const out = only(['file_invalid'], () => {
          importPlan(changed)
          return importPlan(counted(JSON.parse(changed), steps))
        })
        expect(steps.count).toBeLessThan(10_000)
        outcomes[out instanceof GlmError ? 'refused' : 'read']++
        if (!(out instanceof GlmError)) sound(out)
      }),
      { numRuns: 2000, seed: 7 },
    )
    for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(100)
  })
})

/** What rendering relies on. */
function sound({ axis, tracks, report }: Plan): void {
  const cells = axis.times.length
  expect(Object.keys(report.tracks)).toEqual(Object.keys(tracks))
  for (const { index, mask, error, weight, count, offsets, ids } of Object.values(tracks)) {
    for (const list of [index, mask, error, weight]) expect(list.length).toBe(cells)
    expect(index.every((one) => one >= -1 && one < count)).toBe(true)
    if (offsets) expect([offsets.length, offsets.at(-1)]).toEqual([cells + 1, ids!.length])
  }
}

test('WebVTT of a plan: a cue for each cell, with labels, indices and errors', () => {
  const { cues } = parseCues(planToWebVTT(model), { strict: true })
  expect(cues.length).toBe(model.axis.times.length)
  expect(cues[0]!.text).toMatch(/^0\.0 seconds\nv 0 0\.000 ms\n/)
})

test('CSV of a plan: a row for each cell, formulas disarmed', () => {
  const lines = planToCSV(model).split('\r\n')
  expect(lines.length).toBe(model.axis.times.length + 2)
  expect(lines[0]).toMatch(/^cell,start_s,end_s,label,v\.index,v\.valid,v\.weight,v\.error_ms,/)
  expect(lines[1]).toMatch(/^0,0,[\d.]+,0\.0 seconds,0,1,1,0,/)
  const hostile = { ...model, axis: { ...model.axis, labels: model.axis.labels!.map(() => '=cmd|"x",1') } }
  expect(planToCSV(hostile).split('\r\n')[1]).toContain(`"'=cmd|""x"",1"`)
})
