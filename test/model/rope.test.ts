import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { type Config, parseConfig } from '../../src/model/config.ts'
import { ropeTable } from '../../src/model/rope.ts'
import { loadReference, ropeTable as twin } from '../reference.ts'

const checkpoints = fileURLToPath(new URL('../fixtures/checkpoints', import.meta.url))
const positions = 512

/** Each value is the nearest float, or its neighbour where f64 itself was at the edge. */
function expectSame(config: Config, reference: Parameters<typeof twin>[0]): void {
  const table = ropeTable(config, positions)
  const { cos, sin } = twin(
    reference,
    Array.from({ length: positions }, (_, position) => position),
  )
  expect(table).toHaveLength(cos.length * 2)
  let worst = 0
  for (let index = 0; index < cos.length; index++) {
    worst = Math.max(worst, Math.abs(table[index * 2]! - cos[index]!), Math.abs(table[index * 2 + 1]! - sin[index]!))
  }
  expect(worst).toBeLessThan(2 ** -24 * 1.001)
}

describe("the table is the twin's, but for the rounding to f32", () => {
  it.each(readdirSync(checkpoints))('%s', (name) => {
    const folder = `${checkpoints}/${name}`
    const config = parseConfig(JSON.parse(readFileSync(`${folder}/config.json`, 'utf8')))
    // A scale over 1 moves values into the next binade: it is compared on its own below.
    if (config.yarn) config.yarn.attentionFactor = 1
    const reference = loadReference(folder).config
    expectSame(config, { ...reference, yarn: reference.yarn && { ...reference.yarn, attention_factor: 1 } })
  })

  const base = {
    model_type: 'glm4',
    num_attention_heads: 2,
    hidden_size: 64,
    num_hidden_layers: 1,
    intermediate_size: 8,
    vocab_size: 8,
    max_position_embeddings: 131072,
    head_dim: 128,
  }
  it.each([
    [{ factor: 4, original_max_position_embeddings: 32768 }, 1 + 0.1 * Math.log(4)],
    [{ original_max_position_embeddings: 32768 }, 1 + 0.1 * Math.log(4)],
    [{ factor: 4, original_max_position_embeddings: 128, truncate: false, attention_factor: 0.75 }, 0.75],
    [
      { factor: 8, original_max_position_embeddings: 4096, beta_fast: 16, beta_slow: 2, mscale: 0.5, mscale_all_dim: 0.25 },
      (1 + 0.05 * Math.log(8)) / (1 + 0.025 * Math.log(8)),
    ],
    [{ factor: 1, original_max_position_embeddings: 131072 }, 1],
  ])('YaRN with %j', (yarn, scale) => {
    const config = parseConfig({ ...base, rope_parameters: { rope_type: 'yarn', rope_theta: 10000, ...yarn } })
    expect(config.yarn!.attentionFactor).toBeCloseTo(scale, 12)
    expect(ropeTable(config, 1)[0]).toBe(Math.fround(config.yarn!.attentionFactor))
    config.yarn!.attentionFactor = 1
    const full = {
      factor: config.yarn!.factor,
      ...yarn,
      beta_fast: config.yarn!.betaFast,
      beta_slow: config.yarn!.betaSlow,
      attention_factor: 1,
    }
    expectSame(config, { rotaryDims: 64, theta: 10000, yarn: full } as Parameters<typeof twin>[0])
  })
})

it('keeps far positions exact, where a shader would not', () => {
  const config = parseConfig({
    model_type: 'glm',
    num_attention_heads: 1,
    hidden_size: 32,
    num_hidden_layers: 1,
    intermediate_size: 8,
    vocab_size: 8,
    max_position_embeddings: 131072,
    head_dim: 8,
  })
  const table = ropeTable(config, 131072)
  expect(table[131071 * 4]).toBe(Math.fround(Math.cos(131071)))
  expect(table[131071 * 4 + 3]).toBe(Math.fround(Math.sin(1310.71)))
})
