// Valid GGUF headers with bytes changed, cut, exchanged and dropped, fifteen thousand times: only a GlmError may come out, in bounded work.
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readGguf } from '../../src/engine/gguf.ts'
import { GlmError } from '../../src/errors.ts'
import { type Gguf, parseGguf } from '../../src/weights/gguf.ts'
import { folder, gguf, memory } from './gguf.ts'

const codes = ['file_truncated', 'file_invalid', 'tensor_invalid', 'config_unsupported', 'family_unknown']

/** Headers of real files without their tensors, and a small one in which every byte counts. */
const headers = ['glm-q4_0', 'glm4-mrope-q4_0', 'glm4-odd-q4_k_m', 'glm-fused-q5_1'].map((name) => {
  const bytes = new Uint8Array(readFileSync(`${folder}/${name}.gguf`))
  const { tensors } = parseGguf(bytes, bytes.length, name) as Gguf
  return { bytes: bytes.slice(0, Math.min(...[...tensors.values()].map(({ start }) => start))), size: bytes.length }
})
const small = gguf({
  keys: [
    ['general.architecture', 8, 'glm4'],
    ['list', 9, { type: 8, values: ['a', 'b', 'c'] }],
    ['numbers', 9, { type: 4, values: [1, 2, 3] }],
    ['nested', 9, { type: 9, values: [{ type: 0, values: [1] }] }],
  ],
  tensors: [
    ['a', [32, 2], 'Q4_0', 0],
    ['b', [3], 'F32', 64],
  ],
  body: 128,
})
headers.push({ bytes: small, size: small.length }, { bytes: small, size: 2 ** 40 })

const spot = fc.noBias(fc.nat(999_999)).map((part) => part / 1e6)
const flip = fc.record({ kind: fc.constant('flip' as const), where: spot, bit: fc.integer({ min: 0, max: 7 }) })
const change = fc.oneof(
  { weight: 4, arbitrary: flip },
  fc.record({ kind: fc.constant('cut' as const), where: spot }),
  fc.record({
    kind: fc.constant('count' as const),
    where: spot,
    value: fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.bigInt({ min: 0n, max: 600n })),
  }),
  fc.record({
    kind: fc.constant('splice' as const),
    where: spot,
    from: spot,
    length: fc.integer({ min: 1, max: 200 }),
    other: fc.nat(5),
  }),
  fc.record({ kind: fc.constant('drop' as const), where: spot, length: fc.integer({ min: 1, max: 40 }) }),
)
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never

function mutate(bytes: Uint8Array<ArrayBuffer>, one: Change): Uint8Array<ArrayBuffer> {
  if (bytes.length < 16) return bytes
  // Most of a header is its vocabulary: half of the changes go to its beginning.
  const at = Math.floor(one.where < 0.5 ? one.where * 2 * Math.min(800, bytes.length) : (one.where - 0.5) * 2 * bytes.length)
  const copy = bytes.slice()
  if (one.kind === 'flip') copy[at]! ^= 1 << one.bit
  if (one.kind === 'cut') return copy.slice(0, at)
  if (one.kind === 'count' && at + 8 <= copy.length) new DataView(copy.buffer).setBigUint64(at, one.value, true)
  if (one.kind === 'drop') return Uint8Array.from([...copy.slice(0, at), ...copy.slice(at + one.length)])
  if (one.kind === 'splice') {
    const other = headers[one.other]!.bytes
    const from = Math.floor(one.from * other.length)
    copy.set(other.subarray(from, Math.min(from + one.length, from + copy.length - at)), at)
  }
  return copy
}

const mutated = fc.record({
  header: fc.nat(headers.length - 1),
  changes: fc.array(change, { minLength: 1, maxLength: 3 }),
  short: fc.boolean(),
})
const build = ({ header, changes, short }: { header: number; changes: Change[]; short: boolean }) => {
  const { bytes, size } = headers[header]!
  const copy = changes.reduce(mutate, bytes.slice() as Uint8Array<ArrayBuffer>)
  return { copy, size: short ? copy.length : Math.max(size, copy.length) }
}

test('of the header: only GlmError, in steps that are linear in its bytes', () => {
  const outcomes = { parsed: 0, asked: 0, refused: 0 }
  const property = fc.property(mutated, (input) => {
    const { copy, size } = build(input)
    const steps = { count: 0 }
    const began = performance.now()
    try {
      const header = parseGguf(copy, size, 'model.gguf', steps)
      if (typeof header === 'number') {
        outcomes.asked++
        expect(header).toBeGreaterThan(copy.length)
        expect(header).toBeLessThanOrEqual(size)
      } else {
        outcomes.parsed++
        for (const { start, end } of header.tensors.values()) expect(0 <= start && start <= end && end <= size).toBe(true)
      }
    } catch (error) {
      outcomes.refused++
      expect(error).toBeInstanceOf(GlmError)
      expect(codes).toContain((error as GlmError).code)
      expect((error as GlmError).message.length).toBeLessThan(600)
    }
    // A value takes a byte or more; an empty string takes the eight of its length.
    expect(steps.count).toBeLessThanOrEqual(copy.length + 4)
    expect(performance.now() - began).toBeLessThan(2000)
  })
  fc.assert(property, { numRuns: 12_000, seed: 4 })
  for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(400)
})

test('of a whole model: config, tokenizer and template too', async () => {
  const outcomes = { read: 0, refused: 0 }
  // Few changes get as far as the tokenizer.
  const gentle = fc.record({ header: fc.nat(3), changes: fc.array(flip, { minLength: 1, maxLength: 1 }), short: fc.constant(false) })
  const property = fc.asyncProperty(fc.oneof(mutated, gentle), async (input) => {
    const { copy, size } = build({ ...input, header: input.header % 4 })
    const { source } = memory({ 'model.gguf': copy }, { 'model.gguf': size })
    const began = performance.now()
    try {
      await readGguf(source, 'model.gguf')
      outcomes.read++
    } catch (error) {
      outcomes.refused++
      expect(error).toBeInstanceOf(GlmError)
      expect([...codes, 'template_invalid', 'messages_invalid', 'file_missing']).toContain((error as GlmError).code)
    }
    expect(performance.now() - began).toBeLessThan(2000)
  })
  await fc.assert(property, { numRuns: 3000, seed: 5 })
  for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(200)
})
