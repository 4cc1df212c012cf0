// Two million samples and a hundred thousand frames: the plan looks at each about once, whatever the policy and whichever is the axis.
import { expect, test } from 'vitest'
import type { PolicyName } from '../../src/media/index.ts'
import { Timeline } from '../../src/media/timeline.ts'

const SAMPLES = 2_000_000
const FRAMES = 100_000
/** Uneven, so that nothing is found by arithmetic. */
const times = (count: number, rate: number) => Float64Array.from({ length: count }, (_, i) => (i + 0.3 * Math.sin(i)) / rate)

const rows: [string, Timeline, string, PolicyName[], number][] = [
  [
    'samples listed, cells are frames',
    new Timeline().series('s', { times: times(SAMPLES, 600), values: new Float32Array(SAMPLES) }).video('v', { times: times(FRAMES, 30) }),
    'v',
    ['nearest', 'hold', 'next', 'linear', 'mean', 'max', 'window'],
    1,
  ],
  [
    'frames listed, cells are samples',
    new Timeline().series('s', { times: times(FRAMES, 30), values: new Float32Array(FRAMES) }).video('v', { times: times(SAMPLES, 600) }),
    'v',
    ['nearest', 'linear', 'mean'],
    1,
  ],
  [
    'samples by rate, cells are frames',
    new Timeline().audio('s', { sampleRate: 600, samples: new Float32Array(SAMPLES) }).video('v', { times: times(FRAMES, 30) }),
    'v',
    ['nearest', 'linear', 'mean'],
    0.3,
  ],
]

for (const [what, timeline, axis, policies, most] of rows) {
  for (const policy of policies) {
    test(`${what}: ${policy}`, () => {
      const began = performance.now()
      const plan = timeline.plan({ axis: { kind: 'track', id: axis }, policies: { s: policy }, durationTolerance: 60 })
      const planned = performance.now() - began
      console.log(`${what}, ${policy}: ${plan.steps} steps, ${planned.toFixed(0)} ms`)
      // The frames answer for themselves, too: twice the cells, then cells and samples for the track beside them.
      expect(plan.steps).toBeLessThan(most * 3 * (SAMPLES + FRAMES) + 6 * plan.axis.times.length)
      expect(plan.report.tracks.s!.coverage).toBeGreaterThan(99.9)
    })
  }
}

test('steps grow with the size, not with its square', () => {
  const steps = [1, 2, 4].map((scale) => {
    const timeline = new Timeline()
      .series('s', { times: times(50_000 * scale, 600), values: new Float32Array(50_000 * scale) })
      .video('v', { times: times(2500 * scale, 30) })
    return timeline.plan({ axis: { kind: 'track', id: 'v' }, durationTolerance: 60 }).steps
  })
  expect(steps[1]! / steps[0]!).toBeCloseTo(2, 1)
  expect(steps[2]! / steps[1]!).toBeCloseTo(2, 1)
})

test('ten thousand stretches of sound are found without walking them again', () => {
  const segments = Array.from({ length: 10_000 }, (_, k) => ({ start: k * 0.1, count: 80 }))
  const timeline = new Timeline().audio('a', { sampleRate: 1000, segments })
  const { steps } = timeline.plan({ axis: { kind: 'uniform', rate: 100 }, policies: { a: 'mean' } })
  expect(steps).toBeLessThan(2 * (10_000 + 100_000) + 10)
})

test('a hundred thousand captions cost what is shown; too many at once are refused', () => {
  const cues = Array.from({ length: 100_000 }, (_, i) => ({ start: i * 0.1, end: i * 0.1 + 0.25, text: '' }))
  const plan = new Timeline().text('t', { cues }).plan({ axis: { kind: 'uniform', rate: 10 } })
  expect(plan.steps).toBeLessThan(100_000 + 5 * plan.axis.times.length)
  const stacked = Array.from({ length: 10_000 }, () => ({ start: 0, end: 1000, text: '' }))
  expect(() => new Timeline().text('t', { cues: stacked }).plan({ axis: { kind: 'uniform', rate: 100 } })).toThrow(/E_RANGE/)
})
