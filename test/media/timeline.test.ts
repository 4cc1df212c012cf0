// The timeline as a whole: every bad input in both modes, origins, axes, reports, and the front door.
import { describe, expect, test } from 'vitest'
import { GlmError } from '../../src/errors.ts'
import { align, faultOf, faults, type PlanRequest, splitAtGaps, Timeline, type TimelineOptions } from '../../src/media/index.ts'
import { fromSeconds, TICKS_PER_SECOND, toSeconds } from '../../src/media/ticks.ts'
import { codeOf } from './tracks.ts'

const tenth: PlanRequest = { axis: { kind: 'uniform', rate: 10 } }
const floats = (...values: number[]) => Float32Array.from(values)
const ms = (list: ArrayLike<number>) => Array.from(list, (ticks) => (ticks / TICKS_PER_SECOND) * 1000)

interface Bad {
  what: string
  make: (timeline: Timeline) => Timeline
  request?: PlanRequest
  strict: string | undefined
  /** In lenient mode; also in strict where that does not refuse. */
  warns: string | undefined
  count?: number
  first?: number
  /** What is left, as [index, ...] over the axis. */
  index?: number[]
}

const own: PlanRequest = { axis: { kind: 'track', id: 't' } }
const values = (...list: number[]) => ({ values: floats(...list) })

const table: Bad[] = [
  {
    what: 'unsorted',
    make: (t) => t.series('t', { times: [0, 0.2, 0.1, 0.3], ...values(0, 2, 1, 3) }),
    request: own,
    strict: 'E_UNSORTED',
    warns: 'W_REORDERED',
    count: 1,
    first: 2,
    index: [0, 2, 1, 3],
  },
  {
    what: 'unsorted segments',
    make: (t) =>
      t.audio('t', {
        sampleRate: 10,
        segments: [
          { start: 1, count: 2 },
          { start: 0, count: 2 },
        ],
      }),
    strict: 'E_UNSORTED',
    warns: 'W_REORDERED',
    first: 1,
  },
  {
    what: 'unsorted cues',
    make: (t) =>
      t.text('t', {
        cues: [
          { start: 1, end: 2, text: '' },
          { start: 0, end: 1, text: '' },
        ],
      }),
    strict: 'E_UNSORTED',
    warns: 'W_REORDERED',
    first: 1,
  },
  {
    what: 'duplicates: the last stays',
    make: (t) => t.video('t', { times: [0, 0.1, 0.1, 0.2] }),
    request: own,
    strict: 'E_DUPLICATE',
    warns: 'W_DUPLICATE',
    count: 1,
    first: 2,
    index: [0, 2, 3],
  },
  {
    what: 'duplicates: the first stays',
    make: (t) => t.video('t', { times: [0, 0.1, 0.1, 0.2], duplicates: 'first' }),
    request: own,
    strict: 'E_DUPLICATE',
    warns: 'W_DUPLICATE',
    index: [0, 1, 3],
  },
  {
    what: 'segments that overlap',
    make: (t) =>
      t.audio('t', {
        sampleRate: 10,
        segments: [
          { start: 0, count: 10 },
          { start: 0.5, count: 10 },
        ],
      }),
    strict: 'E_DUPLICATE',
    warns: 'W_DUPLICATE',
    count: 5,
    first: 0,
  },
  {
    what: 'NaN for a time',
    make: (t) => t.video('t', { times: [0, Number.NaN, 0.2] }),
    request: own,
    strict: 'E_BAD_TIME',
    warns: 'W_BAD_TIME',
    count: 1,
    first: 1,
    index: [0, 2],
  },
  {
    what: 'an infinite time',
    make: (t) => t.video('t', { times: [0, Infinity, 0.2] }),
    request: own,
    strict: 'E_BAD_TIME',
    warns: 'W_BAD_TIME',
    first: 1,
    index: [0, 2],
  },
  {
    what: 'a time beyond 147 days',
    make: (t) => t.video('t', { native: [0, 2 ** 52, 1], timebase: 10 }),
    request: own,
    strict: 'E_BAD_TIME',
    warns: 'W_BAD_TIME',
    first: 1,
    index: [0, 2],
  },
  {
    what: 'NaN for a value',
    make: (t) => t.series('t', { rate: 10, ...values(0, Number.NaN, 2) }),
    request: own,
    strict: 'E_BAD_VALUE',
    warns: 'W_BAD_VALUE',
    count: 1,
    first: 1,
    index: [0, 1, 2],
  },
  {
    what: 'NaN in sound',
    make: (t) => t.audio('t', { sampleRate: 10, samples: floats(0, Number.NaN) }),
    strict: 'E_BAD_VALUE',
    warns: 'W_BAD_VALUE',
    first: 1,
  },
  {
    what: 'a gap',
    make: (t) => t.series('t', { times: [0, 0.1, 0.2, 0.8, 0.9], ...values(0, 1, 2, 8, 9) }),
    strict: undefined,
    warns: 'W_GAP',
    count: 1,
    index: [0, 1, 2, -1, -1, -1, -1, -1, 3, 4],
  },
  {
    what: 'different lengths',
    make: (t) => t.video('t', { fps: 10, count: 10 }).audio('u', { sampleRate: 100, count: 80 }),
    strict: 'E_DURATION',
    warns: 'W_DURATION',
    index: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  },
  {
    what: 'an empty track',
    make: (t) => t.series('t', { rate: 10, ...values() }).video('v', { fps: 10, count: 2 }),
    strict: 'E_EMPTY',
    warns: 'W_EMPTY',
    index: [-1, -1],
  },
  {
    what: 'an empty list of times',
    make: (t) => t.video('t', { times: [] }),
    request: own,
    strict: 'E_EMPTY',
    warns: 'W_EMPTY',
    index: [],
  },
  { what: 'no sound', make: (t) => t.audio('t', { sampleRate: 10, samples: floats() }), strict: 'E_EMPTY', warns: 'W_EMPTY', index: [] },
  { what: 'no cues', make: (t) => t.text('t', { cues: [] }), strict: 'E_EMPTY', warns: 'W_EMPTY', index: [] },
  {
    what: 'a varying frame rate',
    make: (t) => t.video('t', { times: [0, 0.1, 0.2, 0.35, 0.45] }),
    request: own,
    strict: undefined,
    warns: 'W_VFR',
    index: [0, 1, 2, 3, 4],
  },
  {
    what: 'metadata that disagrees',
    make: (t) => t.video('t', { times: [0, 0.1, 0.2], fps: 11 }),
    request: own,
    strict: 'E_FPS_MISMATCH',
    warns: 'W_FPS_MISMATCH',
    index: [0, 1, 2],
  },
  {
    what: 'a hole in the sound',
    make: (t) =>
      t.audio('t', {
        sampleRate: 1000,
        segments: [
          { start: 0, count: 100 },
          { start: 0.2, count: 100 },
        ],
      }),
    strict: undefined,
    warns: 'W_AUDIO_GAP',
    count: 1,
    first: 0,
    index: [0, -1, 100],
  },
  {
    what: 'a cue that ends first',
    make: (t) =>
      t.text('t', {
        cues: [
          { start: 1, end: 1, text: '' },
          { start: 0, end: 0.2, text: '' },
        ],
      }),
    strict: 'E_BAD_CUE',
    warns: 'W_BAD_CUE',
    count: 1,
    first: 0,
    index: [1, 1],
  },
  {
    what: 'a cue whose time is none',
    make: (t) => t.text('t', { cues: [{ start: Number.NaN, end: 1, text: '' }] }),
    strict: 'E_BAD_CUE',
    warns: 'W_BAD_CUE',
    count: 1,
  },
  {
    what: 'sound longer than a model hears',
    make: (t) => t.audio('t', { sampleRate: 10, count: 7000 }),
    request: { axis: { kind: 'model', profile: 'glm-asr' } },
    strict: 'E_TOO_LONG',
    warns: 'W_TOO_LONG',
  },
  {
    what: 'an axis out of order',
    make: (t) => t.video('t', { fps: 10, count: 3 }),
    request: { axis: { kind: 'explicit', times: [0.2, 0, 0.2] } },
    strict: 'E_UNSORTED',
    warns: 'W_REORDERED',
    first: 1,
    index: [0, 2],
  },
]

describe('bad input', () => {
  const run = (bad: Bad, options: TimelineOptions) => bad.make(new Timeline(options)).plan(bad.request ?? tenth)

  for (const bad of table) {
    test(`${bad.what}: strict`, () => expect(codeOf(() => run(bad, { strict: true }))).toBe(bad.strict))

    test(`${bad.what}: lenient`, () => {
      const plan = run(bad, { strict: false })
      const warning = plan.report.warnings.find(({ code }) => code === bad.warns)
      expect(warning, JSON.stringify(plan.report.warnings)).toMatchObject({ code: bad.warns })
      if (bad.count !== undefined) expect(warning!.count).toBe(bad.count)
      if (bad.first !== undefined) expect(warning!.first).toBe(bad.first)
      if (bad.index) expect([...plan.tracks.t!.index]).toEqual(bad.index)
    })
  }

  const never: [string, () => unknown, string][] = [
    ['fps 0', () => new Timeline().video('t', { fps: 0, count: 1 }), 'E_RANGE'],
    ['a negative sample rate', () => new Timeline().audio('t', { sampleRate: -1, count: 1 }), 'E_RANGE'],
    ['a step of 0', () => new Timeline().plan({ axis: { kind: 'uniform', rate: Infinity } }), 'E_RANGE'],
    ['an axis of 2^31 cells', () => new Timeline().plan({ axis: { kind: 'uniform', rate: 1, count: 2 ** 31 } }), 'E_RANGE'],
    ['a range of years at 48 kHz', () => new Timeline().plan({ axis: { kind: 'uniform', rate: 48_000 }, range: [0, 1e7] }), 'E_RANGE'],
    ['all times bad', () => new Timeline().video('t', { times: [Number.NaN] }), 'E_BAD_TIME'],
    [
      'times that an offset moves beyond 147 days',
      () => new Timeline().video('t', { fps: 1, count: 1, start: 1.2e7, offset: 1.2e7 }).video('u', { fps: 1, count: 1 }).plan(tenth),
      'E_BAD_TIME',
    ],
    [
      'a start and a count that lead there',
      () => new Timeline().video('t', { fps: 1, count: 12_000_000, start: 1.2e7 }).plan(tenth),
      'E_BAD_TIME',
    ],
    ['an offset that is none', () => new Timeline().video('t', { fps: 1, count: 1, offset: Number.NaN }), 'E_RANGE'],
    ['three times for two frames', () => new Timeline().video('t', { times: [0, 1, 2], frames: [1, 2] }), 'E_RANGE'],
    ['half a row', () => new Timeline().series('t', { rate: 1, width: 2, values: floats(1) }), 'E_RANGE'],
    ['a name that is a trap', () => new Timeline().video('__proto__', { fps: 1, count: 1 }), 'E_RANGE'],
    ['a name twice', () => new Timeline().video('a', { fps: 1, count: 1 }).video('a', { fps: 1, count: 1 }), 'E_RANGE'],
    ['a track that is not there', () => new Timeline().plan({ axis: { kind: 'track', id: 'x' } }), 'E_RANGE'],
    ['an explicit axis with NaN', () => new Timeline().plan({ axis: { kind: 'explicit', times: [Number.NaN] } }), 'E_BAD_TIME'],
    ['a range that runs back', () => new Timeline().plan({ axis: { kind: 'uniform', rate: 1 }, range: [1, 0] }), 'E_RANGE'],
    ['native times without a timebase', () => new Timeline().video('t', { native: [1] }), 'E_RANGE'],
    [
      'duplicates that are refused',
      () => new Timeline({ strict: false }).video('t', { times: [0, 0], duplicates: 'error' }),
      'E_DUPLICATE',
    ],
    ['channels of two lengths', () => new Timeline().audio('t', { sampleRate: 1, samples: [floats(1), floats(1, 2)] }), 'E_RANGE'],
    [
      'a wild edge',
      () => new Timeline().video('t', { fps: 1, count: 1 }).plan({ ...tenth, policies: { t: { policy: 'hold', edge: 'x' as 'zero' } } }),
      'E_RANGE',
    ],
    [
      'a negative tolerance',
      () => new Timeline().video('t', { fps: 1, count: 1 }).plan({ ...tenth, policies: { t: { policy: 'hold', tolerance: -1 } } }),
      'E_RANGE',
    ],
    ['an origin that is none', () => new Timeline({ origin: 0.5 }), 'E_RANGE'],
  ]
  for (const [what, work, code] of never) test(`${what}: in either mode`, () => expect(codeOf(work)).toBe(code))

  test('a gap is refused where that is asked', () => {
    const timeline = new Timeline().series('t', { times: [0, 0.1, 0.2, 0.8], ...values(0, 1, 2, 8) })
    expect(codeOf(() => timeline.plan({ ...tenth, gaps: 'error' }))).toBe('E_GAP')
  })

  test('an error says what to do and carries the fault; every code of the table is tested', () => {
    const work = () => new Timeline().video('cam', { times: [0, 2, 1] })
    expect(work).toThrow(GlmError)
    expect(work).toThrow(/^E_UNSORTED: track cam: .*sort them/)
    expect(faultOf(new Error('x'))).toBeUndefined()
    const tested = new Set(table.map(({ warns }) => warns))
    expect(Object.keys(faults).filter((name) => !tested.has(`W_${name}`))).toEqual([])
  })

  test('duplicates of a series may become their mean, wherever they stood', () => {
    const timeline = new Timeline({ strict: false }).series('t', {
      times: [0.1, 0, 0.1, 0.1],
      width: 2,
      values: floats(1, 10, 5, 5, 2, 20, 6, 60),
      duplicates: 'mean',
    })
    expect([...timeline.render(timeline.plan(own)).t!.values!]).toEqual([5, 5, 3, 30])
  })

  test('of equal times out of order the last given stays, or the first', () => {
    const kept = (duplicates: 'first' | 'last') => {
      const timeline = new Timeline({ strict: false }).video('t', { times: [0.1, 0.1, 0, 0.1, 0], duplicates })
      return [...timeline.plan(own).tracks.t!.index]
    }
    expect(kept('last')).toEqual([4, 3])
    expect(kept('first')).toEqual([2, 0])
  })

  test('where segments overlap the later one is heard', () => {
    const segments = [
      { start: 0, samples: floats(1, 2, 3, 4) },
      { start: 0.2, samples: floats(5, 6) },
    ]
    const timeline = new Timeline({ strict: false }).audio('t', { sampleRate: 10, segments })
    expect([...timeline.render(timeline.plan(tenth)).t!.values!]).toEqual([1, 2, 5, 6])
  })

  test('a single sample: nearest and hold serve, linear only where it is', () => {
    const timeline = new Timeline().series('t', { times: [0.1], ...values(7), duration: 0.1 })
    const at = (policy: 'nearest' | 'hold' | 'linear') => [
      ...timeline.plan({ axis: { kind: 'explicit', times: [0, 0.05, 0.1] }, policies: { t: policy } }).tracks.t!.mask,
    ]
    expect(at('nearest')).toEqual([1, 1, 0])
    expect(at('hold')).toEqual([1, 1, 0])
    expect(at('linear')).toEqual([1, 0, 0])
  })
})

describe('origin', () => {
  const aac = (options: TimelineOptions = {}) =>
    new Timeline({ ...options, strict: false })
      .video('v', { fps: 30, count: 30 })
      .audio('a', { sampleRate: 48_000, count: 49_024, start: -1024 / 48_000 })

  test('priming has negative times: it is trimmed to the sample, nothing is shifted', () => {
    const plan = aac().plan({ axis: { kind: 'track', id: 'v' } })
    expect(plan.origin).toBe(0)
    expect(plan.tracks.a!.from![0]).toBe(1024)
    expect(plan.report.tracks.a!.priming).toBe(1024)
  })

  test('firstSample begins with the priming, media leaves everything, ticks say it', () => {
    expect(toSeconds(aac({ origin: 'firstSample' }).plan(tenth).origin)).toBeCloseTo(-1024 / 48_000, 9)
    expect(aac({ origin: 'media' }).plan(tenth).origin).toBe(0)
    expect(aac({ origin: 7 }).plan(tenth).origin).toBe(7)
  })

  test('a stream that starts late starts at 0, and its skew is kept', () => {
    const timeline = new Timeline({ strict: false })
      .video('v', { native: Array.from({ length: 30 }, (_, i) => 132_000 + 3000 * i), timebase: 90_000 })
      .audio('a', { sampleRate: 48_000, count: 48_000, start: 130_077 / 90_000 })
    const [v, a] = timeline.tracks
    expect(a!.start).toBe(0)
    expect(v!.start).toBeCloseTo(1923 / 90_000, 12)
  })

  test('offsets are pure shifts, also negative ones, and may be changed', () => {
    const timeline = new Timeline({ strict: false })
      .video('v', { fps: 10, count: 10 })
      .series('s', { rate: 10, values: new Float32Array(10), offset: -0.25 })
    expect(timeline.tracks.map(({ start }) => start)).toEqual([0, -0.25])
    expect(timeline.plan({ axis: { kind: 'uniform', rate: 10 } }).axis.times[0]).toBe(fromSeconds(-0.25))
    timeline.offset('s', 0.1)
    const plan = timeline.plan({ axis: { kind: 'track', id: 'v' }, policies: { s: 'nearest' } })
    expect([...plan.tracks.s!.index]).toEqual([-1, 0, 1, 2, 3, 4, 5, 6, 7, 8])
  })
})

describe('axes and ranges', () => {
  const two = () =>
    new Timeline({ strict: false }).video('v', { fps: 10, count: 10 }).audio('a', { sampleRate: 100, count: 100, start: 0.5 })
  const length = (request: PlanRequest) => two().plan(request).axis.times.length

  test('union, intersection, a track, a stretch', () => {
    expect(length({ axis: { kind: 'uniform', rate: 10 } })).toBe(15)
    expect(length({ axis: { kind: 'uniform', rate: 10 }, range: 'intersection' })).toBe(5)
    expect(length({ axis: { kind: 'uniform', rate: 10 }, range: 'v' })).toBe(10)
    expect(length({ axis: { kind: 'uniform', rate: 10 }, range: [0.25, 0.55] })).toBe(3)
    expect(length({ axis: { kind: 'track', id: 'a' }, range: [0, 0.6] })).toBe(10)
  })

  test('half-open: a cell that would start at the end is none', () => {
    expect(length({ axis: { kind: 'uniform', rate: 30 }, range: [0, 1] })).toBe(30)
    expect(length({ axis: { kind: 'uniform', rate: 29.97 }, range: [0, 1001 / 30] })).toBe(1000)
  })

  test('frames and samples that share a clock hit each other exactly, an hour on', () => {
    const timeline = new Timeline()
      .video('v', { fps: 29.97, count: 107_892 })
      .series('s', { rate: { num: 60_000, den: 1001 }, values: new Float32Array(215_784) })
    const plan = timeline.plan({ axis: { kind: 'track', id: 'v' } })
    expect(plan.report.tracks.s!.error.max).toBe(0)
    expect(plan.tracks.s!.index.at(-1)).toBe(215_782)
  })
})

describe('report', () => {
  test('coverage, missing, error, gaps, steps and span', () => {
    const timeline = new Timeline({ strict: false })
      .video('v', { times: [0, 0.1, 0.21, 0.3, 0.6, 0.7], duration: 0.1 })
      .series('s', { rate: 100, values: new Float32Array(80), start: 0.004 })
    const { report } = timeline.plan({ axis: { kind: 'uniform', rate: 10, start: 0, count: 8 }, policies: { s: 'nearest' } })
    const v = report.tracks.v!
    expect(v).toMatchObject({ coverage: 75, missing: 2, gapCount: 1, duplicates: 0, reordered: 0, priming: 0, variable: true })
    expect(v.gaps[0]!.start).toBeCloseTo(0.4, 9)
    expect(v.gaps[0]!.end).toBeCloseTo(0.6, 9)
    expect([v.error.mean, v.error.p95, v.error.max].map((value) => value.toFixed(3))).toEqual(['1.667', '10.000', '10.000'])
    expect([v.step.min, v.step.median, v.step.max].map((value) => value.toFixed(3))).toEqual(['90.000', '100.000', '300.000'])
    expect(report.span.max).toBeCloseTo(6, 6)
    expect(report.cells).toBe(8)
  })

  test('milliseconds of WebM are no varying rate', () => {
    const times = Array.from({ length: 300 }, (_, i) => Math.round((i * 1000) / 30) / 1000)
    const plan = new Timeline().video('v', { times, fps: 30 }).plan({ axis: { kind: 'uniform', rate: 30 } })
    expect(plan.report.tracks.v!.variable).toBe(false)
    expect(plan.report.tracks.v!.coverage).toBe(100)
    expect(plan.report.tracks.v!.error.max).toBeLessThan(0.5)
  })
})

test('packets that leap split the sound, packets that jitter do not', () => {
  const packets = [0, 1024, 2050, 3072, 8192].map((samples) => ({ start: fromSeconds(samples / 48_000), count: 1024 }))
  expect(splitAtGaps(packets, 48_000)).toEqual([
    { startTicks: 0, count: 4096 },
    { startTicks: fromSeconds(8192 / 48_000), count: 1024 },
  ])
})

test('nearest: of two equally near the earlier', () => {
  const timeline = new Timeline().series('s', { rate: 10, values: floats(0, 1, 2) })
  const plan = timeline.plan({ axis: { kind: 'explicit', times: [0.04, 0.05, 0.06, 0.15] }, policies: { s: 'nearest' } })
  expect([...plan.tracks.s!.index]).toEqual([0, 0, 1, 1])
  expect(ms(plan.tracks.s!.error)).toEqual([-40, -50, 40, -50])
})

test('frames are asked for once each', () => {
  const asked: number[] = []
  const timeline = new Timeline().video('v', { fps: 10, count: 3, frames: (i: number) => asked.push(i) && `frame ${i}` })
  const plan = timeline.plan({ axis: { kind: 'uniform', rate: 20 }, policies: { v: 'hold' } })
  expect(asked).toEqual([])
  expect(timeline.render(plan).v!.frames).toEqual(['frame 0', 'frame 0', 'frame 1', 'frame 1', 'frame 2', 'frame 2'])
  expect(asked).toEqual([0, 1, 2])
})

test('a plan is only rendered by its own timeline', () => {
  const plan = new Timeline().video('v', { fps: 10, count: 3 }).plan(tenth)
  expect(codeOf(() => new Timeline().video('v', { fps: 10, count: 4 }).render(plan))).toBe('E_RANGE')
  expect(codeOf(() => new Timeline().render(plan))).toBe('E_RANGE')
})

describe('align', () => {
  test('frames at i / fps, samples at i / rate, on one axis', () => {
    const audio = Float32Array.from({ length: 16_000 }, (_, i) => i)
    const { times, tracks, report } = align(
      { video: 30, audio, text: 'WEBVTT\n\n00:00.500 --> 00:00.700\nhello' },
      { fps: 30, sampleRate: 16_000 },
    )
    expect(times.length).toBe(30)
    expect(times[29]).toBe(29 / 30)
    expect(tracks.video!.frames!.slice(0, 3)).toEqual([0, 1, 2])
    expect(tracks.audio!.values![1]).toBeCloseTo(16_000 / 30, 3)
    expect(tracks.text!.lists!.map((list) => list.length)).toEqual(Array.from(times, (t) => (t >= 0.5 && t < 0.7 ? 1 : 0)))
    expect(report.tracks.audio!.error.max).toBeLessThan(1000 / 32_000 + 1e-9)
  })

  test('any axis, events and series, lenient captions', () => {
    const { tracks, plan, report } = align(
      {
        series: { times: [0, 1], values: floats(0, 10) },
        events: { times: [0.3, 0.3], payloads: ['a', 'b'] },
        text: '1\n00:00:00,000 --> nowhere\nx\n\n2\n00:00:00,000 --> 00:00:01,000\ny',
      },
      { axis: 4, strict: false, range: [0, 1] },
    )
    expect([...tracks.series!.values!]).toEqual([0, 2.5, 5, 7.5])
    expect(tracks.events!.lists).toEqual([[], ['a', 'b'], [], []])
    expect(tracks.text!.lists).toEqual([['y'], ['y'], ['y'], ['y']])
    expect(report.warnings.map(({ code, track }) => `${track} ${code}`)).toEqual(['text W_BAD_CUE'])
    expect(ms(plan.tracks.series!.error)).toEqual([0, -250, -500, 250])
  })

  test('channels of sound stay apart', () => {
    const { tracks } = align({ audio: [floats(1, 2, 3, 4), floats(5, 6, 7, 8)] }, { sampleRate: 4, axis: 2, policies: { audio: 'mean' } })
    expect([...tracks.audio!.values!]).toEqual([1.5, 5.5, 3.5, 7.5])
  })

  test('a rate that is missing is asked for', () => {
    expect(codeOf(() => align({ video: 3 }))).toBe('E_RANGE')
    expect(codeOf(() => align({ audio: floats(1) }))).toBe('E_RANGE')
  })
})
