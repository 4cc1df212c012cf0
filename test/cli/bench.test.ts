// What `bench` prints: every figure in the table, four digits of each.
import { expect, test } from 'vitest'
import type { BenchResult } from '../../src/api/types.ts'
import { rounded, table } from '../../src/cli/bench.ts'

const result: BenchResult = {
  prefill_tok_s: 1234.5678,
  decode_tok_s: 87.654321,
  ttft_ms: 414.7312,
  gpu_ms_per_token: 10.98765,
  host_ms_per_token: 0.0123456,
  dispatches_per_token: 143,
  submits_per_token: 0.125,
  encoders_per_token: 0.125,
  bind_groups_per_token: 0,
  creates_per_token: 0,
  reads_per_token: 0.125,
  bytes_per_token: 826_543_210,
  stream_gb_s: 95.4321,
  stream_share: 0.758912,
  adapter: 'A GPU',
  software: false,
  model: 'm',
  weights: 'q4',
  prompt: 512,
  gen: 64,
  rows: 1,
  context: 512,
}

test('four digits, whole numbers whole, names as they are', () => {
  expect(rounded(result)).toEqual({
    ...result,
    prefill_tok_s: 1235,
    decode_tok_s: 87.65,
    ttft_ms: 414.7,
    gpu_ms_per_token: 10.99,
    host_ms_per_token: 0.01235,
    stream_gb_s: 95.43,
    stream_share: 0.7589,
  })
})

test('the table has a line for every figure, and says what was measured', () => {
  const lines = table(rounded(result)).trimEnd().split('\n')
  expect(lines[0]).toBe('m as q4 on A GPU: prompt 512, 64 tokens after 512 positions, 1 sequence.')
  const { adapter, software, model, weights, prompt, gen, rows, context, ...figures } = rounded(result)
  expect(lines.slice(2).map((line) => Number.parseFloat(line))).toEqual(Object.values(figures))
  expect(table({ ...result, rows: 4 })).toContain('4 sequences.')
})
