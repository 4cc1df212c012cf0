// Log-probabilities against log_softmax: the chosen token's and the likeliest in order, in the places of their slot's ring and nowhere else.
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { logprobs, logprobWords } from '../../src/kernels/logprobs.ts'
import type { SamplingSettings } from '../../src/model/rows.ts'
import { readLogprobs } from '../../src/model/sampler.ts'
import { logSoftmax } from '../reference.ts'
import { Bench, numbers, POISON } from './run.ts'

let bench: Bench
beforeAll(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clear())

const shape = { rows: 8, logits: 6, slots: 6, pages: 2, ring: 4 }
const settings = (count?: number): SamplingSettings => ({ temperature: 1, topK: 0, topP: 1, seed: [0, 0], logprobs: count })
const counts = [20, undefined, 0, 5]
const slotOf = (index: number) => (index * 5 + 2) % shape.slots
const rowOf = (index: number) => (index * 3 + 1) % 7

describe.each([
  ['normal', 1],
  ['normal', 257],
  ['tied', 1003],
  ['normal', 59264],
] as const)('%s logits of %i tokens', (kind, vocabulary) => {
  it('are their twin', async () => {
    const chosen = counts.map((_, index) => (index * 601) % vocabulary)
    const draws = counts.map((_, index) => index * 3 + 1) // sampling has advanced them
    const x = new Float32Array(shape.logits * vocabulary).fill(Number.NaN)
    const normals = numbers(vocabulary).array(counts.length * vocabulary, 3)
    x.set(kind === 'tied' ? normals.map(Math.round) : normals)
    const rows = bench.rows(shape)
    const table = Array.from({ length: 7 }, () => ({ token: 0, position: 5, slot: 5 }))
    counts.forEach((count, index) => {
      table[rowOf(index)] = { token: chosen[index]!, position: 5, slot: slotOf(index) }
      rows.writeSlot(slotOf(index), settings(count), draws[index])
    })
    rows.write(
      table,
      counts.map((_, index) => rowOf(index)),
    )
    const y = bench.poisoned('records', shape.slots * shape.ring * logprobWords)
    await bench.run(logprobs(vocabulary, shape), { x: bench.buffer('logits', x), y, rows: rows.buffer }, [shape.logits])
    const words = await bench.words(y)
    const written = new Set<number>()
    counts.forEach((count, index) => {
      if (count === undefined) return
      const record = slotOf(index) * shape.ring + ((draws[index]! - 1) % shape.ring)
      for (let word = 0; word < 1 + 2 * count; word++) written.add(record * logprobWords + word)
      const wanted = logSoftmax(x.subarray(index * vocabulary, (index + 1) * vocabulary))
      const falling = Array.from(wanted.keys()).sort((a, b) => wanted[b]! - wanted[a]! || a - b)
      const own = readLogprobs(words, record, count)
      expect(own.top.map(({ token }) => token)).toEqual(falling.slice(0, count))
      for (const { token, logprob } of [{ token: chosen[index]!, logprob: own.logprob }, ...own.top])
        expect(Math.abs(logprob - wanted[token]!), `token ${token}`).toBeLessThan(2e-5)
    })
    expect(words.every((word, index) => written.has(index) || word === POISON)).toBe(true)
  })
})
