// Pixels made smaller in the page: bit for bit what the shader's specification makes of them, whatever their format.
import { describe, expect, it } from 'vitest'
import type { Pixels, YuvPixels } from '../../src/media/pixels.ts'
import type { Filter } from '../../src/media/resize.ts'
import { shrink } from '../../src/media/shrink.ts'
import { decoded, resized } from '../reference/patchify.ts'

/** Bytes that differ from place to place, edges of 0 and 255 among them. */
function noise(length: number, seed: number): Uint8Array<ArrayBuffer> {
  let state = seed * 2654435761
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    const value = state >>> 20
    return value < 800 ? 0 : value > 3300 ? 255 : value & 255
  })
}

const rgba = (width: number, height: number): Pixels => ({ format: 'RGBA', width, height, data: noise(width * height * 4, width) })

function yuv(format: 'I420' | 'NV12', width: number, height: number, matrix: YuvPixels['matrix'], fullRange: boolean): Pixels {
  const [wide, high] = [Math.ceil(width / 2), Math.ceil(height / 2)]
  const stride = width + 3
  const light = { offset: 5, stride }
  const chroma = format === 'I420' ? [wide + 1, wide + 2] : [2 * wide + 1]
  const planes = [light]
  let end = 5 + stride * height
  for (const own of chroma) {
    planes.push({ offset: end, stride: own })
    end += own * high
  }
  return { format, width, height, matrix, fullRange, planes, data: noise(end, height) }
}

const cases: [string, Pixels, number, number, Filter][] = [
  ['RGBA, smaller', rgba(61, 47), 28, 28, 'bicubic'],
  ['RGBA, one side larger', rgba(20, 90), 56, 28, 'bicubic'],
  ['RGBA, bilinear', rgba(200, 33), 28, 56, 'bilinear'],
  ['RGBA, as it is', rgba(28, 56), 28, 56, 'bicubic'],
  ['I420, odd sides', yuv('I420', 63, 45, 'bt709', false), 28, 28, 'bicubic'],
  ['I420, full range', yuv('I420', 64, 48, 'bt601', true), 28, 28, 'bicubic'],
  ['NV12', yuv('NV12', 65, 50, 'bt2020', false), 56, 28, 'bicubic'],
  ['NV12, one pixel', yuv('NV12', 1, 1, 'bt709', true), 28, 28, 'bicubic'],
]

describe('as the shader has it', () => {
  it.each(cases)('%s', (_, pixels, width, height, filter) => {
    const { data, ...shape } = shrink(pixels, { width, height }, filter)
    expect(shape).toEqual({ format: 'RGBA', width, height })
    const wanted = resized(decoded(pixels), width, height, filter)
    expect(data.filter((_, i) => i % 4 !== 3)).toEqual(wanted.data)
    expect(data.every((value, i) => i % 4 !== 3 || value === 255)).toBe(true)
  })

  it('what was made smaller stays as it is', () => {
    const once = shrink(rgba(300, 200), { width: 84, height: 56 }, 'bicubic')
    expect(shrink(once, { width: 84, height: 56 }, 'bicubic')).toEqual(once)
  })
})
