// The specification against the oracle's goldens (transformers, f32 on the CPU), and its formats and sampling against their definitions.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, test } from 'vitest'
import {
  argmax,
  attention,
  bf16Value,
  dequantise4,
  dequantise8,
  distribution,
  forward,
  halfBits,
  halfValue,
  loadReference,
  pcg,
  quantise4,
  quantise8,
  type ReferenceModel,
  random,
  relativeL2,
  rope,
  ropeFrequencies,
  ropeTable,
  roundHalf,
  sample,
  uniform,
  type WeightFormat,
} from './reference.ts'

const FIXTURES = fileURLToPath(new URL('fixtures/', import.meta.url))

interface Variant {
  logits: string // a file of f32, [positions of all prompts, vocab]
  greedy: number[][] // [prompts, new tokens]
}

interface Golden {
  checkpoint: string
  vocab: number
  stored: Variant
  weightsF16?: Variant
  prompts: { ids: number[]; positions: number[]; offset: number }[]
}

const readGolden = (name: string): Golden => JSON.parse(readFileSync(`${FIXTURES}goldens/${name}.json`, 'utf8'))
const FILES = readdirSync(`${FIXTURES}goldens`).filter((file) => file.endsWith('.json'))
const GOLDENS = FILES.map((file) => file.slice(0, -5)).filter((name) => readGolden(name).prompts)

function readF32(path: string): Float32Array {
  const bytes = readFileSync(path)
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
}

/** The rows [position, vocab] of these positions, one after another. */
function rowsOf(logits: Float64Array, positions: number[], vocab: number): number[] {
  return positions.flatMap((p) => Array.from(logits.subarray(p * vocab, (p + 1) * vocab)))
}

describe.each(GOLDENS)('forward: %s', (name) => {
  const golden = readGolden(name)
  const variants: [string, WeightFormat, Variant][] = [['as stored', 'f32', golden.stored]]
  if (golden.weightsF16) variants.push(['weights in f16', 'f16', golden.weightsF16])

  test.each(variants)(
    '%s: the logits and the greedy continuation of the oracle',
    (_, weights, variant) => {
      const { vocab } = golden
      const model = loadReference(FIXTURES + golden.checkpoint, { weights })
      const expected = readF32(`${FIXTURES}goldens/${variant.logits}`)
      golden.prompts.forEach(({ ids, positions, offset }, i) => {
        const next = variant.greedy[i]!
        const logits = forward(model, [...ids, ...next.slice(0, -1)]) // causal: the prompt's rows do not see the continuation
        const wanted = expected.subarray(offset / 4, offset / 4 + positions.length * vocab)
        expect(relativeL2(rowsOf(logits, positions, vocab), wanted), `prompt of ${ids.length}`).toBeLessThanOrEqual(2e-6)
        const greedy = next.map((_, j) => argmax(logits.subarray((ids.length - 1 + j) * vocab, (ids.length + j) * vocab)))
        expect(greedy, `prompt of ${ids.length}`).toEqual(next)
      })
    },
    60_000,
  )
})

describe('checkpoints', () => {
  const prompt = (name: string) => readGolden(name).prompts[2]!.ids
  const load = (name: string, options?: { weights?: WeightFormat; config?: string }) =>
    loadReference(`${FIXTURES}checkpoints/${name}`, options)

  test('a config in the style of transformers 4 says the same', () => {
    const old = load('glm4-yarn-bf16', { config: 'config.old-style.json' })
    const { yarn, ...rest } = load('glm4-yarn-bf16').config
    expect(old.config).toMatchObject(rest)
    expect(ropeFrequencies(old.config)).toEqual(ropeFrequencies({ ...rest, yarn }))
    expect(yarn?.factor).toBe(4)
  })

  test.each(['glm-grid-q4', 'glm4-grid-q4', 'glm-grid-q8', 'glm4-grid-q8'])(
    '%s: weights on the grid survive quantisation exactly',
    (name) => {
      const weights = name.endsWith('q4') ? 'q4' : 'q8'
      expect(forward(load(name, { weights }), prompt(name))).toEqual(forward(load(name), prompt(name)))
    },
  )

  test('quantised weights and f16 keys and values stay as near as their formats say', () => {
    const name = 'glm4-chat-f32'
    const exact = forward(load(name), prompt(name))
    const error = (model: ReferenceModel, kv: 'f32' | 'f16') => relativeL2(forward(model, prompt(name), { kv }), exact)
    const kv16 = error(load(name), 'f16')
    expect(kv16).toBeGreaterThan(1e-5)
    expect(kv16).toBeLessThan(1e-3)
    expect(error(load(name, { weights: 'q8' }), 'f32')).toBeLessThan(0.03)
    expect(error(load(name, { weights: 'q4' }), 'f32')).toBeLessThan(0.5)
  })

  test('a tensor that is not there is an error', () => {
    expect(() => load('glm-edge-f32').tensor('model.layers.0.post_mlp_layernorm.weight')).toThrow('post_mlp_layernorm')
  })
})

describe('rope', () => {
  // [rotaryDims, parameters over factor 4, original 32768, theta 10000; oracle's factor on cos and sin; its f_i, every `step`-th]
  const YARN: [number, object, number, number, number[]][] = [
    [64, {}, 1.138629436111989, 8, [1, 0.1, 0.01, 0.0005961538990959525]],
    [
      16,
      { truncate: false, original_max_position_embeddings: 128 },
      1.138629436111989,
      1,
      [1, 0.22563748061656952, 0.04270566999912262, 0.007905694656074047, 0.0025, 0.0007905694656074047, 0.00025, 7.905694656074047e-5],
    ],
    [
      16,
      { attention_factor: 1.25, beta_fast: 16, beta_slow: 2 },
      1.25,
      1,
      [1, 0.3162277638912201, 0.1, 0.03162277862429619, 0.01, 0.003162277862429619, 0.000625, 7.905694656074047e-5],
    ],
    [
      16,
      { mscale: 0.75, mscale_all_dim: 0.5, factor: 8 },
      1.0470899940506744,
      1,
      [1, 0.3162277638912201, 0.1, 0.03162277862429619, 0.01, 0.0024705296382308006, 0.0005625, 0.00010870330152101815],
    ],
    [8, { mscale: 1, factor: 1 }, 1, 1, [1, 0.1, 0.01, 0.001]],
    [8, { original_max_position_embeddings: 8 }, 1.138629436111989, 1, [1, 0.025, 0.0025, 0.00025]],
  ]
  test.each(YARN)('YaRN as transformers computes it: %i dims, %o', (rotaryDims, over, scale, step, expected) => {
    const yarn = { factor: 4, original_max_position_embeddings: 32768, ...over }
    const result = ropeFrequencies({ rotaryDims, theta: 10000, yarn })
    expect(result.scale).toBeCloseTo(scale, 14)
    const shown = result.frequencies.filter((_, i) => i % step === 0)
    expect(shown.length).toBe(expected.length)
    shown.forEach((f, i) => {
      expect(Math.abs(f / expected[i]! - 1)).toBeLessThan(5e-7)
    })
  })

  test('pairs (2i, 2i+1) turn, later dims pass', () => {
    const { cos, sin } = ropeTable({ rotaryDims: 4, theta: 100 }, [3])
    const y = rope([1, 0, 0, 1, 5, 6], cos, sin, { heads: 1, headDim: 6 })
    const expected = [Math.cos(3), Math.sin(3), -Math.sin(0.3), Math.cos(0.3), 5, 6]
    expect(relativeL2(y, expected)).toBeLessThan(1e-15)
  })
})

test('attention: the last rows alone give what they give among all rows', () => {
  const shape = { heads: 4, kvHeads: 2, headDim: 8 }
  const q = noise(6 * 32, 1)
  const k = noise(6 * 16, 2)
  const v = noise(6 * 16, 3)
  expect(attention(q.subarray(4 * 32), k, v, shape)).toEqual(attention(q, k, v, shape).subarray(4 * 32))
})

describe('half precision', () => {
  const values = Array.from({ length: 65536 }, (_, bits) => halfValue(bits))

  test('all 65536 halves have their own bits', () => {
    for (const [bits, value] of values.entries()) expect(halfBits(value)).toBe(Number.isNaN(value) ? 0x7e00 : bits)
  })

  test('between two neighbours the nearer wins, in the middle the even one', () => {
    for (let bits = 0; bits < 0x7bff; bits++) {
      const low = values[bits]!
      const middle = (low + values[bits + 1]!) / 2
      const even = bits % 2 === 0 ? bits : bits + 1
      const nudge = middle * 2 ** -50
      for (const sign of [0, 0x8000]) {
        const s = sign ? -1 : 1
        expect([halfBits(s * middle), halfBits(s * (middle - nudge)), halfBits(s * (middle + nudge))]).toEqual([
          sign | even,
          sign | bits,
          sign | (bits + 1),
        ])
      }
    }
  })

  test('the ends', () => {
    expect([65519.999, 65520, 1e300, -65520].map(roundHalf)).toEqual([65504, Infinity, Infinity, -Infinity])
    expect([2 ** -25, 2 ** -25 * 1.0001, -(2 ** -26), 5e-324].map(roundHalf)).toEqual([0, 2 ** -24, -0, 0])
    expect(roundHalf(Number.NaN)).toBeNaN()
  })

  test('bf16 is the upper half of an f32', () => {
    expect([0x3f80, 0xc049, 0x0001, 0x7f80, 0x8000].map(bf16Value)).toEqual([1, -3.140625, 2 ** -133, Infinity, -0])
    expect(bf16Value(0x7fc0)).toBeNaN()
  })
})

/** Reproducible values of normal distribution (Box-Muller), rounded to f32 like a checkpoint's. */
function noise(length: number, seed: number): Float64Array {
  return Float64Array.from({ length }, (_, i) => {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform(seed, 1, i)))
    return Math.fround(radius * Math.cos(2 * Math.PI * uniform(seed, 2, i)))
  })
}

const squaredError = (a: ArrayLike<number>, b: ArrayLike<number>) => Array.from(a).reduce((sum, x, i) => sum + (x - b[i]!) ** 2, 0)

describe('quantise4', () => {
  const GROUPS: [string, (seed: number) => Float64Array][] = [
    ['random', (seed) => noise(32, seed)],
    ['heavy-tailed', (seed) => noise(32, seed).map((x) => Math.fround(x ** 5))],
    ['one outlier', (seed) => noise(32, seed).map((x, i) => (i === seed % 32 ? 20 * x : x))],
    ['positive', (seed) => noise(32, seed).map(Math.abs)],
    ['constant', (seed) => new Float64Array(32).fill(noise(1, seed)[0]!)],
    ['two values', (seed) => noise(32, seed).map((x) => (x < 0 ? -0.75 : 0.5 + 0.01 * (seed % 7)))],
  ]
  const code = (x: number) => Math.min(Math.max(Math.sign(x) * Math.floor(Math.abs(x) + 0.5), -8), 7)
  const plain = (x: Float64Array, d: number) => x.map((value) => code(value / d) * d)

  test.each(GROUPS)('%s groups: no worse than max / 7 and than Q4_0', (_, make) => {
    let [ours, sevenths, q4] = [0, 0, 0]
    for (let seed = 1; seed <= 300; seed++) {
      const x = make(seed)
      const max = x.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a), 0)
      const error = squaredError(dequantise4(quantise4(x), 32), x)
      const errors = [squaredError(plain(x, roundHalf(max / 7)), x), squaredError(plain(x, roundHalf(max / -8)), x)] as const
      const rounding = 2 ** -22 * squaredError(x, new Float64Array(32)) // d' to f16 moves every value by 2^-11 at most
      expect(error, `seed ${seed}`).toBeLessThanOrEqual(Math.min(...errors) * 1.01 + rounding)
      ours += error
      sevenths += errors[0] + rounding
      q4 += errors[1] + rounding
    }
    expect(ours).toBeLessThanOrEqual(sevenths)
    expect(ours).toBeLessThanOrEqual(q4)
  })

  test('groups on the grid come back exactly, with their own scale where a code is -8', () => {
    for (let seed = 1; seed <= 500; seed++) {
      const d = roundHalf((seed % 2 ? 1 : -1) * 2 ** -(seed % 12) * (1 + uniform(seed, 3, 0)))
      const codes = noise(32, seed).map((x) => code(x * 3))
      codes[seed % 32] = -8
      const x = codes.map((l) => l * d)
      const q = quantise4(x)
      expect(q.scales).toEqual(Float64Array.of(d))
      expect(Array.from(q.codes)).toEqual(Array.from(codes, (l) => l + 8))
      expect(squaredError(dequantise4(q, 32), x)).toBe(0)
    }
  })

  test('so do groups whose largest code is 7, 6 or 3', () => {
    for (const top of [7, 6, 3]) {
      const x = noise(32, top).map((value) => Math.min(Math.max(code(value * top), -top), top) * 0.25)
      x[9] = top * 0.25
      expect(squaredError(dequantise4(quantise4(x), 32), x), `largest ${top}`).toBe(0)
    }
  })

  test('zeros, tails and values too small for an f16 scale', () => {
    expect(quantise4(new Float64Array(32))).toEqual({ codes: new Uint8Array(32).fill(8), scales: Float64Array.of(0) })
    expect(quantise4([1e-12])).toEqual({ codes: new Uint8Array(32).fill(8), scales: Float64Array.of(0) })
    const x = noise(40, 5)
    const q = quantise4(x)
    expect([q.codes.length, q.scales.length]).toEqual([64, 2])
    expect(Array.from(q.codes.subarray(40))).toEqual(new Array(24).fill(8))
    expect(dequantise4(q, 40).subarray(0, 32)).toEqual(dequantise4(quantise4(x.subarray(0, 32)), 32))
  })
})

describe('quantise8', () => {
  test('the error is at most half a step and the rounding of d', () => {
    const x = noise(320, 7)
    const q = quantise8(x)
    const y = dequantise8(q, 320)
    for (let i = 0; i < 320; i++)
      expect(Math.abs(y[i]! - x[i]!)).toBeLessThanOrEqual(q.scales[Math.floor(i / 32)]! * (0.5 + 127 * 2 ** -11))
  })

  test('groups on the grid come back exactly, halves round away from zero, zeros are zeros', () => {
    const codes = noise(32, 9).map((x) => Math.round(x * 20))
    codes[4] = -127
    const q = quantise8(codes.map((l) => l * roundHalf(0.0123)))
    expect(Array.from(q.codes)).toEqual(Array.from(codes, (l) => l + 0))
    expect(q.scales[0]).toBe(roundHalf(0.0123))
    expect(Array.from(quantise8([127, 0.5, -0.5, 2.5, -2.5]).codes.subarray(0, 5))).toEqual([127, 1, -1, 3, -3])
    expect(quantise8([0, 0])).toEqual({ codes: new Int8Array(32), scales: Float64Array.of(0) })
  })
})

describe('random', () => {
  /** The same in BigInt, straight from the formula. */
  function pcgBig(v: bigint): bigint {
    const u32 = 0xffffffffn
    const s = (v * 747796405n + 2891336453n) & u32
    const w = (((s >> ((s >> 28n) + 4n)) ^ s) * 277803737n) & u32
    return (w >> 22n) ^ w
  }

  test('is the formula in wrapping u32', () => {
    for (const v of [0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff, 12345]) {
      expect(pcg(v)).toBe(Number(pcgBig(BigInt(v))))
      const index = 0xfffffff0
      const all = pcgBig((pcgBig(pcgBig(BigInt(v)) ^ 0xdeadbeefn) + BigInt(index)) & 0xffffffffn)
      expect(random(v, 0xdeadbeef, index)).toBe(Number(all))
    }
    expect([pcg(0), random(0, 0, 0), random(1, 2, 3)]).toEqual([129708002, 2145236065, 3404032338])
  })

  test('both seed words and the index matter; uniform is in [0, 1)', () => {
    const draws = [random(1, 1, 1), random(2, 1, 1), random(1, 2, 1), random(1, 1, 2)]
    expect(new Set(draws).size).toBe(4)
    let sum = 0
    for (let i = 0; i < 4000; i++) {
      const u = uniform(3, 4, i)
      expect(u >= 0 && u < 1 && Math.fround(u) === u).toBe(true)
      sum += u
    }
    expect(Math.abs(sum / 4000 - 0.5)).toBeLessThan(0.015) // 3 standard errors
  })
})

describe('sampling', () => {
  const LOGITS = [0.3, 2, -1, 2, 1.5, 0.3, -Infinity, 0, -4, 1]
  const kept = (p: ArrayLike<number>) => Array.from(p).flatMap((value, i) => (value > 0 ? [i] : []))

  test('argmax: the lowest index wins ties', () => {
    expect([argmax([1, 3, 3]), argmax([-5]), argmax([0, -0]), argmax(LOGITS)]).toEqual([1, 0, 0, 1])
  })

  // [settings, the tokens kept]
  const CASES: [{ temperature: number; topK?: number; topP?: number }, number[]][] = [
    [{ temperature: 0 }, [1]],
    [{ temperature: 1 }, [0, 1, 2, 3, 4, 5, 7, 8, 9]],
    [{ temperature: 1, topK: 1 }, [1, 3]], // a tie at the cut
    [{ temperature: 1, topK: 5 }, [0, 1, 3, 4, 5, 9]], // 0 and 5 tie
    [{ temperature: 1, topK: 99 }, [0, 1, 2, 3, 4, 5, 7, 8, 9]],
    [{ temperature: 1, topP: 0 }, [1, 3]],
    [{ temperature: 1, topP: 0.2 }, [1, 3]], // 1 alone is enough, 3 ties
    [{ temperature: 1, topP: 0.7 }, [1, 3, 4]], // 0.291 + 0.291 + 0.177
    [{ temperature: 1, topK: 3, topP: 0.7 }, [1, 3]], // of what top-k left these are 0.767
    [{ temperature: 0.1, topP: 0.99 }, [1, 3]],
    [{ temperature: 1, topK: 2, topP: 1 }, [1, 3]],
  ]
  test.each(CASES)('%o keeps %j', (settings, tokens) => {
    const p = distribution(LOGITS, settings)
    expect(kept(p)).toEqual(tokens)
    expect(p.reduce((a, b) => a + b)).toBeCloseTo(1, 12)
    const temperature = settings.temperature || 1 // kept ones keep their ratios
    for (const i of tokens) expect(p[i]! / p[tokens[0]!]!).toBeCloseTo(Math.exp((LOGITS[i]! - LOGITS[tokens[0]!]!) / temperature), 10)
  })

  it.each([{ temperature: 1 }, { temperature: 0.7, topK: 6 }, { temperature: 1.3, topP: 0.9 }])(
    '%o: 4000 draws have its frequencies',
    (settings) => {
      const p = distribution(LOGITS, settings)
      const counts = new Float64Array(p.length)
      for (let i = 0; i < 4000; i++) counts[sample(LOGITS, settings, [11, 22], i)]! += 1
      let chi = 0
      for (const i of kept(p)) chi += (counts[i]! - 4000 * p[i]!) ** 2 / (4000 * p[i]!)
      expect(chi).toBeLessThan(26) // 0.1 % point for 8 degrees of freedom
      expect(kept(counts).every((i) => p[i]! > 0)).toBe(true)
    },
  )

  test('a seed and an index are one draw; another seed is another series; temperature 0 is the argmax', () => {
    const series = (seed: [number, number]) => Array.from({ length: 50 }, (_, i) => sample(LOGITS, { temperature: 1 }, seed, i))
    expect(series([5, 6])).toEqual(series([5, 6]))
    expect(series([5, 6])).not.toEqual(series([5, 7]))
    expect(series([5, 6])).not.toEqual(series([6, 6]))
    expect(sample(LOGITS, { temperature: 0 }, [5, 6], 7)).toBe(1)
  })
})
