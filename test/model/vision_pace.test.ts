// How much of a tower goes into a submit: it follows the measured speed, and one hitch or one short submit does not upset it.
import { expect, it } from 'vitest'
import { VisionPace } from '../../src/model/vision_pace.ts'

/** Submits to a GPU of so many operations a millisecond, with so many milliseconds for the way there and back. */
function run(pace: VisionPace, rate: number, submits: number, way = 0): number {
  let longest = 0
  for (let i = 0; i < submits; i++) {
    const milliseconds = pace.work / rate + way
    pace.measured(pace.work, milliseconds)
    longest = Math.max(longest, milliseconds)
  }
  return longest
}

it('comes to what is aimed at within a few submits, from either side', () => {
  for (const rate of [5e6, 5e7, 5e9]) {
    const pace = new VisionPace(false)
    run(pace, rate, 5)
    expect(pace.work / rate).toBeCloseTo(50)
  }
})

it('does not hold a fast GPU past 100 ms on the way there', () => {
  expect(run(new VisionPace(false), 1e10, 10, 1)).toBeLessThan(100)
})

it('a short last submit says nothing, a slow one does', () => {
  const pace = new VisionPace(false)
  run(pace, 1e9, 5)
  pace.measured(1e3, 1)
  expect(pace.work / 1e9).toBeCloseTo(50)
  pace.measured(1e9, 1000)
  expect(pace.work).toBeLessThan(1e8)
  run(pace, 1e9, 5)
  expect(pace.work / 1e9).toBeCloseTo(50)
})
