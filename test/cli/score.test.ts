// Perplexity and the likeliest tokens, from logits that come in chunks.
import { expect, test } from 'vitest'
import { createSum } from '../../src/cli/score.ts'

const vocabulary = 6
const tokens = [0, 3, 1, 5]
const logits = Float32Array.from({ length: tokens.length * vocabulary }, (_, index) => Math.sin(index * 7.3) * 4)

function plain(): number {
  let loss = 0
  for (let row = 0; row + 1 < tokens.length; row++) {
    const values = [...logits.subarray(row * vocabulary, (row + 1) * vocabulary)]
    loss -= Math.log(Math.exp(values[tokens[row + 1]!]!) / values.reduce((sum, value) => sum + Math.exp(value), 0))
  }
  return Math.exp(loss / (tokens.length - 1))
}

test.each([1, 2, 3, 4])('chunks of %i', (chunk) => {
  const sum = createSum(tokens, vocabulary)
  for (let start = 0; start < tokens.length; start += chunk) {
    sum.add(logits.slice(start * vocabulary, Math.min(start + chunk, tokens.length) * vocabulary), start)
  }
  const { perplexity, top } = sum.result()
  expect(perplexity).toBeCloseTo(plain(), 10)
  const last = [...logits.subarray(-vocabulary)].map((value, id): [number, number] => [id, value])
  expect(top).toEqual(last.sort((a, b) => b[1] - a[1]).slice(0, 5))
})

test('one token has no perplexity; equal logits stand by id; a small vocabulary gives what it has', () => {
  const sum = createSum([2], 4)
  sum.add(Float32Array.of(1, 2, 1, 2), 0)
  expect(sum.result()).toEqual({
    perplexity: null,
    top: [
      [1, 2],
      [3, 2],
      [0, 1],
      [2, 1],
    ],
  })
})

test('large logits do not overflow', () => {
  const sum = createSum([0, 1], 2)
  sum.add(Float32Array.of(50_000, 50_000, 0, 0), 0)
  expect(sum.result().perplexity).toBeCloseTo(2, 12)
})

test.each([
  [Number.NaN, 0],
  [0, Number.NaN],
  [Infinity, 0],
])('logits of %d and %d are an error', (...values) => {
  expect(() => createSum([0, 1], 2).add(Float32Array.from(values), 0)).toThrow(expect.objectContaining({ code: 'weights_invalid' }))
})
