// Live: clocks that drift, jitter, stall and leap; cells once and in order; queues that stay bounded. Time is given, never waited for.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Clock, SLEW } from '../../src/media/clock.ts'
import { type Discontinuity, type LiveCell, type LiveOptions, LiveTimeline, type LiveTrackOptions } from '../../src/media/live.ts'
import { TICKS_PER_SECOND } from '../../src/media/ticks.ts'
import { cases, codeOf } from './tracks.ts'

const TICKS_PER_MS = TICKS_PER_SECOND / 1000

/** The same numbers every time. */
function random(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

interface Stream {
  ppm: number
  jitter: number
  /** Part of the samples that wait 300 ms. */
  stalls: number
  seconds: number
  period: number
  seed: number
}

/** Points of a stream: media time, and when it came. */
function* stream({ ppm, jitter, stalls, seconds, period, seed }: Stream) {
  const next = random(seed)
  for (let i = 0; i * period < seconds * 1000; i++) {
    const media = i * period
    const wait = -jitter * Math.log(1 - next()) + (next() < stalls ? 300 : 0)
    yield { media, truth: media * (1 + ppm * 1e-6), receive: media * (1 + ppm * 1e-6) + wait }
  }
}

/** A clock that has seen the stream; as in a timeline a new one begins where one has leapt (a first sample that stalled). */
function fitted(one: Stream) {
  let clock = new Clock()
  for (const { media, receive } of stream(one)) {
    if (clock.push(media, receive) !== undefined) continue
    clock = new Clock()
    clock.push(media, receive)
  }
  return clock.model
}

describe('clock', () => {
  const drifts: [number, number, number, number][] = [
    [100, 7, 20, 5],
    [100, 7, 60, 1],
    [-80, 7, 60, 1],
    [0, 7, 20, 5],
    [300, 20, 60, 3],
    [0, 0, 12, 0.001],
  ]
  for (const [ppm, jitter, seconds, most] of drifts) {
    test(`${ppm} ppm under ${jitter} ms of jitter and 2 % stalls, ${seconds} s: within ${most} ppm`, () => {
      const errors = Array.from(
        { length: 20 },
        (_, seed) => fitted({ ppm, jitter, stalls: jitter ? 0.02 : 0, seconds, period: 20, seed }).skewPpm - ppm,
      )
      const rms = Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / errors.length)
      console.log(`${ppm} ppm, ${jitter} ms, ${seconds} s: RMS error ${rms.toFixed(3)} ppm`)
      expect(rms).toBeLessThan(most)
    })
  }

  test('its standard error is of the size of the error', () => {
    const ratios = Array.from({ length: 40 }, (_, seed) => {
      const { skewPpm, skewError } = fitted({ ppm: 50, jitter: 7, stalls: 0.02, seconds: 60, period: 20, seed })
      return Math.abs(skewPpm - 50) / skewError
    }).sort((a, b) => a - b)
    expect(ratios[20]!).toBeLessThan(2)
    expect(ratios[38]!).toBeLessThan(8)
    expect(ratios[38]!).toBeGreaterThan(0.1)
  })

  test('until there are 10 s and 50 points there is an offset only', () => {
    expect(fitted({ ppm: 100, jitter: 0, stalls: 0, seconds: 9.9, period: 20, seed: 1 })).toMatchObject({
      skewPpm: 0,
      skewError: Infinity,
    })
    expect(fitted({ ppm: 100, jitter: 0, stalls: 0, seconds: 20, period: 500, seed: 1 }).skewPpm).toBe(0)
    expect(fitted({ ppm: 100, jitter: 0, stalls: 0, seconds: 20, period: 20, seed: 1 }).skewPpm).toBeCloseTo(100, 3)
  })

  test('it never runs back, never faster than 500 ppm beside the media clock, and forgets nothing it may keep', () => {
    const any = fc.record({
      ppm: fc.integer({ min: -400, max: 400 }),
      jitter: fc.integer({ min: 0, max: 30 }),
      stalls: fc.constantFrom(0, 0.02),
      seconds: fc.integer({ min: 1, max: 14 }),
      period: fc.constantFrom(20, 33, 100),
      seed: fc.nat(),
    })
    fc.assert(
      fc.property(any, (one) => {
        const clock = new Clock({ window: 8000 })
        let last: { media: number; mapped: number } | undefined
        for (const { media, receive } of stream(one)) {
          const mapped = clock.push(media, receive)
          if (mapped === undefined) return
          if (last) expect(Math.abs(mapped - last.mapped - (media - last.media))).toBeLessThanOrEqual(SLEW * (media - last.media) + 1e-9)
          last = { media, mapped }
        }
      }),
      cases,
    )
  })

  test('a drift that changes is followed once the window has passed', () => {
    const clock = new Clock({ window: 20_000 })
    for (let i = 0; i < 3000; i++) clock.push(i * 20, i * 20 + Math.min(i, 1500) * 0.002 + (i > 1500 ? (1500 - i) * 0.002 : 0))
    expect(clock.model.skewPpm).toBeCloseTo(-100, 3)
  })

  const leaps: [string, (i: number) => number, (i: number) => number, boolean][] = [
    ['media runs an hour ahead', (i) => i * 20 + (i > 500 ? 3.6e6 : 0), (i) => i * 20, true],
    ['media begins anew', (i) => (i > 500 ? i - 501 : i) * 20, (i) => i * 20, true],
    ['media stood still for a while', (i) => i * 20, (i) => i * 20 + (i > 500 ? 5000 : 0), true],
    ['everything stalls for a second, then catches up', (i) => i * 20, (i) => Math.max(i * 20, i >= 500 && i < 550 ? 11_000 : 0), false],
    ['a leap of 90 ms', (i) => i * 20 + (i > 500 ? 90 : 0), (i) => i * 20, false],
  ]
  for (const [what, media, receive, leapt] of leaps) {
    test(`${what}: ${leapt ? 'a leap' : 'no leap'}`, () => {
      const clock = new Clock()
      const found = Array.from({ length: 800 }, (_, i) => i).findIndex((i) => clock.push(media(i), receive(i)) === undefined)
      expect(found > 500).toBe(leapt)
      if (!leapt) expect(found).toBe(-1)
    })
  }
})

/** A timeline of 10 cells a second, and what came out of it. */
function watched(tracks: Record<string, LiveTrackOptions>, options: Partial<LiveOptions> = {}) {
  const cells: LiveCell[] = []
  const leaps: Discontinuity[] = []
  const released: unknown[] = []
  const timeline = new LiveTimeline({
    rate: 10,
    onCell: (cell) => cells.push(cell),
    onDiscontinuity: (one) => leaps.push(one),
    onRelease: (_id, value) => released.push(value),
    ...options,
  })
  for (const [id, one] of Object.entries(tracks)) timeline.track(id, one)
  return { timeline, cells, leaps, released }
}

const micros = (ms: number) => Math.round(ms * 1000)

describe('cells', () => {
  test('two streams with clocks of their own, 29 minutes apart, on one axis', () => {
    const { timeline, cells } = watched({ v: { kind: 'video' }, a: { kind: 'series', policy: 'linear' } })
    for (let i = 0; i < 1000; i++) {
      timeline.push('v', micros(i * 10 + 1_750_840), i, i * 10 + 3)
      timeline.push('a', micros(i * 10), i * 10, i * 10 + 3)
    }
    expect(cells.length).toBe(97)
    expect(cells.map(({ index }) => index)).toEqual(cells.map((_, k) => k))
    const { v, a } = cells[50]!.tracks
    expect(v!.value).toBe(500)
    expect(a!.value).toBeCloseTo(5000, 6)
    expect(timeline.report.tracks.v).toMatchObject({ pushed: 1000, late: 0, dropped: 0, discontinuities: 0, missing: 0 })
  })

  test('out of order within the wait: in its place; after it: late', () => {
    const { timeline, cells } = watched({ v: { kind: 'video', policy: { policy: 'hold' } } })
    const push = (ms: number, received: number) => timeline.push('v', micros(ms), ms, received)
    push(0, 0)
    push(300, 300)
    push(100, 310)
    push(1000, 1000)
    push(50, 1010)
    expect(cells.slice(0, 4).map(({ tracks }) => tracks.v!.value)).toEqual([0, 100, 100, 300])
    expect(timeline.report.tracks.v).toMatchObject({ reordered: 2, late: 1 })
  })

  test('whatever comes, cells are in order, once, and only after their time', () => {
    const sample = fc.record({
      track: fc.constantFrom('v', 'e'),
      step: fc.integer({ min: -400, max: 900 }),
      wait: fc.integer({ min: 0, max: 400 }),
    })
    fc.assert(
      fc.property(fc.array(sample, { maxLength: 80 }), fc.boolean(), (list, close) => {
        const released: unknown[] = []
        let [media, received, start, now, count] = [0, 0, 0, 0, 0]
        const seen: LiveCell[] = []
        const onCell = (cell: LiveCell) => {
          expect(cell.index).toBe(seen.length)
          if (received >= 0) expect(cell.ticks).toBeLessThan((now - 100) * TICKS_PER_MS)
          seen.push(cell)
        }
        const timeline = new LiveTimeline({ rate: 10, onCell, allowedLateness: 100, onRelease: (_, value) => released.push(value) })
        timeline.track('v', { kind: 'video', limit: 8 }).track('e', { kind: 'event', limit: 8 })
        for (const { track, step, wait } of list) {
          media = Math.max(0, media + step)
          received = Math.max(received, media + wait)
          if (count === 0) start = received
          now = received - start
          timeline.push(track, micros(media), count++, received)
          for (const { queued } of Object.values(timeline.report.tracks)) expect(queued).toBeLessThanOrEqual(8)
        }
        received = -1
        if (!close) return
        timeline.close()
        // Every value is given back, once.
        expect(released.slice().sort((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: count }, (_, i) => i))
      }),
      cases,
    )
  })

  test('a silent track holds cells back for a second, an event track never', () => {
    const { timeline, cells } = watched({ v: { kind: 'video' }, a: { kind: 'audio' }, e: { kind: 'event' } })
    for (let i = 0; i <= 90; i++) timeline.push('v', micros(i * 10), i, i * 10)
    expect(cells.length).toBe(0)
    for (let i = 91; i <= 200; i++) timeline.push('v', micros(i * 10), i, i * 10)
    expect(cells.length).toBe(18)
    expect(cells.every(({ tracks }) => !tracks.a!.valid)).toBe(true)
    timeline.close()
    expect(cells.length).toBe(21)
  })

  test('advance lets cells go when nothing comes any more', () => {
    const { timeline, cells } = watched({ v: { kind: 'video', policy: 'hold' } })
    timeline.push('v', 0, 'x', 5000)
    timeline.advance(5900)
    expect(cells.length).toBe(0)
    timeline.advance(7000)
    expect(cells.length).toBe(18)
  })

  test('windows have every event once, linear mixes numbers and rows, tolerance masks', () => {
    const { timeline, cells } = watched({
      e: { kind: 'event' },
      n: { kind: 'series', timebase: 1000 },
      r: { kind: 'series', timebase: 1000, policy: { policy: 'linear', maxGap: 0.25 } },
      h: { kind: 'series', timebase: 1000, policy: { policy: 'hold', tolerance: 0.15 } },
    })
    for (const t of [0, 200, 400, 1000, 1400]) {
      for (const id of ['n', 'r', 'h']) timeline.push(id, t, id === 'r' ? Float32Array.of(t, 2 * t) : t, t)
      timeline.push('e', micros(t), t, t)
    }
    timeline.close()
    expect(cells.flatMap(({ tracks }) => tracks.e!.value)).toEqual([0, 200, 400, 1000, 1400])
    expect(cells.slice(0, 5).map(({ tracks }) => tracks.n!.value)).toEqual([0, 100, 200, 300, 400])
    expect(cells[1]!.tracks.r!.value).toEqual(Float32Array.of(100, 200))
    expect(cells.slice(0, 11).map(({ tracks }) => tracks.r!.valid)).toEqual([
      true,
      true,
      true,
      true,
      true,
      false,
      false,
      false,
      false,
      false,
      true,
    ])
    expect(cells.slice(0, 8).map(({ tracks }) => tracks.h!.valid)).toEqual([true, true, true, true, true, true, false, false])
  })

  test('a clock that leaps begins a new segment, and is told', () => {
    const { timeline, cells, leaps } = watched({ v: { kind: 'video' } })
    for (let i = 0; i < 200; i++) timeline.push('v', micros(i * 10 + (i < 100 ? 0 : 60_000)), i, i * 10)
    expect(leaps).toEqual([{ track: 'v', media: 61_000_000, received: 1000 }])
    expect(cells.map(({ tracks }) => tracks.v!.value)).toEqual(cells.map((_, k) => k * 10))
  })

  test('a drift of 200 ppm is followed within 2 ms', () => {
    const { timeline } = watched({ v: { kind: 'video', timebase: 90_000 } })
    let off = 0
    for (const { media, truth, receive } of stream({ ppm: 200, jitter: 3, stalls: 0.02, seconds: 120, period: 33, seed: 3 })) {
      const ticks = timeline.push('v', Math.round(media * 90), 0, receive)!
      if (media > 60_000) off = Math.max(off, Math.abs(ticks / TICKS_PER_MS - truth))
    }
    console.log(`largest error after a minute: ${off.toFixed(3)} ms`)
    expect(off).toBeLessThan(2)
    expect(timeline.report.tracks.v!.clock.skewPpm).toBeCloseTo(200, -1)
  })
})

describe('queues', () => {
  const flood = (overflow: 'dropOldest' | 'dropNewest' | 'error') => {
    const one = watched({ v: { kind: 'video', limit: 4, overflow }, a: { kind: 'audio' } }, { idle: 1e6 })
    for (let i = 0; i < 10; i++) one.timeline.push('v', micros(i * 10), i, i * 10)
    return one
  }

  test('drop the oldest, or the newest, or refuse; what is dropped is released', () => {
    expect(flood('dropOldest').released).toEqual([0, 1, 2, 3, 4, 5])
    expect(flood('dropNewest').released).toEqual([4, 5, 6, 7, 8, 9])
    expect(flood('dropNewest').timeline.report.tracks.v).toMatchObject({ dropped: 6, queued: 4, pushed: 10 })
    expect(codeOf(() => flood('error'))).toBe('E_OVERFLOW')
  })

  test('times that are none are counted and released', () => {
    const { timeline, released } = watched({ v: { kind: 'video' } })
    timeline.push('v', 0, 'ok', 0)
    for (const [media, received] of [
      [Number.NaN, 0],
      [0.5, 0],
      [0, Infinity],
      [0, Number.NaN],
      [0, 1e300],
      [2 ** 60, 0],
    ] as const)
      timeline.push('v', media, 'bad', received)
    expect(timeline.report.tracks.v!.badTimes).toBe(6)
    expect(released).toEqual(Array(6).fill('bad'))
  })

  test('after hours of silence cells are skipped, not made by the million', () => {
    const { timeline, cells } = watched({ v: { kind: 'video' } })
    timeline.push('v', 0, 0, 0)
    timeline.push('v', micros(36e6), 1, 36e6)
    expect(cells.length).toBe(10_000)
    expect(timeline.report.skipped).toBe(360_000 - 2 - 10_000)
    timeline.push('v', micros(36e6 + 300), 2, 36e6 + 300)
    expect(cells.at(-1)!.index).toBe(360_000)
  })

  test('an hour of pushes costs the same at its end as at its start, and holds no more', () => {
    const { timeline } = watched({ v: { kind: 'video' } }, { onCell: () => {} })
    const took: number[] = []
    for (let part = 0; part < 4; part++) {
      const began = performance.now()
      for (let i = part * 15_000; i < (part + 1) * 15_000; i++) timeline.push('v', micros(i * 60), i, i * 60 + ((i * 7919) % 13))
      took.push(performance.now() - began)
    }
    console.log(`15,000 pushes: ${took.map((one) => one.toFixed(0)).join(', ')} ms`)
    expect(timeline.report.tracks.v!.queued).toBeLessThan(20)
    expect(took[3]!).toBeLessThan(5 * took[0]! + 500)
  })

  test('what is no track, no rate or no policy is refused', () => {
    expect(codeOf(() => new LiveTimeline({ rate: 0 }))).toBe('E_RANGE')
    expect(codeOf(() => new LiveTimeline({ rate: 1, idle: -1 }))).toBe('E_RANGE')
    expect(codeOf(() => new LiveTimeline({ rate: 1 }).push('x', 0))).toBe('E_RANGE')
    expect(codeOf(() => new LiveTimeline({ rate: 1 }).track('x', { kind: 'series', policy: 'mean' }))).toBe('E_RANGE')
    expect(codeOf(() => new LiveTimeline({ rate: 1 }).track('x', { kind: 'video', limit: 0 }))).toBe('E_RANGE')
    expect(codeOf(() => new LiveTimeline({ rate: 1 }).track('x', { kind: 'video' }).track('x', { kind: 'video' }))).toBe('E_RANGE')
  })
})
