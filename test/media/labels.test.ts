// Frames, labels and tokens of each model: the values of the family sheet, and 357 clips put through the real processors (make_sampling.py).
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { audioTokens, labelOf, type ProfileName, sampleFrames } from '../../src/media/labels.ts'
import { toSeconds } from '../../src/media/ticks.ts'
import { Timeline } from '../../src/media/timeline.ts'
import { codeOf } from './tracks.ts'

interface Golden {
  frames: number
  first: number[]
  last: number
  /** Times of the first steps, and of the last. */
  steps: number[]
  end: number
}

interface Row {
  fps: number
  frames: number
  'glm-4.1v': Golden
  'glm-4.6v': Golden
}

const golden = (frames: number, first: number[], last: number, steps: number[], end: number): Golden => ({
  frames,
  first,
  last,
  steps,
  end,
})

const sheet: Row[] = [
  { fps: 30, frames: 30, 'glm-4.1v': golden(2, [0, 15], 15, [0], 0), 'glm-4.6v': golden(6, [0, 5, 10, 15, 20], 25, [0, 0.333], 0.667) },
  {
    fps: 24,
    frames: 240,
    'glm-4.1v': golden(20, [0, 12, 24, 36, 48], 228, [0, 1, 2], 9),
    'glm-4.6v': golden(60, [0, 4, 8, 12, 16], 236, [0, 0.333, 0.667], 9.667),
  },
  {
    fps: 29.97,
    frames: 900,
    'glm-4.1v': golden(60, [0, 15, 30, 45, 60], 885, [0, 1.001, 2.002], 29.029),
    'glm-4.6v': golden(60, [0, 15, 30], 885, [0, 1.001], 29.029),
  },
  { fps: 30, frames: 1800, 'glm-4.1v': golden(120, [0, 15, 30], 1785, [0, 1], 59), 'glm-4.6v': golden(120, [0, 15, 30], 1785, [0, 1], 59) },
  {
    fps: 25,
    frames: 9000,
    'glm-4.1v': golden(600, [0, 16, 31, 46, 61], 8999, [0, 1.24, 2.44], 359.4),
    'glm-4.6v': golden(360, [0, 25, 50], 8975, [0, 2, 4], 358),
  },
  {
    fps: 30,
    frames: 90_000,
    'glm-4.1v': golden(600, [0, 151, 301, 451, 602], 89_999, [0, 10.033], 2995),
    'glm-4.6v': golden(640, [0, 140, 281, 422, 563], 89_999, [0, 9.367], 2995.267),
  },
  {
    fps: 5,
    frames: 20,
    'glm-4.1v': golden(8, [0, 3, 5, 8, 10], 18, [0, 1, 2], 3),
    'glm-4.6v': golden(20, [0, 1, 2, 3, 4], 19, [0, 0.4, 0.8, 1.2], 3.6),
  },
]

describe('the sheet, through a timeline', () => {
  for (const row of sheet) {
    for (const name of ['glm-4.1v', 'glm-4.6v'] as const) {
      test(`${row.frames} frames at ${row.fps}, ${name}`, () => {
        const { axis, tracks } = new Timeline()
          .video('v', { fps: row.fps, count: row.frames })
          .plan({ axis: { kind: 'model', profile: name } })
        const wanted = row[name]
        const frames = [...axis.frames!]
        const times = [...axis.times].map((t) => Number(toSeconds(t).toFixed(3)))
        expect(frames.length).toBe(wanted.frames)
        expect(frames.slice(0, wanted.first.length)).toEqual(wanted.first)
        expect(frames.at(-1)).toBe(wanted.last)
        expect(times.slice(0, wanted.steps.length)).toEqual(wanted.steps)
        expect(times.at(-1)).toBe(wanted.end)
        expect(axis.labels!.length).toBe(times.length)
        expect([...tracks.v!.index]).toEqual(frames.filter((_, i) => i % 2 === 0))
        expect(tracks.v!.error.every((error) => error === 0)).toBe(true)
      })
    }
  }
})

describe('the real processors', () => {
  type Short = number[]
  const all = JSON.parse(readFileSync(new URL('./sampling.json', import.meta.url), 'utf8')) as [
    number,
    number,
    number,
    number,
    Short,
    Short,
  ][]
  const short = (list: number[]) =>
    list.length <= 24 ? list : [list.length, list.reduce((a, b) => a + b, 0), list.reduce((sum, i, k) => sum + k * i, 0)]

  for (const [k, name] of (['glm-4.1v', 'glm-4.6v'] as const).entries()) {
    test(name, () => {
      expect(all.length).toBe(357)
      for (const [frames, num, den, duration, ...wanted] of all) {
        const clip = { frames, fps: { num, den }, ...(duration ? { duration } : {}) }
        expect(short(sampleFrames(name, clip)), JSON.stringify(clip)).toEqual(wanted[k])
      }
    })
  }
})

describe('labels', () => {
  const table: [ProfileName, number, string][] = [
    ['glm-4.1v', 0, '0'],
    ['glm-4.1v', 1.24, '1'],
    ['glm-4.1v', 59.999, '59'],
    ['glm-4.1v', 2995, '2995'],
    ['glm-4.1v', -0.02, '0'],
    ['glm-4.6v', 0, '0.0 seconds'],
    ['glm-4.6v', 1, '1.0 seconds'],
    ['glm-4.6v', 1.24, '1.2 seconds'],
    ['glm-4.6v', 0.25, '0.2 seconds'],
    ['glm-4.6v', 0.75, '0.8 seconds'],
    ['glm-4.6v', 0.35, '0.3 seconds'],
    ['glm-4.6v', 2995.267, '2995.3 seconds'],
    ['glm-asr', 1, ''],
  ]
  for (const [name, seconds, label] of table) test(`${name} ${seconds}`, () => expect(labelOf(name, seconds)).toBe(label))

  test('frames of a clip of varying rate are chosen and labelled by their own times', () => {
    const times = [0, 0.1, 0.9, 1.3, 1.4, 1.6, 2.4, 3.7]
    const plan = new Timeline().video('v', { times, duration: 0.3 }).plan({ axis: { kind: 'model', profile: 'glm-4.1v' } })
    expect([...plan.axis.frames!]).toEqual([0, 2, 3, 5, 6, 7])
    expect(plan.axis.labels).toEqual(['0', '1', '2'])
    expect(plan.report.warnings.map(({ code }) => code)).toContain('W_VFR')
  })
})

describe('sound', () => {
  for (const [seconds, tokens] of [
    [1, 12],
    [2, 25],
    [5, 62],
    [10, 125],
    [15, 187],
    [29, 362],
    [30, 375],
    [0, 0],
    [0.02, 0],
    [0.08, 1],
  ] as const) {
    test(`${seconds} s: ${tokens} tokens`, () => expect(audioTokens('glm-asr', seconds).reduce((a, b) => a + b, 0)).toBe(tokens))
  }

  test('tokens lie 80 ms apart, anew in each chunk of 30 s', () => {
    const { axis } = new Timeline()
      .audio('a', { sampleRate: 16_000, count: 16_000 * 61 })
      .plan({ axis: { kind: 'model', profile: 'glm-asr' } })
    expect(axis.times.length).toBe(375 + 375 + 12)
    expect([0, 1, 374, 375, 376, 750].map((k) => toSeconds(axis.times[k]!))).toEqual([0, 0.08, 29.92, 30, 30.08, 60])
  })

  test('beyond 630 s it is cut, and told', () => {
    const timeline = new Timeline({ strict: false }).audio('a', { sampleRate: 16_000, count: 16_000 * 700 })
    const { axis, report } = timeline.plan({ axis: { kind: 'model', profile: 'glm-asr' } })
    expect(toSeconds(axis.times.at(-1)!)).toBeLessThan(630)
    expect(report.warnings.map(({ code }) => code)).toEqual(['W_TOO_LONG'])
    expect(
      codeOf(() =>
        new Timeline().audio('a', { sampleRate: 16_000, count: 16_000 * 700 }).plan({ axis: { kind: 'model', profile: 'glm-asr' } }),
      ),
    ).toBe('E_TOO_LONG')
  })

  test('25 and 13 ids a second', () => {
    const timeline = new Timeline().audio('a', { sampleRate: 48_000, count: 48_000 })
    expect(timeline.plan({ axis: { kind: 'model', profile: 'omni-25' } }).axis.times.length).toBe(25)
    expect(timeline.plan({ axis: { kind: 'model', profile: 'omni-13' } }).axis.times.length).toBe(13)
  })
})

test('profiles that are none, or for another kind, are refused', () => {
  expect(codeOf(() => labelOf('toString' as ProfileName, 1))).toBe('E_RANGE')
  expect(codeOf(() => sampleFrames('glm-asr', { frames: 1, fps: 1 }))).toBe('E_RANGE')
  expect(codeOf(() => audioTokens('glm-4.1v', 1))).toBe('E_RANGE')
  expect(codeOf(() => new Timeline().plan({ axis: { kind: 'model', profile: 'glm-asr' } }))).toBe('E_RANGE')
})
