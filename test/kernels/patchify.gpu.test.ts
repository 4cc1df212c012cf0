// patchify against its twin: every value, whatever the source's layout and the factor, and nothing beside them.
import { afterEach, beforeAll, expect, it } from 'vitest'
import { axisTable, type PatchShape, patchify, patchifyGroups, patchifyParameters } from '../../src/kernels/patchify.ts'
import { pixelSource, wordsOf } from '../../src/media/pixel_source.ts'
import type { Pixels, YuvPixels } from '../../src/media/pixels.ts'
import { type Filter, resample } from '../../src/media/resize.ts'
import { decoded, normalised, patched, planes, resized } from '../reference/patchify.ts'
import { Bench, expectWanted, numbers, untouched } from './run.ts'

let bench: Bench
beforeAll(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clear())

const clip = { mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] }
const pairs: PatchShape = { layout: 'patches', tile: 14, merge: 2, temporal: 2, ...clip }
const single: PatchShape = { layout: 'patches', tile: 14, merge: 1, temporal: 1, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] }
const plain: PatchShape = { layout: 'planes', tile: 16, merge: 1, temporal: 1, mean: [0, 0, 0], std: [1, 1, 1] }

/** Noise with stretches of black and white, so that filters overshoot; rows of planes end in bytes that no one may read. */
function picture(format: Pixels['format'], width: number, height: number, yuv: Partial<YuvPixels> = {}): Pixels {
  const { uniform } = numbers(width * 7 + height)
  const noise = (length: number) => {
    const bytes = new Uint8Array(length)
    for (let i = 0; i < length; i++) bytes[i] = uniform() < 0.4 ? (uniform() < 0.5 ? 0 : 255) : Math.floor(uniform() * 256)
    return bytes
  }
  if (format === 'RGBA') return { format, width, height, data: noise(width * height * 4) }
  const half = Math.ceil(width / 2)
  const rows = Math.ceil(height / 2)
  const luma = { offset: 3, stride: width + 5 }
  const chroma = format === 'NV12' ? [2 * half + 1] : [half + 3, half + 1]
  let end = luma.offset + luma.stride * height + 1
  const behind = chroma.map((stride) => {
    const plane = { offset: end, stride }
    end += stride * rows + 2
    return plane
  })
  return { format, width, height, data: noise(end), planes: [luma, ...behind], matrix: 'bt601', fullRange: false, ...yuv }
}

interface Run {
  pixels: Pixels
  to: [width: number, height: number]
  shape: PatchShape
  filter?: Filter
  place?: number
  places?: number
}

async function run({
  pixels,
  to: [width, height],
  shape,
  filter = 'bicubic',

  place = 0,
  places = shape.temporal,
}: Run) {
  const { tile, merge, temporal, mean, std } = shape
  const across = resample(pixels.width, width, filter)
  const down = resample(pixels.height, height, filter)
  const base = 37
  const values = width * height * 3 * temporal
  const y = bench.poisoned('y', base + values + 100)
  const bytes = wordsOf(pixels)
  const buffers = {
    y,
    aux: bench.buffer('aux', new Uint32Array(axisTable(across, down).buffer)),
    rows: bench.buffer('rows', patchifyParameters(across, down, { base, place, places }, pixelSource(pixels))),
    source: bench.buffer('source', new Uint32Array(bytes.slice().buffer)),
  }
  await bench.run(patchify(shape, pixels.format), buffers, patchifyGroups(width, height, tile))
  const wanted = untouched(base + values + 100)
  const one = resized(decoded(pixels), width, height, filter)
  const own = shape.layout === 'planes' ? planes(one) : patched([Array.from({ length: temporal }, () => one)], tile, merge)
  const each = shape.layout === 'planes' ? width * height : temporal * tile * tile
  const all = normalised(own, each, mean, std)
  const words = await bench.words(y)
  all.forEach((value, i) => {
    const slot = shape.layout === 'planes' ? 0 : Math.floor(i / (tile * tile)) % temporal
    if (slot < place || slot >= place + places) return
    wanted.values[base + i] = value
    wanted.bounds[base + i] = 2e-6
  })
  return { words: words.subarray(0, base + values + 100), wanted }
}

const formats = ['RGBA', 'I420', 'NV12'] as const
const shapes: [name: string, from: [number, number], to: [number, number], shape: PatchShape, filter?: Filter][] = [
  ['enlarged', [9, 7], [56, 28], pairs],
  ['shrunk', [61, 83], [28, 56], pairs],
  ['shrunk thirty times', [900, 700], [28, 28], pairs],
  ['one pixel', [1, 1], [28, 28], pairs],
  ['one row', [50, 1], [84, 28], pairs],
  ['one column', [1, 51], [28, 84], pairs],
  ['its own size', [28, 28], [28, 28], pairs],
  ['without steps and blocks', [31, 30], [42, 28], single],
  ['planes that end within a tile', [33, 21], [19, 23], plain, 'bilinear'],
  ['planes below a tile', [64, 40], [3, 2], plain],
]

for (const format of formats) {
  it.each(shapes)(`${format}: %s`, async (_, from, to, shape, filter) => {
    const { words, wanted } = await run({ pixels: picture(format, ...from), to, shape, ...(filter ? { filter } : {}) })
    expectWanted(words, wanted)
  })
}

it.each([
  ['bt601', true],
  ['bt709', false],
  ['bt2020', true],
] as const)('%s, full range %s', async (matrix, fullRange) => {
  const { words, wanted } = await run({ pixels: picture('I420', 40, 30, { matrix, fullRange }), to: [28, 28], shape: pairs })
  expectWanted(words, wanted)
})

it.each([0, 1])('a frame of a pair takes place %i and leaves the other alone', async (place) => {
  const { words, wanted } = await run({ pixels: picture('RGBA', 20, 20), to: [28, 28], shape: pairs, place, places: 1 })
  expectWanted(words, wanted)
})

it('one level off is wrong', async () => {
  const { words, wanted } = await run({ pixels: picture('RGBA', 20, 20), to: [28, 28], shape: plain })
  wanted.values[100]! += 1 / 255
  expect(() => expectWanted(words, wanted)).toThrow('1 of')
})
