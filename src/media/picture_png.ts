// PNG to RGBA, where no browser does it. The inflating is the platform's and stops at as many bytes as the header promises.
import { GlmError } from '../errors.ts'
import { invalid, text } from './picture_bytes.ts'
import type { Decoded } from './picture_node.ts'
import type { Rgba } from './picture_turn.ts'

interface Image {
  width: number
  height: number
  depth: number
  color: number
  channels: number
  interlaced: boolean
  /** Three bytes a color. */
  palette: Uint8Array
  /** tRNS: alphas of the palette, or the samples of the one transparent color, two bytes each. */
  clear: Uint8Array | undefined
  data: Blob
}

/** Samples per pixel and the depths allowed, by color type. */
const colors: Record<number, { channels: number; depths: number[] }> = {
  0: { channels: 1, depths: [1, 2, 4, 8, 16] },
  2: { channels: 3, depths: [8, 16] },
  3: { channels: 1, depths: [1, 2, 4, 8] },
  4: { channels: 2, depths: [8, 16] },
  6: { channels: 4, depths: [8, 16] },
}

/** Part of the picture: each `stepX`-th pixel of each `stepY`-th row. */
interface Pass {
  x: number
  y: number
  stepX: number
  stepY: number
}

const whole: Pass[] = [{ x: 0, y: 0, stepX: 1, stepY: 1 }]
const adam7: Pass[] = [
  { x: 0, y: 0, stepX: 8, stepY: 8 },
  { x: 4, y: 0, stepX: 8, stepY: 8 },
  { x: 0, y: 4, stepX: 4, stepY: 8 },
  { x: 2, y: 0, stepX: 4, stepY: 4 },
  { x: 0, y: 2, stepX: 2, stepY: 4 },
  { x: 1, y: 0, stepX: 2, stepY: 2 },
  { x: 0, y: 1, stepX: 1, stepY: 2 },
]

/** Sixteen bits become their upper eight, fewer are spread over 0 to 255; gamma and color profiles do not count. */
export async function decodePng(bytes: Uint8Array<ArrayBuffer>): Promise<Decoded> {
  const image = chunksOf(bytes)
  const passes = (image.interlaced ? adam7 : whole)
    .map((pass) => ({
      ...pass,
      columns: Math.ceil((image.width - pass.x) / pass.stepX),
      rows: Math.ceil((image.height - pass.y) / pass.stepY),
    }))
    .filter(({ columns, rows }) => columns > 0 && rows > 0)
  const strideOf = (columns: number) => 1 + Math.ceil((columns * image.channels * image.depth) / 8)
  const packed = await inflated(image.data, passes.reduce((sum, { columns, rows }) => sum + rows * strideOf(columns), 0)) // biome-ignore format: one line
  const data: Rgba = new Uint8Array(image.width * image.height * 4)
  let at = 0
  for (const { x, y, stepX, stepY, columns, rows } of passes) {
    const stride = strideOf(columns)
    const block = packed.subarray(at, at + rows * stride)
    unfilter(block, stride, Math.ceil((image.channels * image.depth) / 8))
    for (let row = 0; row < rows; row++) {
      const line = block.subarray(row * stride + 1, (row + 1) * stride)
      expand(image, line, columns, data, ((y + row * stepY) * image.width + x) * 4, stepX * 4)
    }
    at += block.length
  }
  return { width: image.width, height: image.height, data }
}

function chunksOf(bytes: Uint8Array<ArrayBuffer>): Image {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const data: Uint8Array<ArrayBuffer>[] = []
  const image = { palette: new Uint8Array(), clear: undefined } as Pick<Image, 'palette' | 'clear'>
  for (let at = 8; ; ) {
    if (at + 12 > bytes.length || at + 12 + view.getUint32(at) > bytes.length)
      throw new GlmError('file_truncated', 'The PNG ends before its last chunk; load it again.')
    const end = at + 8 + view.getUint32(at)
    const kind = text(view, at + 4, 4)
    const content = bytes.subarray(at + 8, end)
    if (/IHDR|PLTE|IDAT|tRNS/.test(kind) && crc(bytes.subarray(at + 4, end)) !== view.getUint32(end))
      throw invalid(`The PNG's chunk ${kind} is damaged; load it again.`)
    if (kind === 'PLTE') image.palette = content
    if (kind === 'tRNS') image.clear = content
    if (kind === 'IDAT') data.push(content)
    if (kind === 'IEND') break
    at = end + 4
  }
  return { ...sizes(view), ...image, data: new Blob(data) }
}

function sizes(view: DataView) {
  const [depth, color, compression, filter, interlace] = [24, 25, 26, 27, 28].map((at) => view.getUint8(at)) as [
    number,
    number,
    number,
    number,
    number,
  ]
  const kind = colors[color]
  if (!kind?.depths.includes(depth) || compression !== 0 || filter !== 0 || interlace > 1)
    throw invalid(`The PNG's header has a coding that does not exist (color type ${color}, ${depth} bits); save it again.`)
  return { width: view.getUint32(16), height: view.getUint32(20), depth, color, channels: kind.channels, interlaced: interlace === 1 }
}

/** Exactly `length` bytes; what follows them is left packed. */
async function inflated(data: Blob, length: number): Promise<Uint8Array> {
  const all = new Uint8Array(length)
  const reader = data.stream().pipeThrough(new DecompressionStream('deflate')).getReader()
  for (let at = 0; at < length; ) {
    const { done, value } = await reader.read().catch((cause) => {
      throw new GlmError('file_invalid', 'The PNG cannot be inflated; load it again.', { cause })
    })
    if (done) throw new GlmError('file_truncated', `The PNG has ${at} bytes of pixels where ${length} should be; load it again.`)
    all.set(value.subarray(0, length - at), at)
    at += value.length
  }
  reader.cancel().catch(() => {})
  return all
}

/** In place. `pixel` is how many bytes back the left neighbour is. */
function unfilter(block: Uint8Array, stride: number, pixel: number): void {
  for (let start = 0; start < block.length; start += stride) {
    const filter = block[start]!
    if (filter > 4) throw invalid('The PNG has a row with a filter that does not exist; load it again.')
    if (filter === 0) continue
    for (let i = 1; i < stride; i++) {
      const left = i > pixel ? block[start + i - pixel]! : 0
      const up = start > 0 ? block[start + i - stride]! : 0
      const corner = i > pixel && start > 0 ? block[start + i - stride - pixel]! : 0
      block[start + i] = block[start + i]! + guess(filter, left, up, corner)
    }
  }
}

function guess(filter: number, left: number, up: number, corner: number): number {
  if (filter === 1) return left
  if (filter === 2) return up
  if (filter === 3) return (left + up) >> 1
  const [a, b, c] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)]
  return a <= b && a <= c ? left : b <= c ? up : corner
}

/** One row of samples to RGBA at `to`, `to + step` and so on. */
function expand(image: Image, line: Uint8Array, columns: number, data: Rgba, to: number, step: number): void {
  const { depth, color, channels, clear, palette } = image
  const sample = sampler(line, depth)
  const scale = depth === 16 ? 1 / 256 : 255 / (2 ** depth - 1)
  const key = clear && (color === 0 || color === 2) && clear.length >= 2 * channels ? keyOf(clear, channels) : undefined
  for (let i = 0; i < columns; i++, to += step) {
    const first = sample(i * channels)
    if (color === 3) {
      data.set(palette.subarray(3 * first, 3 * first + 3), to)
      data[to + 3] = clear?.[first] ?? 255
      continue
    }
    const grey = channels < 3
    const green = grey ? first : sample(i * channels + 1)
    const blue = grey ? first : sample(i * channels + 2)
    data[to] = first * scale
    data[to + 1] = green * scale
    data[to + 2] = blue * scale
    const hidden = key && first === key[0] && (grey || (green === key[1] && blue === key[2]))
    data[to + 3] = channels % 2 === 0 ? sample((i + 1) * channels - 1) * scale : hidden ? 0 : 255
  }
}

const keyOf = (clear: Uint8Array, channels: number) => Array.from({ length: channels }, (_, k) => clear[2 * k]! * 256 + clear[2 * k + 1]!)

/** The i-th sample of a row, in its own depth. */
function sampler(line: Uint8Array, depth: number): (i: number) => number {
  if (depth === 8) return (i) => line[i]!
  if (depth === 16) return (i) => line[2 * i]! * 256 + line[2 * i + 1]!
  const mask = 2 ** depth - 1
  return (i) => (line[(i * depth) >> 3]! >> (8 - depth - ((i * depth) & 7))) & mask
}

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte
  for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1
  return rest
})

function crc(bytes: Uint8Array): number {
  let rest = 0xffffffff
  for (const byte of bytes) rest = (rest >>> 8) ^ table[(rest ^ byte) & 255]!
  return (rest ^ 0xffffffff) >>> 0
}
