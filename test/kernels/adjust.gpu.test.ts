// Bias, penalties and masks against their twin, slot by slot, and the counts that the kernel keeps.
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { adjust, adjustGroups } from '../../src/kernels/adjust.ts'
import type { SamplingSettings } from '../../src/model/rows.ts'
import { type Adjustments, adjusted } from '../reference.ts'
import { Bench, expectWanted, numbers, POISON, untouched } from './run.ts'

let bench: Bench
beforeAll(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clear())

const shape = { rows: 8, logits: 6, slots: 5, pages: 2, ring: 4 }
const plain: SamplingSettings = { temperature: 1, topK: 0, topP: 1, seed: [0, 0] }
const inPrompt = 0x80000000

/** What each asked row asks; row and slot are in another order. */
const asked: { settings: SamplingSettings; masked?: boolean; draw: number }[] = [
  { settings: plain, draw: 3 },
  { settings: { ...plain, repetition: 1.5 }, draw: 2 },
  { settings: { ...plain, presence: 0.75, frequency: -0.25 }, masked: true, draw: 0 },
  { settings: { ...plain, repetition: 0.5, presence: -1, frequency: 2, bias: [[0, 1]] }, masked: true, draw: 9 },
]
const slotOf = (index: number) => (index * 2 + 1) % shape.slots
const rowOf = (index: number) => (index * 3 + 1) % 7

describe.each([1, 257, 1003, 59264])('of %i tokens', (vocabulary) => {
  it('is its twin, three passes long', async () => {
    const { array, uniform } = numbers(vocabulary)
    const words = Math.ceil(vocabulary / 32)
    const x = new Float32Array(shape.logits * vocabulary).fill(Number.NaN)
    x.set(Float32Array.from(array(asked.length * vocabulary, 4)))
    // State of slots that ask for nothing stays poison.
    const bias = new Uint32Array(shape.slots * vocabulary).fill(POISON)
    const counts = new Uint32Array(shape.slots * vocabulary).fill(POISON)
    const masks = new Uint32Array(shape.slots * words).fill(POISON)
    asked.forEach(({ settings, masked }, index) => {
      const slot = slotOf(index)
      if (settings.bias) new Float32Array(bias.buffer).set(Float32Array.from(array(vocabulary, 20)), slot * vocabulary)
      for (let token = 0; token < vocabulary; token++) {
        const kind = Math.floor(uniform() * 4)
        if (index > 0) counts[slot * vocabulary + token] = [0, inPrompt, 3, inPrompt + 1][kind]!
      }
      if (masked) for (let word = 0; word < words; word++) masks[slot * words + word] = Math.floor(uniform() * 2 ** 32)
    })
    const rows = bench.rows(shape)
    const own = asked.map((_, index) => (index * 977) % vocabulary)
    const table = Array.from({ length: 7 }, () => ({ token: 0, position: 5, slot: 4 }))
    asked.forEach(({ settings, masked, draw }, index) => {
      table[rowOf(index)] = { token: own[index]!, position: 5, slot: slotOf(index) }
      rows.writeSlot(slotOf(index), settings, draw, masked)
    })
    rows.write(
      table,
      asked.map((_, index) => rowOf(index)),
    )
    const buffers = {
      weights: bench.buffer('bias', bias),
      x: bench.buffer('logits', x),
      y: bench.poisoned('adjusted', shape.logits * vocabulary),
      aux: bench.buffer('counts', counts),
      rows: rows.buffer,
      source: bench.buffer('masks', masks),
    }
    for (let pass = 0; pass < 3; pass++) {
      await bench.run(adjust(vocabulary, shape), buffers, adjustGroups(vocabulary, shape.logits))
      const wanted = untouched(shape.logits * vocabulary)
      asked.forEach(({ settings, masked, draw }, index) => {
        const slot = slotOf(index)
        const stored = counts.subarray(slot * vocabulary, (slot + 1) * vocabulary)
        const counting = index > 0
        if (counting && draw > 0) stored[own[index]!]!++
        const logits = x.subarray(index * vocabulary, (index + 1) * vocabulary)
        const asks: Adjustments = {
          ...settings,
          bias: settings.bias && new Float32Array(bias.buffer, slot * vocabulary * 4, vocabulary),
          ...(counting ? tallied(stored) : {}),
          ...(masked ? { allowed: (token: number) => ((masks[slot * words + (token >> 5)]! >>> (token & 31)) & 1) === 1 } : {}),
        }
        wanted.values.set(adjusted(logits, asks), index * vocabulary)
        if (index > 0) wanted.bounds.fill(2e-5, index * vocabulary, (index + 1) * vocabulary) // 100 or so at most; f32 keeps 7 digits
      })
      expectWanted(await bench.words(buffers.y), wanted)
      expect(Buffer.compare(Buffer.from((await bench.words(buffers.aux)).buffer, 0, counts.byteLength), Buffer.from(counts.buffer))).toBe(0)
    }
  })
})

function tallied(counts: Uint32Array) {
  const prompt = new Set<number>()
  const answer = new Map<number, number>()
  counts.forEach((count, token) => {
    if (count >= inPrompt) prompt.add(token)
    if (count % inPrompt > 0) answer.set(token, count % inPrompt)
  })
  return { prompt, answer }
}
