// Pictures made into what a vision model reads, in one pass. Its WGSL is not among files.ts: language models do without.
import main from '../../shaders/patchify.wgsl?raw'
import i420 from '../../shaders/pixels/i420.wgsl?raw'
import nv12 from '../../shaders/pixels/nv12.wgsl?raw'
import rgba from '../../shaders/pixels/rgba.wgsl?raw'
import yuv from '../../shaders/pixels/yuv.wgsl?raw'
import type { Kernel } from '../gpu/pipeline.ts'
import { float, type ShaderFile } from '../gpu/shader.ts'

export type PixelFormat = 'RGBA' | 'I420' | 'NV12'

/** What is made of pictures: [patch][3][temporal][tile][tile] with `merge` x `merge` patches together, or [3][height][width]. */
export interface PatchShape {
  layout: 'patches' | 'planes'
  /** Side of a patch; of planes, what a workgroup makes of them. At most 16. */
  tile: number
  merge: number
  temporal: number
  /** Of values in [0, 1]. */
  mean: readonly number[] // [3]
  std: readonly number[] // [3]
}

/** Where a frame's bytes stand in its buffer. */
export interface PixelSource {
  format: PixelFormat
  width: number
  height: number
  /** Bytes; of RGBA multiples of 4. */
  planes: readonly { offset: number; stride: number }[]
  matrix: 'bt601' | 'bt709' | 'bt2020'
  fullRange: boolean
}

/** The weights of one axis: sample i is (sum of weights[i * taps + j] * source[first[i] + j] + half) >> bits, clipped to a byte. */
export interface AxisWeights {
  first: Uint32Array // [to]
  counts: Uint32Array // [to]
  weights: Int32Array // [to, taps]
  taps: number
  bits: number
}

/** Where a frame goes: its first value in `y`, its place in its step, and how many places it takes. */
export interface FramePlace {
  base: number
  place: number
  places: number
}

const pixelFiles: Record<PixelFormat, readonly ShaderFile[]> = {
  RGBA: [{ name: 'pixels/rgba.wgsl', source: rgba }],
  I420: [
    { name: 'pixels/yuv.wgsl', source: yuv },
    { name: 'pixels/i420.wgsl', source: i420 },
  ],
  NV12: [
    { name: 'pixels/yuv.wgsl', source: yuv },
    { name: 'pixels/nv12.wgsl', source: nv12 },
  ],
}

/** One frame into `y`: `source` its bytes, `aux` the axes (`axisTable`), `rows` the parameters (`patchifyParameters`). Fits every size. */
export function patchify({ layout, tile, merge, temporal, mean, std }: PatchShape, format: PixelFormat): Kernel {
  const colours = (values: readonly number[]) => `vec3f(${values.map((value) => float(Math.fround(value) * 255)).join(', ')})`
  return {
    name: `patchify ${format} ${layout}`,
    files: [{ name: 'patchify.wgsl', source: main }, ...pixelFiles[format]],
    bindings: { y: 'write', aux: 'read', rows: 'read', source: 'read' },
    constants: {
      TILE: tile,
      MERGE: merge,
      TEMPORAL: temporal,
      PATCHES: layout === 'patches' ? 1 : 0,
      MEAN: colours(mean),
      STD: colours(std),
    },
  }
}

/** Workgroups for a result of this size. */
export const patchifyGroups = (width: number, height: number, tile: number): [number, number] => [
  Math.ceil(width / tile),
  Math.ceil(height / tile),
]

/** Both axes as records: first source sample, how many, their weights. The vertical one stands behind the horizontal one. */
export function axisTable(...axes: [AxisWeights, AxisWeights]): Int32Array<ArrayBuffer> {
  const words = axes.map(({ first, taps }) => first.length * (taps + 2))
  const table = new Int32Array(words[0]! + words[1]!)
  axes.forEach(({ first, counts, weights, taps }, axis) => {
    for (let i = 0; i < first.length; i++) {
      const at = (axis === 0 ? 0 : words[0]!) + i * (taps + 2)
      table[at] = first[i]!
      table[at + 1] = counts[i]!
      table.set(weights.subarray(i * taps, (i + 1) * taps), at + 2)
    }
  })
  return table
}

/** Words of one frame's parameters: as far apart as bindings must be. */
export const PARAMETER_WORDS = 64

/** What `rows` holds for a frame. */
export function patchifyParameters(across: AxisWeights, down: AxisWeights, to: FramePlace, source: PixelSource): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(PARAMETER_WORDS)
  const [width, height] = [across.first.length, down.first.length]
  words.set([
    width,
    height,
    0,
    width * (across.taps + 2),
    across.taps + 2,
    down.taps + 2,
    across.bits,
    down.bits,
    to.base,
    to.place,
    to.places,
  ])
  // RGBA is read by the pixel, others by the byte.
  const unit = source.format === 'RGBA' ? 4 : 1
  source.planes.forEach(({ offset, stride }, plane) => {
    words.set([stride / unit, offset / unit], 12 + 2 * plane)
  })
  words.set([Math.ceil(source.width / 2), Math.ceil(source.height / 2)], 18)
  new Int32Array(words.buffer).set(yuvFactors(source.matrix, source.fullRange), 20)
  return words
}

/** Shares of red and blue in luma (ITU-R BT.601, BT.709, BT.2020). */
const shares = { bt601: [0.299, 0.114], bt709: [0.2126, 0.0722], bt2020: [0.2627, 0.0593] } as const

/** What luma starts at, then with 16 binary places the factors of luma, of V in red, of U and V in green, of U in blue. */
export function yuvFactors(matrix: keyof typeof shares, fullRange: boolean): number[] {
  const [red, blue] = shares[matrix]
  const green = 1 - red - blue
  const luma = fullRange ? 1 : 255 / 219
  const chroma = fullRange ? 1 : 255 / 224
  const factors = [
    luma,
    2 * (1 - red) * chroma,
    (-2 * (1 - blue) * blue * chroma) / green,
    (-2 * (1 - red) * red * chroma) / green,
    2 * (1 - blue) * chroma,
  ]
  return [fullRange ? 0 : 16, ...factors.map((factor) => Math.round(factor * 2 ** 16))]
}
