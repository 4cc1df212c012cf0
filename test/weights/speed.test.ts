import { expect, test } from 'vitest'
import { Speed } from '../../src/weights/speed.ts'

test('a steady line', () => {
  const speed = new Speed()
  expect(speed.rate(0)).toBe(0)
  expect(speed.left(100, 0)).toBeUndefined()
  for (let at = 0; at <= 20_000; at += 100) speed.add(at * 50, at)
  expect(speed.rate(20_000)).toBeCloseTo(50_000)
  expect(speed.left(100_000, 20_000)).toBeCloseTo(2)
  expect(speed.left(-5, 20_000)).toBe(0)
})

test('only the last five seconds count, and a stall shows as it lasts', () => {
  const speed = new Speed()
  for (let at = 0; at <= 10_000; at += 100) speed.add(at * 10, at)
  for (let at = 10_100; at <= 16_000; at += 100) speed.add(100_000 + (at - 10_000) * 1000, at)
  expect(speed.rate(16_000)).toBeCloseTo(1_000_000)
  expect(speed.rate(26_000)).toBeLessThan(400_000)
  expect(speed.rate(36_000)).toBeLessThan(speed.rate(26_000))
})

test('a slow line has a speed between two marks far apart', () => {
  const speed = new Speed()
  speed.add(0, 0)
  speed.add(1_000_000, 30_000)
  expect(speed.rate(30_000)).toBeCloseTo(33_333, 0)
  speed.add(2_000_000, 60_000)
  expect(speed.rate(60_000)).toBeCloseTo(33_333, 0)
})
