// The f64 twin of sampling: what a request asks of the logits, the distribution after temperature and cuts, and the random numbers, exact in u32.
import { softmax, type Values } from './kernels.ts'

/** The index of the largest logit, the lowest such index when several are equal. */
export function argmax(logits: Values): number {
  let best = 0
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i
  return best
}

export interface SampleSettings {
  temperature: number // 0: argmax
  topK?: number // 0 or absent: all
  topP?: number // 1 or absent: all
  minP?: number // 0 or absent: all
}

export interface Adjustments {
  bias?: Values
  /** Per token: whether it stands in the prompt, and how often in the answer. */
  prompt?: ReadonlySet<number>
  answer?: ReadonlyMap<number, number>
  repetition?: number
  presence?: number
  frequency?: number
  /** Whether a token may be chosen. */
  allowed?: (token: number) => boolean
}

/** Logits as they are sampled from: bias, then penalties, then the mask (-3e38). */
export function adjusted(logits: Values, asked: Adjustments): Float64Array {
  const { bias, prompt, answer, repetition = 1, presence = 0, frequency = 0, allowed } = asked
  return Float64Array.from(logits, (logit, token) => {
    if (allowed?.(token) === false) return Math.fround(-3e38)
    let value = logit + (bias?.[token] ?? 0)
    const times = answer?.get(token) ?? 0
    if (prompt?.has(token) || times > 0) value = value > 0 ? value / repetition : value * repetition
    return value - (times > 0 ? presence : 0) - times * frequency
  })
}

/** log(softmax(logits)). */
export function logSoftmax(logits: Values): Float64Array {
  const top = logits[argmax(logits)]!
  let sum = 0
  for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i]! - top)
  return Float64Array.from(logits, (value) => value - top - Math.log(sum))
}

/**
 * softmax(logits / temperature), then top-k, then top-p of what top-k left, then min-p, renormalised; temperature 0: 1 at the argmax.
 * Cuts are thresholds on the logit, so whatever equals the last kept one is kept too:
 * top-k's is the k-th largest logit, top-p's the first logit in falling order at which the sum reaches topP * (sum of the top-k),
 * min-p's the logit that is minP times as likely as the largest.
 */
export function distribution(logits: Values, { temperature, topK = 0, topP = 1, minP = 0 }: SampleSettings): Float64Array {
  if (temperature === 0) {
    const one = new Float64Array(logits.length)
    one[argmax(logits)] = 1
    return one
  }
  const all = softmax(Float64Array.from(logits, (value) => value / temperature))
  const falling = Array.from(all.keys()).sort((a, b) => logits[b]! - logits[a]!)
  let cut = topK > 0 && topK < all.length ? logits[falling[topK - 1]!]! : -Infinity
  const left = falling.filter((i) => logits[i]! >= cut)
  if (topP < 1) {
    let total = 0
    for (const i of left) total += all[i]!
    let sum = 0
    for (const i of left) {
      sum += all[i]!
      cut = logits[i]!
      if (sum >= topP * total) break
    }
  }
  if (minP > 0) cut = Math.max(cut, logits[falling[0]!]! + temperature * Math.log(minP))
  const kept = all.map((p, i) => (logits[i]! >= cut ? p : 0))
  let total = 0
  for (const p of kept) total += p
  return kept.map((p) => p / total)
}

/** PCG's RXS-M-XS output over one LCG step; u32 → u32, everything wraps. */
export function pcg(v: number): number {
  const s = (Math.imul(v, 747796405) + 2891336453) >>> 0
  const w = Math.imul(((s >>> ((s >>> 28) + 4)) ^ s) >>> 0, 277803737) >>> 0
  return ((w >>> 22) ^ w) >>> 0
}

/** The index-th random u32 of a 64-bit seed: pcg(pcg(pcg(low) ^ high) + index), wrapping. Any index at any time: no state. */
export function random(seedLow: number, seedHigh: number, index: number): number {
  return pcg((pcg((pcg(seedLow >>> 0) ^ seedHigh) >>> 0) + index) >>> 0)
}

/** random() as a number in [0, 1): its upper 24 bits / 2^24, exact in f32. */
export function uniform(seedLow: number, seedHigh: number, index: number): number {
  return (random(seedLow, seedHigh, index) >>> 8) / 2 ** 24
}

/** The first token in index order whose cumulative kept probability exceeds uniform * total; temperature 0: the argmax. */
export function sample(logits: Values, settings: SampleSettings, seed: readonly [low: number, high: number], index: number): number {
  if (settings.temperature === 0) return argmax(logits)
  const kept = distribution(logits, settings)
  let total = 0
  for (const p of kept) total += p
  const target = uniform(seed[0], seed[1], index) * total
  let sum = 0
  for (let i = 0; i < kept.length; i++) {
    sum += kept[i]!
    if (sum > target) return i
  }
  return kept.length - 1 // not reached: the last sum is total, and target < total
}
