// Time is exact: integers, rounded once, half to even, from the index; never accumulated.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { quantile, select } from '../../src/media/select.ts'
import {
  at,
  fromIndex,
  fromMicros,
  fromSeconds,
  grid,
  indexAt,
  type RateLike,
  TICKS_PER_SECOND,
  toMicros,
  toSeconds,
} from '../../src/media/ticks.ts'
import { cases, codeOf, rates } from './tracks.ts'

/** The definition, in whole numbers of any size. */
function exact(i: number, num: number, den: number): number {
  const [top, bottom] = [BigInt(i) * BigInt(den) * BigInt(TICKS_PER_SECOND), BigInt(num)]
  const floor = top >= 0n || top % bottom === 0n ? top / bottom : top / bottom - 1n
  const twice = 2n * (top - floor * bottom)
  return Number(floor + (twice > bottom || (twice === bottom && floor % 2n !== 0n) ? 1n : 0n))
}

describe('rates', () => {
  const named: [RateLike, number, number][] = [
    [30, 30, 1],
    [29.97, 30000, 1001],
    [30000 / 1001, 30000, 1001],
    [23.976, 24000, 1001],
    [23.98, 24000, 1001],
    [59.94, 60000, 1001],
    [119.88, 120000, 1001],
    [12.5, 25, 2],
    [7.5, 15, 2],
    [0.5, 1, 2],
    [1 / 3, 1, 3],
    [44_100, 44_100, 1],
    [29.9, 299, 10],
    [{ num: 2997, den: 100 }, 2997, 100],
  ]
  for (const [rate, num, den] of named) {
    test(`${JSON.stringify(rate)} is ${num}/${den}`, () => expect(grid(rate)).toMatchObject({ num, den }))
  }

  const none = [
    0,
    -1,
    Number.NaN,
    Infinity,
    { num: 1, den: 0 },
    { num: 0, den: 1 },
    { num: 1.5, den: 1 },
    { num: 1, den: 1e8 },
    { num: -30, den: 1 },
  ]
  for (const rate of none) {
    test(`${JSON.stringify(rate)} is none`, () => expect(codeOf(() => grid(rate))).toBe('E_RANGE'))
  }

  test('flicks divide what is used, and not the few that are known', () => {
    for (const rate of [
      24, 25, 30, 50, 60, 120, 29.97, 23.976, 59.94, 8000, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000, 90_000, 1000, 100, 25, 12.5,
    ]) {
      expect(grid(rate).parts).toBe(1)
    }
    expect([grid(1e6).parts, grid(13).parts, grid(15_360).parts]).toEqual([5, 13, 2])
  })
})

describe('properties', () => {
  const indices = fc.oneof(
    fc.integer({ min: -(2 ** 31), max: 2 ** 31 }),
    fc.integer({ min: 0, max: 5_000_000 }),
    fc.integer({ min: 0, max: 13 }),
  )

  test('index to time is the exact quotient, half to even, at any rate', () => {
    const any = fc.record({ num: fc.integer({ min: 1, max: 2 ** 40 }), den: fc.integer({ min: 1, max: 10_000_000 }) })
    fc.assert(
      fc.property(indices, fc.oneof(fc.constantFrom(...rates), any), (i, rate) => {
        const { num, den } = grid(rate)
        const wanted = exact(i, num, den)
        if (Number.isSafeInteger(wanted)) expect(fromIndex(i, rate)).toBe(wanted)
        else expect(codeOf(() => fromIndex(i, rate))).toBe('E_BAD_TIME')
      }),
      cases,
    )
  })

  test('index to time rises, stays within a tick of the real line, and comes back', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 5_000_000 }), fc.constantFrom(...rates), (i, rate) => {
        const one = grid(rate)
        const [t, next] = [at(one, i), at(one, i + 1)]
        expect(next).toBeGreaterThan(t)
        expect(Math.abs(t - (i * one.period) / one.parts)).toBeLessThan(1)
        expect(indexAt(one, t)).toBe(i)
        expect(indexAt(one, next - 1)).toBe(i)
      }),
      cases,
    )
  })

  test('microseconds come back', () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 40), max: 2 ** 40 }), (micros) => {
        expect(toMicros(fromMicros(micros))).toBe(micros)
      }),
      cases,
    )
  })

  test('seconds come back, and i / fps is frame i', () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 50), max: 2 ** 50 }), fc.integer({ min: 0, max: 4_000_000 }), (ticks, i) => {
        expect(fromSeconds(toSeconds(ticks))).toBe(ticks)
        for (const fps of [24, 25, 30, 60, 12.5]) expect(fromSeconds(i / fps)).toBe(fromIndex(i, fps))
      }),
      cases,
    )
  })

  test('the k-th smallest is that of a sort, for adversaries too', () => {
    const values = fc.oneof(
      fc.array(fc.integer({ min: -(2 ** 50), max: 2 ** 50 }), { minLength: 1, maxLength: 300 }),
      fc.array(fc.nat(3), { minLength: 1, maxLength: 300 }),
      fc.array(
        fc.nat(40).map((power) => 2 ** power),
        { minLength: 1, maxLength: 300 },
      ),
    )
    fc.assert(
      fc.property(values, fc.nat(), (list, k) => {
        const sorted = Float64Array.from(list).sort()
        expect(select(Float64Array.from(list), k % list.length)).toBe(sorted[k % list.length])
      }),
      cases,
    )
    expect(quantile(new Float64Array(), 0.95)).toBe(0)
    expect(
      quantile(
        Float64Array.from({ length: 100 }, (_, i) => i + 1),
        0.95,
      ),
    ).toBe(95)
  })
})

test('nothing leaves the 147 days, and no NaN goes in', () => {
  for (const wrong of [
    () => fromSeconds(Number.NaN),
    () => fromSeconds(1e9),
    () => fromMicros(0.5),
    () => fromMicros(2 ** 53),
    () => fromIndex(2 ** 40, 1),
  ]) {
    expect(codeOf(wrong)).toBe('E_BAD_TIME')
  }
  expect(fromSeconds(12_765_000)).toBe(12_765_000 * TICKS_PER_SECOND)
})

test('boundary times of 30 frames a second are the frames themselves', () => {
  const wrong = Array.from({ length: 1800 }, (_, k) => k).filter((k) => indexAt(grid(30), fromSeconds(k / 30)) !== k)
  expect(wrong).toEqual([])
})
