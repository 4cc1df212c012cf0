// Positions against get_rope_index of the real class, and what must hold of all.
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Grid, positionsOf, type Run, tokensOf } from '../../src/model/mrope.ts'

const MERGE = 2

type Told = number | Grid | [Grid]
const file = new URL('../fixtures/vision/positions.json', import.meta.url)
const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: { runs: Told[]; positions: number[][]; delta: number }[] }

const runOf = (told: Told): Run => {
  if (typeof told === 'number') return { tokens: told }
  return { grid: told.length === 1 ? told[0] : told }
}

const axesOf = ({ ids, tokens }: { ids: Int32Array; tokens: number }) =>
  [0, 1, 2].map((axis) => [...ids.subarray(axis * tokens, (axis + 1) * tokens)])

test.each(cases.map((one, i) => [i, one] as const))('the class: case %i', (_, { runs, positions, delta }) => {
  const found = positionsOf(runs.map(runOf), MERGE)
  expect(axesOf(found)).toEqual(positions)
  expect(found.delta).toBe(delta)
  expect(found.next).toBe(found.tokens + delta)
})

test('the cases have what they are for', () => {
  const runs = cases.flatMap((one) => one.runs.map(runOf))
  expect(cases.length).toBe(40)
  expect(cases.some((one) => one.runs.some((told) => Array.isArray(told) && told.length === 1))).toBe(true) // steps of videos
  expect(runs.some((run) => 'grid' in run && run.grid[0] > 1)).toBe(true)
  expect(cases.some((one) => typeof one.runs[0] !== 'number')).toBe(true)
})

const side = fc.integer({ min: 1, max: 12 }).map((n) => n * MERGE)
const run: fc.Arbitrary<Run> = fc.oneof(
  fc.record({ tokens: fc.integer({ min: 0, max: 30 }) }),
  fc.record({ grid: fc.tuple(fc.constant(1), side, side) }),
)

test('text alone counts up, three times alike', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 300 }), (tokens) => {
      const found = positionsOf([{ tokens }], MERGE)
      const counted = Array.from({ length: tokens }, (_, i) => i)
      expect(axesOf(found)).toEqual([counted, counted, counted])
      expect(found).toMatchObject({ tokens, next: tokens, delta: 0 })
    }),
  )
})

test('what comes before does not change, what comes behind is moved as a whole', () => {
  fc.assert(
    fc.property(fc.array(run, { maxLength: 8 }), fc.array(run, { maxLength: 8 }), (first, second) => {
      const [a, b, both] = [positionsOf(first, MERGE), positionsOf(second, MERGE), positionsOf([...first, ...second], MERGE)]
      const expected = axesOf(a).map((axis, i) => [...axis, ...axesOf(b)[i]!.map((position) => position + a.next)])
      expect(axesOf(both)).toEqual(expected)
      expect(both.next).toBe(a.next + b.next)
    }),
  )
})

test('in a grid time stands, rows and columns count, and no place is taken twice', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 9 }), side, side, (before, h, w) => {
      const grid: Run = { grid: [1, h, w] }
      const found = positionsOf([{ tokens: before }, grid], MERGE)
      const [t, r, c] = axesOf(found).map((axis) => axis.slice(before)) as [number[], number[], number[]]
      expect(new Set(t)).toEqual(new Set([before]))
      expect(r.map((row, i) => (row - before) * (w / MERGE) + c[i]! - before)).toEqual(
        Array.from({ length: tokensOf(grid, MERGE) }, (_, i) => i),
      )
      expect(found.next).toBe(before + Math.max(h, w) / MERGE)
    }),
  )
})

test('nothing is nothing', () => {
  expect(positionsOf([], MERGE)).toEqual({ ids: new Int32Array(0), tokens: 0, next: 0, delta: 0 })
})
