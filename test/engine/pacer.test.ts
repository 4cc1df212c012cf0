import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { holdLimit, Pacer } from '../../src/engine/pacer.ts'

const make = (rows = 256, tokens = 8) => new Pacer({ aim: 50, rows, tokens, clock: () => 0 })
const state = ({ rows, tokens, slices }: Pacer) => ({ rows, tokens, slices })

describe('on a slow GPU', () => {
  it('shrinks chunks first, then cuts the pass into more submits', () => {
    const pacer = make()
    const seen = []
    for (let chunk = 0; chunk < 6; chunk++) {
      pacer.prefilled(pacer.rows, 400) // whatever the size: the clock is slow, not the rows
      seen.push([pacer.rows, pacer.slices])
    }
    expect(seen).toEqual([
      [2, 1],
      [1, 4],
      [1, 8],
      [1, 8],
      [1, 8],
      [1, 8],
    ])
  })

  it('makes one token per submit, and slices it under the limit', () => {
    const pacer = make()
    for (let index = 0; index < 5; index++) pacer.decoded(pacer.tokens, 1)
    expect(pacer.tokens).toBe(8)
    pacer.decoded(8, 8 * 400)
    expect(state(pacer)).toEqual({ rows: 16, tokens: 1, slices: 8 })
    expect(400 / pacer.slices).toBeLessThan(holdLimit)
  })

  it.each([0.05, 0.5, 3, 20, 70, 1000])('with %f ms a row no submit holds the GPU beyond the limit once it was measured', (cost) => {
    const pacer = make()
    for (let chunk = 0; chunk < 12; chunk++) pacer.prefilled(pacer.rows, pacer.rows * cost)
    for (let burst = 0; burst < 12; burst++) pacer.decoded(pacer.tokens, pacer.tokens * cost)
    expect((pacer.rows * cost) / pacer.slices).toBeLessThanOrEqual(holdLimit)
    expect(((pacer.slices === 1 ? pacer.tokens : 1) * cost) / pacer.slices).toBeLessThanOrEqual(holdLimit)
    if (cost * 256 < 25) expect(pacer.rows).toBe(256) // and none is idle for nothing
  })
})

describe('on a fast GPU', () => {
  it('doubles chunks and tokens up to their most', () => {
    const pacer = make()
    const seen = []
    for (let round = 0; round < 5; round++) {
      seen.push([pacer.rows, pacer.tokens])
      pacer.prefilled(pacer.rows, 1)
      pacer.decoded(pacer.tokens, 0)
    }
    expect(seen).toEqual([
      [16, 1],
      [32, 2],
      [64, 4],
      [128, 8],
      [256, 8],
    ])
    pacer.prefilled(pacer.rows, 1)
    expect(state(pacer)).toEqual({ rows: 256, tokens: 8, slices: 1 })
  })

  it('learns nothing from a short last chunk, unless it was slow', () => {
    const pacer = make()
    pacer.prefilled(3, 1)
    expect(pacer.rows).toBe(16)
    pacer.prefilled(3, 90)
    expect(pacer.rows).toBe(8)
  })

  it('comes back from one long pause', () => {
    const pacer = make()
    pacer.decoded(1, 60_000)
    expect(pacer.slices).toBe(64)
    for (let token = 0; token < 10; token++) pacer.decoded(pacer.tokens, pacer.tokens)
    expect(state(pacer)).toEqual({ rows: 16, tokens: 8, slices: 1 })
    pacer.prefilled(16, 60_000)
    for (let chunk = 0; chunk < 24; chunk++) pacer.prefilled(pacer.rows, 1)
    expect(state(pacer)).toMatchObject({ rows: 256, slices: 1 })
  })
})

it('stays within its bounds whatever was measured', () => {
  const time = fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1e7, noNaN: true }), fc.double({ min: 0, max: 200, noNaN: true }))
  const exponent = fc.integer({ min: 0, max: 9 })
  fc.assert(
    fc.property(
      exponent,
      fc.integer({ min: 1, max: 8 }),
      fc.array(fc.tuple(fc.boolean(), time), { maxLength: 60 }),
      (size, tokens, times) => {
        const pacer = make(2 ** size, tokens)
        for (const [prefill, milliseconds] of times) {
          if (prefill) pacer.prefilled(pacer.rows, milliseconds)
          else pacer.decoded(pacer.tokens, milliseconds)
          expect(Number.isInteger(Math.log2(pacer.rows)) && pacer.rows >= 1 && pacer.rows <= 2 ** size, `${pacer.rows} rows`).toBe(true)
          expect(Number.isInteger(pacer.tokens) && pacer.tokens >= 1 && pacer.tokens <= tokens, `${pacer.tokens} tokens`).toBe(true)
          expect(Number.isInteger(pacer.slices) && pacer.slices >= 1 && pacer.slices <= 64, `${pacer.slices} slices`).toBe(true)
        }
      },
    ),
  )
})

it('a tile costs the same whatever it holds: a slow pass is cut into slices, not into fewer rows', () => {
  const pacer = new Pacer({ rows: 64, least: 32, tokens: 4, aim: 200, clock: () => 0 })
  expect(pacer.rows).toBe(32)
  pacer.prefilled(32, 1000)
  expect({ rows: pacer.rows, slices: pacer.slices }).toEqual({ rows: 32, slices: 8 })
  pacer.prefilled(32, 1000)
  pacer.prefilled(32, 100)
  expect({ rows: pacer.rows, slices: pacer.slices }).toEqual({ rows: 32, slices: 4 })
})
