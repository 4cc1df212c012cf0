// The vision towers in f64: GLM-4.1V and 4.6V (glm4v, glm46v), GLM-OCR (glm_ocr) and GLM-Edge-V (SigLIP and its adapter). Nothing here is fast or clever.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadTensors, type WeightFormat } from './checkpoint.ts'
import { add, matmul, rmsNorm, softmax, swiglu, type Values } from './kernels.ts'
import type { Grid } from './sights.ts'

export interface VisionModel {
  // biome-ignore lint/suspicious/noExplicitAny: config.json as it is
  json: any
  has(name: string): boolean
  tensor(name: string): Float64Array
}

/** What a tower makes of pictures. */
export interface Seen {
  tower: Float64Array // [patches, vision hidden], behind the last norm
  merged: Float64Array // [tokens, hidden], four patches as one; of GLM-Edge-V without the two ends
  rows: Float64Array // [tokens, hidden], what stands in the text
}

export function loadVision(folder: string, weights?: WeightFormat): VisionModel {
  return { json: JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')), ...loadTensors(folder, weights) }
}

/** `pixels`: [patches, 3 * 2 * 14 * 14] (GLM-Edge-V: [patches, 3 * 14 * 14], one picture); a step of a grid sees only itself. */
export function see(model: VisionModel, pixels: Values, grids: readonly Grid[]): Seen {
  return model.json.model_type === 'glm' ? seeEdge(model, pixels) : seeGlm(model, pixels, grids)
}

/** patch embedding → (norm → + positions) → blocks → norm → downsampling → merger; GLM-OCR does without what is in brackets. */
function seeGlm(model: VisionModel, pixels: Values, grids: readonly Grid[]): Seen {
  const {
    hidden_size: hidden,
    num_heads: heads,
    rms_norm_eps: eps,
    depth,
    out_hidden_size: out,
    patch_size: patch,
  } = model.json.vision_config
  const merge = model.json.vision_config.spatial_merge_size
  const prefix = 'model.visual.'
  const linear = linearOf(model, prefix)
  const norm = (name: string, x: Values) => rmsNorm(x, model.tensor(`${prefix}${name}.weight`), eps)
  const places = placesOf(grids, merge)
  const headDim = hidden / heads
  const rope = ropeTable2d(places, headDim)

  let x = linear('patch_embed.proj', pixels, 3 * 2 * patch * patch)
  if (model.has(`${prefix}post_conv_layernorm.weight`)) {
    x = add(norm('post_conv_layernorm', x), interpolated(model.tensor(`${prefix}embeddings.position_embedding.weight`), hidden, places))
  }
  for (let block = 0; block < depth; block++) {
    const name = (part: string) => `blocks.${block}.${part}`
    const qkv = linear(name('attn.qkv'), norm(name('norm1'), x), hidden) // [patches, 3, heads, headDim]
    const third = (which: number) => qkv.filter((_, i) => Math.floor(i / hidden) % 3 === which)
    const turned = (values: Float64Array, its: string) => {
      const gamma = `${prefix}${name(its)}.weight` // GLM-OCR
      return ropeHalves(model.has(gamma) ? rmsNorm(values, model.tensor(gamma), eps) : values, rope, heads, headDim)
    }
    const [q, k] = [turned(third(0), 'attn.q_norm'), turned(third(1), 'attn.k_norm')]
    x = add(x, linear(name('attn.proj'), attentionWithin(q, k, third(2), stepsOf(grids), heads, headDim), hidden))
    x = add(x, gated(linear, name('mlp.gate_proj'), name('mlp.up_proj'), name('mlp.down_proj'), norm(name('norm2'), x), hidden))
  }
  const tower = norm('post_layernorm', x)
  const merged = linear('downsample', windows(tower, hidden, merge), hidden * merge * merge)
  const [gamma, beta] = ['weight', 'bias'].map((part) => model.tensor(`${prefix}merger.post_projection_norm.${part}`))
  const y = layerNorm(linear('merger.proj', merged, out), gamma!, beta!, 1e-5).map(gelu)
  return { tower, merged, rows: gated(linear, 'merger.gate_proj', 'merger.up_proj', 'merger.down_proj', y, out) }
}

/** SigLIP without a pooling head → Conv2d(2, 2) → linear → layer norm → GELU → gated MLP, between two learned vectors. */
function seeEdge(model: VisionModel, pixels: Values): Seen {
  const {
    hidden_size: hidden,
    num_attention_heads: heads,
    num_hidden_layers: layers,
    intermediate_size: ffn,
    patch_size: patch,
  } = model.json.vision_config
  const out = model.json.hidden_size
  const prefix = 'model.vision.vit.model.vision_model.'
  const linear = linearOf(model, prefix)
  const norm = (name: string, x: Values) =>
    layerNorm(
      x,
      model.tensor(`${prefix}${name}.weight`),
      model.tensor(`${prefix}${name}.bias`),
      model.json.vision_config.layer_norm_eps ?? 1e-6,
    )

  let x = linear('embeddings.patch_embedding', pixels, 3 * patch * patch)
  const patches = x.length / hidden
  x = add(x, model.tensor(`${prefix}embeddings.position_embedding.weight`))
  for (let layer = 0; layer < layers; layer++) {
    const name = (part: string) => `encoder.layers.${layer}.${part}`
    const n1 = norm(name('layer_norm1'), x)
    const projected = (part: string) => linear(name(`self_attn.${part}_proj`), n1, hidden)
    const attended = attentionWithin(projected('q'), projected('k'), projected('v'), [patches], heads, hidden / heads)
    x = add(x, linear(name('self_attn.out_proj'), attended, hidden))
    x = add(x, linear(name('mlp.fc2'), linear(name('mlp.fc1'), norm(name('layer_norm2'), x), hidden).map(geluTanh), ffn))
  }
  const tower = norm('post_layernorm', x)

  const adapter = linearOf(model, 'model.vision.adapter.')
  const tensor = (name: string) => model.tensor(`model.vision.adapter.${name}`)
  const side = Math.sqrt(patches)
  const blocks = placesOf([[1, side, side]], 2).flatMap(([row, column]) => [
    ...tower.subarray((row * side + column) * hidden).subarray(0, hidden),
  ])
  const merged = adapter('conv', windows(blocks, hidden, 2), hidden * 4)
  const y = layerNorm(adapter('linear.linear', merged, out), tensor('linear.norm1.weight'), tensor('linear.norm1.bias'), 1e-5).map(gelu)
  const inside = gated(adapter, 'linear.gate_proj', 'linear.dense_h_to_4h', 'linear.dense_4h_to_h', y, out)
  return { tower, merged, rows: Float64Array.from([...tensor('boi'), ...inside, ...tensor('eoi')]) }
}

type Linear = (name: string, x: Values, k: number) => Float64Array

/** y = W x (+ bias) by a layer's name; a convolution whose windows do not overlap is one over flat windows. */
function linearOf(model: VisionModel, prefix: string): Linear {
  return (name, x, k) => {
    const bias = `${prefix}${name}.bias`
    return matmul(model.tensor(`${prefix}${name}.weight`), x, k, model.has(bias) ? model.tensor(bias) : undefined)
  }
}

/** down(silu(gate(x)) * up(x)); x: [rows, k]. */
function gated(linear: Linear, gate: string, up: string, down: string, x: Values, k: number): Float64Array {
  const inner = swiglu(linear(gate, x, k), linear(up, x, k))
  return linear(down, inner, inner.length / (x.length / k))
}

/** Row and column of a patch, and the rows and columns of its picture. */
type Place = [row: number, column: number, rows: number, columns: number]

/** Where patches lie, in the order they stand in: merge x merge blocks row by row, in a block row by row, step after step. */
export function placesOf(grids: readonly Grid[], merge: number): Place[] {
  return grids.flatMap(([t, h, w]) =>
    Array.from({ length: t * h * w }, (_, i): Place => {
      const [block, inside] = [Math.floor((i % (h * w)) / (merge * merge)), i % (merge * merge)]
      const across = w / merge
      return [Math.floor(block / across) * merge + Math.floor(inside / merge), (block % across) * merge + (inside % merge), h, w]
    }),
  )
}

/** Patches of each step: who sees whom. */
const stepsOf = (grids: readonly Grid[]): number[] => grids.flatMap(([t, h, w]) => new Array<number>(t).fill(h * w))

/**
 * A square table of positions sampled at the places of patches: Keys' cubic (a = -0.75) over 4 x 4 taps around (place + 1/2) * side / size - 1/2, taps
 * beyond the border being the border's. table: [side * side, width]; returns [patches, width].
 */
export function interpolated(table: Values, width: number, places: readonly Place[]): Float64Array {
  const side = Math.sqrt(table.length / width)
  const y = new Float64Array(places.length * width)
  for (const [p, [row, column, rows, columns]] of places.entries()) {
    for (const [tapRow, ofRow] of taps(row, rows, side)) {
      for (const [tapColumn, ofColumn] of taps(column, columns, side)) {
        for (let i = 0; i < width; i++) y[p * width + i]! += ofRow * ofColumn * table[(tapRow * side + tapColumn) * width + i]!
      }
    }
  }
  return y
}

function taps(place: number, size: number, side: number): [index: number, weight: number][] {
  const source = ((place + 0.5) * side) / size - 0.5
  const first = Math.floor(source) - 1
  return [0, 1, 2, 3].map((tap) => [Math.min(Math.max(first + tap, 0), side - 1), keys(Math.abs(source - first - tap))])
}

function keys(x: number): number {
  const a = -0.75
  return x <= 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
}

/** cos and sin, both [patches, headDim / 2]: angles row * f_j, then column * f_j, f_j = 10000^(-2j / (headDim / 2)), j < headDim / 4. */
export function ropeTable2d(places: readonly Place[], headDim: number): { cos: Float64Array; sin: Float64Array } {
  const quarter = headDim / 4
  const angles = places.flatMap(([row, column]) =>
    [row, column].flatMap((place) => Array.from({ length: quarter }, (_, j) => place * 10000 ** ((-2 * j) / (headDim / 2)))),
  )
  return { cos: Float64Array.from(angles, Math.cos), sin: Float64Array.from(angles, Math.sin) }
}

/** (y[i], y[i + d/2]) = (x[i] cos - x[i + d/2] sin, x[i + d/2] cos + x[i] sin), d = headDim. x: [rows, heads, headDim]. */
export function ropeHalves(x: Values, { cos, sin }: { cos: Values; sin: Values }, heads: number, headDim: number): Float64Array {
  const half = headDim / 2
  const y = new Float64Array(x.length)
  for (let start = 0; start < x.length; start += headDim) {
    const row = Math.floor(start / (heads * headDim))
    for (let i = 0; i < half; i++) {
      const [a, b, c, s] = [x[start + i]!, x[start + half + i]!, cos[row * half + i]!, sin[row * half + i]!]
      y[start + i] = a * c - b * s
      y[start + half + i] = b * c + a * s
    }
  }
  return y
}

/** y[r, h] = Σ_j softmax_j(q[r, h] · k[j, h] / √headDim) v[j, h] over all rows j of the stretch that r is in. All [rows, heads, headDim]. */
export function attentionWithin(q: Values, k: Values, v: Values, lengths: readonly number[], heads: number, headDim: number): Float64Array {
  const y = new Float64Array(q.length)
  let first = 0
  for (const length of lengths) {
    for (let h = 0; h < heads; h++) {
      const at = (row: number) => ((first + row) * heads + h) * headDim
      for (let r = 0; r < length; r++) {
        const dot = (j: number) => {
          let sum = 0
          for (let i = 0; i < headDim; i++) sum += q[at(r) + i]! * k[at(j) + i]!
          return sum / Math.sqrt(headDim)
        }
        const weights = softmax(Array.from({ length }, (_, j) => dot(j)))
        for (let j = 0; j < length; j++) for (let i = 0; i < headDim; i++) y[at(r) + i]! += weights[j]! * v[at(j) + i]!
      }
    }
    first += length
  }
  return y
}

/** Flat windows of a convolution: [blocks, merge * merge, width] → [blocks, width, merge * merge], as its weight has them. */
export function windows(x: Values, width: number, merge: number): Float64Array {
  const size = merge * merge
  return Float64Array.from({ length: x.length }, (_, i) => {
    const [block, channel, inside] = [Math.floor(i / (width * size)), Math.floor(i / size) % width, i % size]
    return x[(block * size + inside) * width + channel]!
  })
}

/** y[r, i] = (x[r, i] - mean) / sqrt(variance + eps) * gamma[i] + beta[i]; x: [rows, width]. */
export function layerNorm(x: Values, gamma: Values, beta: Values, eps: number): Float64Array {
  const width = gamma.length
  const y = new Float64Array(x.length)
  for (let start = 0; start < x.length; start += width) {
    let [mean, variance] = [0, 0]
    for (let i = 0; i < width; i++) mean += x[start + i]! / width
    for (let i = 0; i < width; i++) variance += (x[start + i]! - mean) ** 2 / width
    for (let i = 0; i < width; i++) y[start + i] = ((x[start + i]! - mean) / Math.sqrt(variance + eps)) * gamma[i]! + beta[i]!
  }
  return y
}

/** x Φ(x), Φ the normal distribution's. */
export const gelu = (x: number): number => 0.5 * x * (1 + erf(x / Math.SQRT2))

/** The same by its approximation: x/2 (1 + tanh(√(2/π) (x + 0.044715 x³))). */
export const geluTanh = (x: number): number => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))

/** To some 1e-15: the series 2/√π e^(-x²) Σ 2^n x^(2n+1) / (2n+1)!!, whose terms are all positive. */
export function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x)
  let [sum, term] = [x, x]
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1)
    sum += term
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum
}
