// The specification of what sees, against the classes' own numbers and against definitions.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { argmax, relativeL2 } from '../reference.ts'
import { forwardSeeing } from './seeing.ts'
import { type Levels, pixelValues } from './sights.ts'
import { attentionWithin, erf, interpolated, layerNorm, loadVision, placesOf, see } from './vision.ts'

const FIXTURES = fileURLToPath(new URL('../fixtures/vision/', import.meta.url))
const json = (name: string) => JSON.parse(readFileSync(FIXTURES + name, 'utf8'))
const levels: Levels = json('levels.json')
const bytes = readFileSync(`${FIXTURES}levels.bin`)

interface Golden {
  hidden: number
  visionHidden: number
  vocab: number
  tokens: { image: number }
  sights: Record<string, { tokens: number; patches: number; tower: number; merged: number; rows: number }>
  cases: {
    name: string
    sights: string[]
    ids: number[]
    positions?: number[][] // GLM-Edge-V counts as text does
    delta?: number
    logits: { positions: number[]; offset: number }
    greedy: number[]
  }[]
}

describe.each(['glm4v', 'glm46v', 'glm_ocr', 'glm_edge_v'])('%s', (name) => {
  const golden: Golden = json(`${name}.json`)
  const file = readFileSync(`${FIXTURES}${name}.f32`)
  const floats = (offset: number, count: number) => Array.from({ length: count }, (_, i) => file.readFloatLE(offset + 4 * i))
  const model = loadVision(FIXTURES + name)
  const edge = name === 'glm_edge_v'
  const sights = edge ? levels.edge : levels.sights

  test.each(Object.entries(golden.sights))('%s: tower, merged and rows of the class', (sight, { tokens, patches, tower, merged, rows }) => {
    const entry = sights[sight]!
    const seen = see(model, pixelValues(levels, bytes, entry), [entry.grid])
    expect(relativeL2(seen.tower, floats(tower, patches * golden.visionHidden))).toBeLessThan(2e-6)
    expect(relativeL2(seen.merged, floats(merged, (edge ? tokens - 2 : tokens) * golden.hidden))).toBeLessThan(2e-6)
    expect(relativeL2(seen.rows, floats(rows, tokens * golden.hidden))).toBeLessThan(2e-6)
  })

  test.each(golden.cases.map((one) => [one.name, one] as const))('%s: logits and greedy continuation of the class', (_, one) => {
    const rows = Float64Array.from(
      one.sights.flatMap((sight) => [...see(model, pixelValues(levels, bytes, sights[sight]!), [sights[sight]!.grid]).rows]),
    )
    const length = one.ids.length
    const counted = Array.from({ length: length + one.greedy.length }, (_, i) => i)
    const behind = counted.slice(length).map((i) => i + (one.delta ?? 0))
    const positions = one.positions?.map((axis) => [...axis, ...behind]) ?? [counted, counted, counted]
    const logits = forwardSeeing(model, { ids: [...one.ids, ...one.greedy], placeholder: golden.tokens.image, rows, positions })
    const row = (i: number) => logits.subarray(i * golden.vocab, (i + 1) * golden.vocab)
    const kept = one.logits.positions.flatMap((i) => [...row(i)])
    expect(relativeL2(kept, floats(one.logits.offset, kept.length))).toBeLessThan(1e-5) // f32 angles of the classes are up to 2e-6 off
    expect(one.greedy.map((_, i) => argmax(row(length - 1 + i)))).toEqual(one.greedy)
  })
})

test.each(['glm4v', 'glm46v', 'glm_ocr'])('%s: pictures together are as they are alone', (name) => {
  const model = loadVision(FIXTURES + name)
  const two = ['thin', 'move'].map((sight) => levels.sights[sight]!)
  const pixels = two.map((entry) => pixelValues(levels, bytes, entry))
  const together = see(
    model,
    Float32Array.from(pixels.flatMap((one) => [...one])),
    two.map(({ grid }) => grid),
  )
  const alone = two.map(({ grid }, i) => see(model, pixels[i]!, [grid]))
  expect([...together.rows]).toEqual(alone.flatMap(({ rows }) => [...rows]))
})

test('a table at its own size is itself, of equal values anything is', () => {
  const table = Array.from({ length: 16 * 3 }, (_, i) => Math.sin(i * 7))
  const places = placesOf([[1, 4, 4]], 2)
  const expected = places.flatMap(([row, column]) => table.slice((row * 4 + column) * 3).slice(0, 3))
  expect(relativeL2(interpolated(table, 3, places), expected)).toBeLessThan(1e-15)
  for (const value of interpolated(new Array(16).fill(2.5), 1, placesOf([[1, 6, 14]], 2))) expect(value).toBeCloseTo(2.5, 12)
})

test('patches come in blocks', () => {
  const order = placesOf([[2, 2, 4]], 2).map(([row, column]) => `${row}${column}`)
  expect(order.join(' ')).toBe('00 01 10 11 02 03 12 13 00 01 10 11 02 03 12 13')
})

test('attention of equal keys is the mean of its own stretch', () => {
  const v = [1, 3, 10, 20, 60]
  const y = attentionWithin([1, 2, 3, 4, 5], [0, 0, 0, 0, 0], v, [2, 3], 1, 1)
  expect(relativeL2(y, [2, 2, 30, 30, 30])).toBeLessThan(1e-15)
})

test('layer norm', () => {
  const y = layerNorm([1, 2, 3, 4, -1, -1, -1, -1], [1, 1, 2, 1], [0, 0, 0, 1], 0.75)
  const scale = 1 / Math.sqrt(2)
  expect(relativeL2(y, [-1.5 * scale, -0.5 * scale, scale, 1.5 * scale + 1, 0, 0, 0, 1])).toBeLessThan(1e-15)
})

test('erf', () => {
  // Abramowitz and Stegun, table 7.1, and more digits.
  const known = [
    [0, 0],
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [2, 0.9953222650189527],
    [3.5, 0.9999992569016276],
    [-1, -0.8427007929497149],
  ]
  for (const [x, y] of known) expect(erf(x!)).toBeCloseTo(y!, 14)
})
