// Resampling against what it says of itself: sines, aliases, impulses, the work it costs; and against torchaudio (test/fixtures/make_mel.py).
import { describe, expect, test } from 'vitest'
import { faultOf } from '../../src/media/faults.ts'
import { checkSamples, mono, resample } from '../../src/media/resample.ts'
import type { RateLike } from '../../src/media/ticks.ts'
import { chord, fixtures, stored } from './mel_sounds.ts'

const sine = (count: number, rate: number, hz: number, phase = 0.3) =>
  Float32Array.from({ length: count }, (_, i) => Math.sin((2 * Math.PI * hz * i) / rate + phase))

const number = (rate: RateLike) => (typeof rate === 'number' ? rate : rate.num / rate.den)

const pairs: [from: RateLike, to: RateLike][] = [
  [48000, 16000],
  [44100, 16000],
  [8000, 16000],
  [22050, 16000],
  [11025, 48000],
  [16000, 44100],
  [96000, 16000],
  [{ num: 48_000_000, den: 1001 }, 16000],
  [44100, 43999], // phases beyond what is kept
]

/** Where a new sample hears nothing of the ends. */
function interior(count: number, from: number, to: number): [number, number] {
  const edge = Math.ceil((66 / Math.min(from, to)) * to)
  return [edge, count - edge]
}

describe.each(pairs)('%o → %o', (from, to) => {
  const [a, b] = [number(from), number(to)]
  const low = Math.min(a, b)
  const count = Math.ceil(a * 0.05)

  test('sines below 0.45 of the lower rate come out as themselves', () => {
    for (const share of [0.001, 0.1, 0.27, 0.4, 0.449]) {
      const out = resample(sine(count, a, share * low), from, to)
      const [first, end] = interior(out.length, a, b)
      expect(end - first).toBeGreaterThan(300)
      let worst = 0
      for (let n = first; n < end; n++) worst = Math.max(worst, Math.abs(out[n]! - Math.sin((2 * Math.PI * share * low * n) / b + 0.3)))
      expect(worst).toBeLessThan(1.5e-5)
    }
  })

  test('what cannot be kept is 100 dB down', () => {
    if (b > a) return
    for (const share of [0.5, 0.52, 0.7, 1.01].filter((one) => one * low < a / 2)) {
      const out = resample(sine(count, a, share * low), from, to)
      const [first, end] = interior(out.length, a, b)
      let peak = 0
      for (let n = first; n < end; n++) peak = Math.max(peak, Math.abs(out[n]!))
      expect(20 * Math.log10(peak)).toBeLessThan(-100)
    }
  })

  test('a constant stays, to the last bit that f32 has', () => {
    const out = resample(new Float32Array(count).fill(0.75), from, to)
    const [first, end] = interior(out.length, a, b)
    for (let n = first; n < end; n++) expect(out[n]).toBe(0.75)
  })

  test('an impulse is where it was', () => {
    // Its time is the middle of what comes out, to a hundredth of a new sample.
    const samples = new Float32Array(count)
    const at = Math.floor(count / 2)
    samples[at] = 1
    const out = resample(samples, from, to)
    const [sum, moment] = out.reduce(([sum, moment], value, n) => [sum! + value, moment! + value * n], [0, 0]) as [number, number]
    expect(Math.abs(moment / sum - (at * b) / a)).toBeLessThan(0.01)
    expect(out.length).toBe(Math.ceil((count * b) / a - 1e-9))
  })
})

test('images of a low rate are 100 dB down', () => {
  const out = resample(sine(4000, 8000, 3000), 8000, 48000)
  // What is left of it when the sine itself is taken away.
  let worst = 0
  for (let n = 1000; n < out.length - 1000; n++)
    worst = Math.max(worst, Math.abs(out[n]! - Math.sin((2 * Math.PI * 3000 * n) / 48000 + 0.3)))
  expect(20 * Math.log10(worst)).toBeLessThan(-100)
})

test('an impulse is symmetrical to the bit where a new sample falls on it', () => {
  const samples = new Float32Array(2001)
  samples[1000] = 1
  const out = resample(samples, 8000, 16000)
  expect(out.indexOf(Math.max(...out))).toBe(2000)
  for (let k = 1; k < 150; k++) expect(out[2000 - k]).toBeCloseTo(out[2000 + k]!, 12)
})

test('equal rates give a copy', () => {
  const samples = sine(100, 16000, 440)
  const out = resample(samples, 16000, { num: 32000, den: 2 })
  expect(out).toEqual(samples)
  expect(out).not.toBe(samples)
})

test('nothing is nothing, one sample is something', () => {
  expect(resample(new Float32Array(0), 48000, 16000).length).toBe(0)
  expect(resample(Float32Array.of(1), 48000, 16000).length).toBe(1)
  expect(resample(Float32Array.of(1), 8000, 16000).length).toBe(2)
})

/** Counts the reads of samples, beside one look at each. */
function reads(count: number, from: number, to: number): number {
  let looks = 0
  const samples = new Proxy(new Float32Array(count), {
    get(target, key) {
      if (typeof key === 'string' && /^\d+$/.test(key)) looks++
      const value = Reflect.get(target, key, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  resample(samples, from, to)
  return looks
}

test('work is linear: 130 looks per sample of the higher of both rates', () => {
  for (const [from, to] of [
    [48000, 16000],
    [44100, 16000],
    [8000, 16000],
  ] as const) {
    const [some, many] = [reads(2000, from, to), reads(16000, from, to)]
    expect(some).toBeGreaterThan(2000)
    expect(many).toBeLessThan((16000 * 133 * Math.max(from, to)) / from)
    expect((many - some) / 14000).toBeCloseTo((130 * Math.max(from, to)) / from, -1)
  }
})

test('segments keep their starts', () => {
  const samples = sine(4800, 48000, 1000)
  const [one, two] = resample(
    [
      { start: 1.25, samples },
      { startTicks: 705_600_000, samples: [samples, samples], count: 4800 },
    ],
    48000,
    16000,
  )
  expect(one).toEqual({ start: 1.25, samples: resample(samples, 48000, 16000) })
  expect(two!.startTicks).toBe(705_600_000)
  expect(two!.samples).toEqual([one!.samples, one!.samples])
  expect(two!.count).toBeUndefined()
})

test('channels become their mean', () => {
  expect(mono([Float32Array.of(1, 0.5, -1), Float32Array.of(0, 0.5, 1)])).toEqual(Float32Array.of(0.5, 0.5, 0))
  expect(() => mono([])).toThrow('no channel')
  expect(() => mono([new Float32Array(1), new Float32Array(2)])).toThrow('different lengths')
})

test('bad input is refused with a sentence', () => {
  const code = (work: () => unknown) => {
    try {
      work()
    } catch (error) {
      return faultOf(error)?.code
    }
    return undefined
  }
  expect(code(() => resample(Float32Array.of(0, Number.NaN), 48000, 16000))).toBe('E_BAD_VALUE')
  expect(code(() => checkSamples(Float32Array.of(Number.POSITIVE_INFINITY)))).toBe('E_BAD_VALUE')
  expect(code(() => resample(new Float32Array(1), 0, 16000))).toBe('E_RANGE')
  expect(code(() => resample(new Float32Array(1), 48000, Number.NaN))).toBe('E_RANGE')
  expect(code(() => resample(new Float32Array(2000), 1, 1e9))).toBe('E_RANGE')
  expect(code(() => resample([{ start: 0, count: 5 }], 48000, 16000))).toBe('E_RANGE')
  expect(code(() => resample(new Float32Array(1), { num: 2 ** 50, den: 3 }, { num: 2 ** 51 + 1, den: 7_000_001 }))).toBe('E_RANGE')
})

test.each(fixtures.resampled)("torchaudio's $from → $to", ({ from, to, count, length, at }) => {
  const out = resample(chord(count, from, to), from, to)
  expect(out.length).toBe(length)
  const [first, end] = interior(length, from, to)
  // At the ends both hear silence, through filters that are not quite the same.
  for (let n = 0; n < length; n++) expect(Math.abs(out[n]! - stored[at + n]!)).toBeLessThan(n >= first && n < end ? 1e-5 : 3e-4)
})
