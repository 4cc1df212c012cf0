// Changes to a valid text, JSON for the most part: what a broken disk or somebody with bad intent makes of a file.
import fc from 'fast-check'
import { expect } from 'vitest'
import { GlmError } from '../../src/errors.ts'

const place = fc.noBias(fc.nat(999_999)).map((part) => part / 1e6)
const huge = fc.constantFrom(
  '0',
  '-1',
  '0.5',
  '1e999',
  '-0',
  '2147483648',
  '4294967296',
  '9007199254740991',
  '18446744073709551615',
  '16777215',
)
const words = fc
  .constantFrom('', '__proto__', 'constructor', '../../x', '\u0000', '\ud800', 'F32', 'a'.repeat(3000), 'null', '((((', 'a*a*a*a*b', '😀')
  .map((word) => JSON.stringify(word))
const odd = fc.oneof(fc.constantFrom('null', 'true', '[]', '{}', '[[1]]', '{"a":[{}]}'), words, huge)

export const change = fc.oneof(
  fc.record({ kind: fc.constant('put' as const), where: place, text: fc.string({ minLength: 1, maxLength: 3, unit: 'binary' }) }),
  fc.record({ kind: fc.constant('cut' as const), where: place }),
  fc.record({ kind: fc.constant('drop' as const), where: place, length: fc.integer({ min: 1, max: 60 }) }),
  fc.record({ kind: fc.constant('splice' as const), where: place, from: place, length: fc.integer({ min: 1, max: 200 }) }),
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('number' as const), where: place, text: huge }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('string' as const), where: place, text: words }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('value' as const), where: place, text: odd }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('twice' as const), where: place, text: odd }) },
  fc.record({ kind: fc.constant('deep' as const), where: place, depth: fc.constantFrom(3, 500, 5000, 50_000), close: fc.boolean() }),
)
export type Change = typeof change extends fc.Arbitrary<infer T> ? T : never

/** One of the stretches that the pattern matches, and what is put there. */
function replaced(text: string, pattern: RegExp, where: number, put: (match: string) => string): string {
  const all = [...text.matchAll(pattern)]
  const one = all[Math.floor(where * all.length)]
  return one ? text.slice(0, one.index) + put(one[0]) + text.slice(one.index + one[0].length) : text
}

const STRING = /"(?:[^"\\]|\\.)*"(?!\s*:)/g
const NUMBER = /-?\d+(?:\.\d+)?(?:e[-+]?\d+)?/g
const KEY = /"(?:[^"\\]|\\.)*"\s*:/g
const VALUE = /(?<=:\s*)(?:"(?:[^"\\]|\\.)*"|[\w.+-]+|\[[^[\]{}]*\]|\{[^{}[\]]*\})/g

export function mutate(text: string, one: Change): string {
  const at = Math.floor(one.where * text.length)
  switch (one.kind) {
    case 'put':
      return text.slice(0, at) + one.text + text.slice(at + one.text.length)
    case 'cut':
      return text.slice(0, at)
    case 'drop':
      return text.slice(0, at) + text.slice(at + one.length)
    case 'splice':
      return text.slice(0, at) + text.substr(Math.floor(one.from * text.length), one.length) + text.slice(at)
    case 'number':
      return replaced(text, NUMBER, one.where, () => one.text)
    case 'string':
      return replaced(text, STRING, one.where, () => one.text)
    case 'value':
      return replaced(text, VALUE, one.where, () => one.text)
    case 'twice':
      return replaced(text, KEY, one.where, (key) => `${key}${one.text},${key}`)
    case 'deep': {
      const [open, close] = one.where < 0.3 ? ['{"a":', '}'] : ['[', ']']
      return replaced(text, VALUE, one.where, (value) => open.repeat(one.depth) + value + (one.close ? close.repeat(one.depth) : ''))
    }
  }
}

/** One in the middle of strings and spaces does no harm; three mostly do. */
export const changes = fc.oneof(
  { weight: 3, arbitrary: fc.array(change, { minLength: 1, maxLength: 1 }) },
  fc.array(change, { minLength: 2, maxLength: 3 }),
)

/** Seconds allowed to any one of the thousands. */
export const LIMIT = 2000

/** Runs it; only a GlmError may come out, with a sentence that is no page. Gives what came out, or the error. */
export function only<T>(codes: readonly string[], work: () => T): T | GlmError {
  const began = performance.now()
  try {
    return work()
  } catch (error) {
    return known(codes, error)
  } finally {
    expect(performance.now() - began).toBeLessThan(LIMIT)
  }
}

/** The error, if it is one that may come out. */
export function known(codes: readonly string[], error: unknown): GlmError {
  if (!(error instanceof GlmError)) throw error
  expect(codes).toContain(error.code)
  expect(error.message.length).toBeLessThan(800)
  return error
}

/** Parsed JSON that counts how often anything in it is looked at. */
export function counted<T>(value: T, steps: { count: number }): T {
  if (typeof value !== 'object' || value === null) return value
  return new Proxy(value, {
    get(target, key) {
      steps.count++
      return counted(Reflect.get(target, key), steps)
    },
    has(target, key) {
      steps.count++
      return Reflect.has(target, key)
    },
  })
}
