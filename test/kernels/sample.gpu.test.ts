// Sampling against its twin: the token, and everything that is fed back into the rows.
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { rowsLayout } from '../../src/kernels/rows.ts'
import { sample } from '../../src/kernels/sample.ts'
import type { SamplingSettings } from '../../src/model/rows.ts'
import { argmax, distribution, sample as twin, uniform } from '../reference.ts'
import { Bench, numbers } from './run.ts'

let bench: Bench
beforeAll(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clear())

const shape = { rows: 8, logits: 6, slots: 7, pages: 3, ring: 4 }
const layout = rowsLayout(shape)
const greedy: SamplingSettings = { temperature: 0, topK: 0, topP: 1, seed: [0, 0] }

interface Asked {
  slot: number
  logits: Float32Array
  settings: SamplingSettings
  draw: number
}

/** A draw that rounding may decide: near a border between tokens, or a nucleus whose last token is near top p. */
function undecided(logits: Float32Array, settings: SamplingSettings, draw: number): boolean {
  if (settings.temperature === 0) return false
  const point = uniform(settings.seed[0], settings.seed[1], draw)
  let sum = 0
  for (const p of distribution(logits, settings)) {
    sum += p
    if (p > 0 && Math.abs(sum - point) < 1e-5) return true
  }
  const { minP = 0, temperature } = settings
  const least = Math.max(...logits) + temperature * Math.log(minP)
  if (logits.some((value) => value !== Math.max(...logits) && Math.abs(value - least) < 1e-5)) return true
  if (settings.topP === 1) return false
  sum = 0
  for (const p of distribution(logits, { ...settings, topP: 1, minP: 0 })
    .sort()
    .reverse()) {
    sum += p
    if (Math.abs(sum - settings.topP) < 1e-5) return true
  }
  return false
}

/** Runs `steps` passes over the same logits; after each, every word of the rows is as it was but for what sampling feeds back. */
async function check(asked: Asked[], vocabulary: number, steps: number): Promise<{ tokens: number[][]; skipped: number }> {
  const rows = bench.rows(shape)
  // Rows of the table stand in another order than the asked ones; the first belongs to nobody who asks.
  const rowOf = (index: number) => (index * 3 + 1) % 7
  const table = Array.from({ length: 7 }, (_, row) => ({ token: 900 + row, position: 10 * row, slot: 6, turn: 8 * row }))
  asked.forEach((one, index) => {
    table[rowOf(index)]!.slot = one.slot
    rows.writeSlot(one.slot, one.settings, one.draw)
  })
  rows.write(
    table,
    asked.map((_, index) => rowOf(index)),
  )
  const x = new Float32Array(shape.logits * vocabulary).fill(Number.NaN)
  for (const [index, one] of asked.entries()) x.set(one.logits, index * vocabulary)
  const buffers = { x: bench.buffer('logits', x), rows: rows.buffer }
  let words = await bench.words(rows.buffer)
  const tokens: number[][] = asked.map(() => [])
  let skipped = 0
  for (let step = 0; step < steps; step++) {
    await bench.run(sample(vocabulary, shape, bench.gpu.info.software), buffers, [shape.logits])
    const after = await bench.words(rows.buffer)
    const wanted = words.slice()
    asked.forEach((one, index) => {
      const draw = one.draw + step
      const ring = layout.ring + one.slot * shape.ring + (draw % shape.ring)
      let token = one.logits.every(Number.isNaN)
        ? 0xffffffff
        : twin(
            one.logits,
            { ...one.settings, topP: Math.fround(one.settings.topP), temperature: Math.fround(one.settings.temperature) },
            one.settings.seed,
            draw,
          )
      if (token !== after[ring] && undecided(one.logits, one.settings, draw)) {
        skipped++
        token = after[ring]!
      }
      tokens[index]!.push(token)
      wanted[ring] = token
      wanted[layout.table + rowOf(index) * 4] = token
      wanted[layout.table + rowOf(index) * 4 + 1]!++
      wanted[layout.table + rowOf(index) * 4 + 3]!++
      wanted[layout.slots + one.slot * layout.stride + 5] = draw + 1
    })
    expect(Array.from(after), `step ${step}`).toEqual(Array.from(wanted))
    words = after
  }
  return { tokens, skipped }
}

const filled = (vocabulary: number, value: number, peaks: Record<number, number> = {}): Float32Array => {
  const logits = new Float32Array(vocabulary).fill(value)
  for (const [index, peak] of Object.entries(peaks)) logits[Number(index)] = peak
  return logits
}

describe('greedy', () => {
  it.each([1003, 59264, 257, 1])('of %i tokens, in slots and rows of any order, five times', async (vocabulary) => {
    const asked = [5, 0, 3, 1].map((slot, index) => ({
      slot,
      logits: Float32Array.from(numbers(vocabulary + index).array(vocabulary, 3)),
      settings: greedy,
      draw: index * 3,
    }))
    const { tokens } = await check(asked, vocabulary, 5)
    expect(tokens.map((own) => own[4])).toEqual(asked.map((one) => argmax(one.logits)))
  })

  it('ties, negative logits, infinities, first and last', async () => {
    const all = [
      filled(257, 0),
      filled(257, -50, { 256: -1, 10: -1 }), // in two threads: the lower index is the later thread's
      filled(257, -50, { 44: -2, 60: -2 }), // in two more
      filled(257, -1e30, { 256: -9e29 }),
      filled(257, -Infinity, { 77: -3 }),
      filled(257, -0.5, { 0: -0.25 }),
    ]
    const { tokens } = await check(
      all.map((logits, slot) => ({ slot, logits, settings: greedy, draw: 0 })),
      257,
      1,
    )
    expect(tokens.flat()).toEqual([0, 10, 44, 256, 77, 0])
  })

  it('logits that are all NaN give no token', async () => {
    const nan = filled(257, Number.NaN)
    const asked = [
      { slot: 0, logits: nan, settings: greedy, draw: 0 },
      { slot: 1, logits: nan, settings: { ...greedy, temperature: 1 }, draw: 0 },
      { slot: 2, logits: nan, settings: { ...greedy, temperature: 1, topK: 5, topP: 0.5 }, draw: 0 },
      { slot: 3, logits: filled(257, 0, { 9: 1 }), settings: greedy, draw: 0 },
    ]
    expect((await check(asked, 257, 1)).tokens.flat()).toEqual([0xffffffff, 0xffffffff, 0xffffffff, 9])
  })
})

const settings: Omit<SamplingSettings, 'seed'>[] = [
  { temperature: 1, topK: 0, topP: 1 },
  { temperature: 0.3, topK: 0, topP: 1 },
  { temperature: 5, topK: 0, topP: 1 },
  { temperature: 1, topK: 1, topP: 1 },
  { temperature: 1.5, topK: 20, topP: 1 },
  { temperature: 2, topK: 5000, topP: 1 }, // more than there are
  { temperature: 1, topK: 0, topP: 0.9 },
  { temperature: 3, topK: 0, topP: 0.5 },
  { temperature: 1, topK: 0, topP: 1e-6 },
  { temperature: 2, topK: 40, topP: 0.8 },
  { temperature: 1, topK: 0, topP: 0 },
  { temperature: 1, topK: 0, topP: 1, minP: 0.1 },
  { temperature: 2, topK: 0, topP: 1, minP: 1 },
  { temperature: 1.5, topK: 100, topP: 0.95, minP: 0.05 },
]
const seeds: [number, number][] = [
  [0, 0],
  [1, 0],
  [0, 1],
  [0xffffffff, 0xdeadbeef],
  [12345, 678],
  [42, 0x80000000],
]
const draws = [0, 1, 7, 1000, 0x7ffffff0, 3]

describe.each([
  ['normal', 1003],
  ['tied', 257],
  ['normal', 1],
] as const)('%s logits', (kind, vocabulary) => {
  it.each(settings)('temperature $temperature, top k $topK, top p $topP, min p $minP', async (own) => {
    const asked = seeds.map((seed, slot) => {
      const logits = Float32Array.from(numbers(vocabulary + slot).array(vocabulary, 2), (value) =>
        kind === 'tied' ? Math.round(value) : value,
      )
      return { slot, logits, settings: { ...own, seed }, draw: draws[slot]! }
    })
    expect((await check(asked, vocabulary, 4)).skipped).toBeLessThanOrEqual(2) // of 24
  })
})

it.each([settings[1]!, settings[9]!, settings[13]!])('a whole vocabulary: $temperature, $topK, $topP, $minP', async (own) => {
  const logits = Float32Array.from(numbers(9).array(59264, 2.5))
  const asked = seeds.slice(0, 2).map((seed, slot) => ({ slot, logits, settings: { ...own, seed }, draw: draws[slot]! }))
  expect((await check(asked, 59264, 2)).skipped).toBeLessThanOrEqual(1)
})

it('all but one are masked out, whatever the settings', async () => {
  const logits = filled(257, -3e38, { 200: -7 })
  const all = [greedy, { ...greedy, temperature: 2 }, { ...greedy, temperature: 0.01, topK: 5, topP: 0.5, minP: 0.5 }]
  const { tokens } = await check(
    all.map((settings, slot) => ({ slot, logits, settings, draw: 0 })),
    257,
    2,
  )
  expect(tokens.flat()).toEqual(Array(6).fill(200))
})

describe('many draws follow the distribution', () => {
  const many = { rows: 32, logits: 32, slots: 32, pages: 1, ring: 32 }
  it.each([
    { temperature: 1, topK: 0, topP: 1 },
    { temperature: 1.3, topK: 9, topP: 0.9, minP: 0.05 },
  ])('$temperature, $topK, $topP, $minP', async (own) => {
    const logits = Float32Array.from(numbers(5).array(13, 1.2))
    const rows = bench.rows(many)
    const slots = Array.from({ length: many.slots }, (_, slot) => slot)
    for (const slot of slots) rows.writeSlot(slot, { ...own, seed: [slot * 7919, slot] })
    rows.write(
      slots.map((slot) => ({ token: 0, position: 0, slot })),
      slots,
    )
    const x = bench.buffer(
      'logits',
      Float32Array.from({ length: many.logits * 13 }, (_, index) => logits[index % 13]!),
    )
    const kernel = sample(13, many, bench.gpu.info.software)
    for (let draw = 0; draw < many.ring; draw++) await bench.run(kernel, { x, rows: rows.buffer }, [many.logits])
    const ring = (await bench.words(rows.buffer)).subarray(rowsLayout(many).ring)
    const wanted = distribution(logits, own)
    let chi = 0
    const draws = many.slots * many.ring
    for (const [token, p] of wanted.entries()) {
      const seen = ring.subarray(0, draws).filter((one) => one === token).length
      if (p === 0) expect(seen, `token ${token}`).toBe(0)
      else chi += (seen - p * draws) ** 2 / (p * draws)
    }
    expect(chi).toBeLessThan(33) // 12 degrees of freedom or fewer: one in a thousand
  })
})
