// Sizes against the real smart_resize, weights against what must hold of them, resized bytes against the real processors'.
import { describe, expect, it } from 'vitest'
import { planPictures } from '../../src/media/picture_plan.ts'
import { pictureProfiles } from '../../src/media/picture_profiles.ts'
import { resample, smartResize } from '../../src/media/resize.ts'
import { decoded, patched, planes, resized } from '../reference/patchify.ts'
import { framesOf, preparedCases, read } from './prepared.ts'

describe('smartResize', () => {
  const rows = read('sizes.json') as [number, number, number, number, number, number, number][]
  const sized = ([frames, height, width, minPixels, maxPixels]: (typeof rows)[number]) =>
    smartResize({ width, height }, { frames, factor: 28, temporal: 2, minPixels, maxPixels })

  it('is what the processors take, of pictures and clips', () => {
    const good = rows.filter((row) => row[5] > 0)
    expect(good.length).toBeGreaterThan(450)
    expect(good.map((row) => [...row.slice(0, 5), sized(row).height, sized(row).width])).toEqual(good)
  })

  it('refuses what they refuse', () => {
    const bad = rows.filter((row) => row[5] === 0)
    expect(bad.length).toBeGreaterThan(0)
    for (const row of bad) expect(() => sized(row)).toThrow('more than 200 times')
  })

  it.each([
    [2, 666, 540, 11_760_000, 672, 532],
    [2, 70, 98, 11_760_000, 56, 112],
    [2, 20, 40, 11_760_000, 56, 112],
    [2, 1080, 1920, 1_000_000, 504, 924],
    [2, 1080, 1920, 9_633_792, 1092, 1932],
    [60, 360, 640, 47_040_000, 364, 644],
    [120, 1080, 1920, 47_040_000, 448, 812],
  ])('%i frames of %i × %i, %i pixels', (frames, height, width, maxPixels, high, wide) => {
    const size = smartResize({ width, height }, { frames, factor: 28, temporal: 2, minPixels: 12_544, maxPixels })
    expect(size).toEqual({ width: wide, height: high })
  })
})

describe('resample', () => {
  const lengths = [
    [1, 28],
    [7, 56],
    [28, 28],
    [100, 37],
    [1920, 924],
    [8000, 28],
    [3, 1],
    [65535, 1],
  ] as const

  for (const filter of ['bicubic', 'bilinear'] as const) {
    it.each(lengths)(`${filter}: %i to %i`, (from, to) => {
      const { first, counts, weights, taps, bits } = resample(from, to, filter)
      for (let i = 0; i < to; i++) {
        const own = weights.subarray(i * taps, (i + 1) * taps)
        const sum = own.reduce((a, b) => a + b, 0)
        // Each weight is rounded by at most a half.
        expect(Math.abs(sum - 2 ** bits)).toBeLessThanOrEqual(counts[i]! / 2)
        expect(first[i]! + counts[i]!).toBeLessThanOrEqual(from)
        expect(counts[i]!).toBeGreaterThan(0)
        expect(own.subarray(counts[i]!).every((weight) => weight === 0)).toBe(true)
        // The sums of the shader stay within an i32.
        expect(255 * own.reduce((a, b) => a + Math.abs(b), 0) + 2 ** (bits - 1)).toBeLessThan(2 ** 31)
        if (i > 0) expect(first[i]!).toBeGreaterThanOrEqual(first[i - 1]!)
        if (i > 0) expect(first[i]! + counts[i]!).toBeGreaterThanOrEqual(first[i - 1]! + counts[i - 1]!)
      }
    })
  }

  it('keeps as many places as the largest weight leaves, but no more than 22', () => {
    expect(resample(28, 28, 'bicubic').bits).toBe(14)
    expect(resample(150, 1, 'bilinear').bits).toBe(21)
    expect(resample(65535, 1, 'bilinear').bits).toBe(22)
  })

  it('changes nothing where the size stays', () => {
    const { first, counts, weights, taps, bits } = resample(50, 50, 'bicubic')
    for (let i = 0; i < 50; i++) {
      const own = Array.from({ length: counts[i]! }, (_, j) => [first[i]! + j, weights[i * taps + j]!]).filter(([, weight]) => weight !== 0)
      expect(own).toEqual([[i, 2 ** bits]])
    }
  })
})

describe('bytes of the real processors', () => {
  it.each(preparedCases().map((one) => [one.name, one] as const))('%s', (_, one) => {
    const { filter, patch, merge, temporal, layout } = pictureProfiles[one.profile]
    const plan = planPictures(one.width, one.height, one.count, one)
    const { width, height } = plan.resized
    const frames = framesOf(one).map((frame) => resized(decoded(frame), width, height, filter))
    if (one.video && frames.length % temporal !== 0) frames.push(frames.at(-1)!)
    const steps = Array.from({ length: plan.grid[0] }, (_, i) =>
      Array.from({ length: temporal }, (_, j) => frames[one.video ? i * temporal + j : i]!),
    )
    const bytes = layout === 'planes' ? Uint8Array.from(frames.flatMap((frame) => [...planes(frame)])) : patched(steps, patch, merge)
    expect(plan.grid).toEqual(one.grid)
    expect(bytes.length).toBe(one.levels.length)
    expect(
      bytes.reduce((sum, value, i) => sum + (value === one.levels[i] ? 0 : 1), 0),
      'bytes that differ',
    ).toBe(0)
  })
})
