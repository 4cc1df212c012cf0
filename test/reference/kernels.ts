// The f64 twin of every kernel of the decoder. Tensors are flat and row-major; nothing here is fast or clever.

export type Values = ArrayLike<number>

/** y[r, i] = x[r, i] * gamma[i] / sqrt(mean_j x[r, j]² + eps); x: [rows, width], gamma: [width]. */
export function rmsNorm(x: Values, gamma: Values, eps: number): Float64Array {
  const width = gamma.length
  const y = new Float64Array(x.length) // [rows, width]
  for (let start = 0; start < x.length; start += width) {
    let sum = 0
    for (let i = 0; i < width; i++) sum += x[start + i]! * x[start + i]!
    const scale = 1 / Math.sqrt(sum / width + eps)
    for (let i = 0; i < width; i++) y[start + i] = x[start + i]! * scale * gamma[i]!
  }
  return y
}

/** y[k] = x[order[k]]. */
export const gathered = (x: Values, order: Values): Float64Array => Float64Array.from(Array.from(order), (from) => x[from]!)

/** y[m, n] = Σ_k w[n, k] * x[m, k] (+ bias[n]); w: [n, k], x: [m, k]. */
export function matmul(w: Values, x: Values, k: number, bias?: Values): Float64Array {
  const n = w.length / k
  const m = x.length / k
  const y = new Float64Array(m * n) // [m, n]
  for (let row = 0; row < m; row++) {
    for (let column = 0; column < n; column++) {
      let sum = bias ? bias[column]! : 0
      for (let i = 0; i < k; i++) sum += w[column * k + i]! * x[row * k + i]!
      y[row * n + column] = sum
    }
  }
  return y
}

/** y[r, i] = table[ids[r], i]; table: [vocab, width]. */
export function embed(table: Values, ids: Values, width: number): Float64Array {
  const y = new Float64Array(ids.length * width) // [rows, width]
  for (let r = 0; r < ids.length; r++) {
    for (let i = 0; i < width; i++) y[r * width + i] = table[ids[r]! * width + i]!
  }
  return y
}

/** y = a + b: the residual. */
export function add(a: Values, b: Values): Float64Array {
  return Float64Array.from(a, (value, i) => value + b[i]!)
}

/** YaRN's numbers, named as in the checkpoint's rope parameters. */
export interface Yarn {
  factor: number
  original_max_position_embeddings: number
  attention_factor?: number
  mscale?: number
  mscale_all_dim?: number
  beta_fast?: number
  beta_slow?: number
  truncate?: boolean
}

export interface RopeConfig {
  rotaryDims: number
  theta: number
  yarn?: Yarn | undefined
}

/** f_i = theta^(-2i / d), d = rotaryDims; YaRN blends f_i / factor and f_i by a ramp over i. Returns [d / 2] and the factor on cos and sin. */
export function ropeFrequencies({ rotaryDims: d, theta, yarn }: RopeConfig): { frequencies: Float64Array; scale: number } {
  const frequencies = new Float64Array(d / 2)
  for (let i = 0; i < d / 2; i++) frequencies[i] = theta ** ((-2 * i) / d)
  if (!yarn) return { frequencies, scale: 1 }
  const boundary = (turns: number) => (d * Math.log(yarn.original_max_position_embeddings / (turns * 2 * Math.PI))) / (2 * Math.log(theta))
  const truncate = yarn.truncate ?? true
  let low = boundary(yarn.beta_fast || 32)
  let high = boundary(yarn.beta_slow || 1)
  low = Math.max(truncate ? Math.floor(low) : low, 0)
  high = Math.min(truncate ? Math.ceil(high) : high, d - 1)
  if (low === high) high += 0.001
  for (let i = 0; i < d / 2; i++) {
    const ramp = Math.min(Math.max((i - low) / (high - low), 0), 1) // 0: as trained, 1: stretched by the factor
    frequencies[i] = (frequencies[i]! / yarn.factor) * ramp + frequencies[i]! * (1 - ramp)
  }
  return { frequencies, scale: yarnScale(yarn) }
}

/** attention_factor, or 0.1 * ln(factor) + 1, or the quotient of that with mscale and with mscale_all_dim on the logarithm. */
function yarnScale({ factor, attention_factor, mscale, mscale_all_dim }: Yarn): number {
  const scale = (m: number) => (factor <= 1 ? 1 : 0.1 * m * Math.log(factor) + 1)
  if (attention_factor != null) return attention_factor
  return mscale && mscale_all_dim ? scale(mscale) / scale(mscale_all_dim) : scale(1)
}

/** cos[p, i] = scale * cos(positions[p] * f_i), sin alike; both [positions, rotaryDims / 2]. */
export function ropeTable(config: RopeConfig, positions: Values): { cos: Float64Array; sin: Float64Array } {
  const { frequencies, scale } = ropeFrequencies(config)
  const half = frequencies.length
  const cos = new Float64Array(positions.length * half)
  const sin = new Float64Array(positions.length * half)
  for (let p = 0; p < positions.length; p++) {
    for (let i = 0; i < half; i++) {
      cos[p * half + i] = scale * Math.cos(positions[p]! * frequencies[i]!)
      sin[p * half + i] = scale * Math.sin(positions[p]! * frequencies[i]!)
    }
  }
  return { cos, sin }
}

/** (y[2i], y[2i+1]) = (x[2i] cos - x[2i+1] sin, x[2i+1] cos + x[2i] sin) for 2i < rotaryDims; later dims pass. x: [rows, heads, headDim]. */
export function rope(x: Values, cos: Values, sin: Values, { heads, headDim }: { heads: number; headDim: number }): Float64Array {
  const rows = x.length / (heads * headDim)
  const half = cos.length / rows // cos, sin: [rows, half]
  const y = Float64Array.from(x) // [rows, heads, headDim]
  for (let start = 0; start < x.length; start += headDim) {
    const row = Math.floor(start / (heads * headDim))
    for (let i = 0; i < half; i++) {
      const a = x[start + 2 * i]!
      const b = x[start + 2 * i + 1]!
      const c = cos[row * half + i]!
      const s = sin[row * half + i]!
      y[start + 2 * i] = a * c - b * s
      y[start + 2 * i + 1] = b * c + a * s
    }
  }
  return y
}

export interface Heads {
  heads: number
  kvHeads: number
  headDim: number
}

/**
 * y[r, h] = Σ_j softmax_j(q[r, h] · k[j, g] / √headDim) v[j, g], g = floor(h * kvHeads / heads), over the keys j ≤ position of row r.
 * q: [rows, heads, headDim]; k, v: [keys, kvHeads, headDim]. The rows of q are the last ones: row r stands at keys - rows + r.
 */
export function attention(q: Values, k: Values, v: Values, { heads, kvHeads, headDim }: Heads): Float64Array {
  const rows = q.length / (heads * headDim)
  const keys = k.length / (kvHeads * headDim)
  const y = new Float64Array(q.length) // [rows, heads, headDim]
  for (let r = 0; r < rows; r++) {
    for (let h = 0; h < heads; h++) {
      const qStart = (r * heads + h) * headDim
      const group = Math.floor((h * kvHeads) / heads)
      const seen = keys - rows + r + 1
      const scores = new Float64Array(seen)
      for (let j = 0; j < seen; j++) {
        let dot = 0
        for (let i = 0; i < headDim; i++) dot += q[qStart + i]! * k[(j * kvHeads + group) * headDim + i]!
        scores[j] = dot / Math.sqrt(headDim)
      }
      const weights = softmax(scores)
      for (let j = 0; j < seen; j++) {
        for (let i = 0; i < headDim; i++) y[qStart + i]! += weights[j]! * v[(j * kvHeads + group) * headDim + i]!
      }
    }
  }
  return y
}

/** y[i] = exp(x[i] - max) / Σ_j exp(x[j] - max). */
export function softmax(x: Values): Float64Array {
  let max = -Infinity
  for (let i = 0; i < x.length; i++) max = Math.max(max, x[i]!)
  const y = Float64Array.from(x, (value) => Math.exp(value - max))
  let sum = 0
  for (const value of y) sum += value
  return y.map((value) => value / sum)
}

/** y = silu(gate) * up = gate / (1 + exp(-gate)) * up; both [rows, ffn]. */
export function swiglu(gate: Values, up: Values): Float64Array {
  return Float64Array.from(gate, (g, i) => (g / (1 + Math.exp(-g))) * up[i]!)
}
