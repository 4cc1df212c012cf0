// The bank and its tables against the twin, and against what the real one is known to be.
import { expect, test } from 'vitest'
import { layout, MEL_TOP, melFilters, melTables, roots } from '../../src/media/mel_bank.ts'
import { melBank } from '../reference/mel.ts'

test.each([80, 128])('%i filters are those of the twin, none is empty', (mels) => {
  const bank = melBank(mels)
  melFilters(mels).forEach(({ first, weights }, m) => {
    const dense = new Float64Array(201)
    dense.set(weights, first)
    for (let k = 0; k <= 200; k++) expect(dense[k]).toBeCloseTo(bank[m * 201 + k]!, 15)
    expect(Math.min(...weights)).toBeGreaterThan(0)
  })
})

test('8000 Hz is 45.24564 mel', () => {
  expect(MEL_TOP).toBeCloseTo(45.245640471924965, 12)
})

test('tables are where the kernel looks', () => {
  const words = melTables(128)
  const floats = new Float32Array(words.buffer)
  for (const n of [0, 100, 200, 399]) {
    const exact = (1 - Math.cos((2 * Math.PI * n) / 400)) / 2
    expect((floats[2 * n]! * 4096) % 1).toBe(0)
    expect(floats[2 * n]! + floats[2 * n + 1]!).toBeCloseTo(exact, 11)
  }
  for (const [n, at] of [
    [16, layout.roots16],
    [25, layout.roots25],
  ] as const) {
    const exact = roots(n)
    for (let k = 0; k < n; k++) {
      const [cos, sin, cosRest, sinRest] = floats.subarray(at + 4 * k, at + 4 * k + 4)
      expect([(cos! * 1024) % 1, (sin! * 1024) % 1].map(Math.abs)).toEqual([0, 0])
      expect(cos! + cosRest!).toBeCloseTo(exact[2 * k]!, 10)
      expect(sin! + sinRest!).toBeCloseTo(exact[2 * k + 1]!, 10)
    }
  }
  const filters = melFilters(128)
  const last = layout.filters + 3 * 127
  expect([words[last], words[last + 1]]).toEqual([filters[127]!.first, filters[127]!.weights.length])
  expect(words[last + 2]! + words[last + 1]!).toBe(words.length)
})

test('other banks are refused', () => {
  expect(() => melTables(64)).toThrow('80 or 128')
})
