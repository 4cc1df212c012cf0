// What is known before there is a GPU: plans, refusals, colours.
import { describe, expect, it } from 'vitest'
import { yuvFactors } from '../../src/kernels/patchify.ts'
import { planPictures } from '../../src/media/picture_plan.ts'
import { type PictureProfileName, pictureProfiles } from '../../src/media/picture_profiles.ts'
import { pixelSource, wordsOf } from '../../src/media/pixel_source.ts'
import type { YuvPixels } from '../../src/media/pixels.ts'
import { decoded } from '../reference/patchify.ts'

describe('plans', () => {
  it.each([
    [540, 666, 1, { profile: 'glm-ocr', maxPixels: 11_760_000 }, [1, 48, 38], 456, [1824, 1176]],
    [6000, 4000, 1, { profile: 'glm-ocr' }, [1, 128, 192], 6144, [24576, 1176]],
    [1920, 1080, 1, { profile: 'glm-4.1v' }, [1, 78, 138], 2691, [10764, 1176]],
    [640, 360, 60, { profile: 'glm-4.6v', video: true }, [30, 26, 46], 8970, [35880, 1176]],
    [640, 360, 5, { profile: 'glm-4.6v', video: true }, [3, 26, 46], 897, [3588, 1176]],
    [98, 70, 3, { profile: 'glm-4.1v' }, [3, 4, 8], 24, [96, 1176]],
    [640, 360, 1, { profile: 'glm-4.1v', size: { width: 56, height: 28 } }, [1, 2, 4], 2, [8, 1176]],
    [640, 360, 1, { profile: 'glm-edge-v' }, [1, 48, 48], 2304, [2304, 588]],
    [640, 360, 2, { profile: 'standard' }, [2, 1, 1], 2, [2, 3, 224, 224]],
    [640, 360, 1, { profile: 'standard', size: { width: 5, height: 7 } }, [1, 1, 1], 1, [1, 3, 7, 5]],
  ] as const)('%i × %i, %i of them: %o', (width, height, count, options, grid, tokens, shape) => {
    expect(planPictures(width, height, count, options)).toMatchObject({ grid, tokens, shape })
  })

  it.each([
    [0, 5, 1, { profile: 'standard' }, 'width is 0'],
    [5, 2.5, 1, { profile: 'standard' }, 'height is 2.5'],
    [5, 5, 0, { profile: 'standard' }, 'count is 0'],
    [5, 5, 1, { profile: 'glm-9' }, 'There is no profile glm-9; there are glm-4.1v'],
    [5, 5, 1, { profile: 'toString' }, 'no profile'],
    [5, 5, 1, { profile: 'glm-4.1v', size: { width: 30, height: 28 } }, 'multiples of 28'],
    [5, 5, 1, { profile: 'standard', size: { width: 70_000, height: 28 } }, 'below 65536'],
    [5, 5, 1, { profile: 'standard', size: { width: 0, height: 28 } }, 'multiples of 1'],
    [5, 5, 1, { profile: 'glm-4.1v', maxPixels: Number.NaN }, 'maxPixels is NaN'],
    [5, 5, 1, { profile: 'glm-edge-v', maxPixels: 1000 }, 'give size, not maxPixels'],
    [1, 300, 1, { profile: 'glm-ocr' }, 'more than 200 times'],
  ])('%i × %i, %i of them, %o: %s', (width, height, count, options, text) => {
    const plan = () => planPictures(width, height, count, options as { profile: PictureProfileName })
    expect(plan).toThrow(expect.objectContaining({ name: 'GlmError', code: 'request_invalid', message: expect.stringContaining(text) }))
  })

  it('every profile says where it is from', () => {
    for (const { source } of Object.values(pictureProfiles)) expect(source).toMatch(/zai-org|torchvision/)
  })
})

describe('pixels', () => {
  const data = (length: number) => new Uint8Array(length)
  const yuv = { width: 3, height: 3, matrix: 'bt601', fullRange: true } as const
  const luma = { offset: 0, stride: 3 }

  it('planes may stand anywhere', () => {
    const planes = [luma, { offset: 9, stride: 2 }, { offset: 13, stride: 2 }]
    const pixels = { ...yuv, format: 'I420', data: data(17), planes } as const
    expect(pixelSource({ ...pixels, planes })).toMatchObject({ planes })
    expect(wordsOf({ ...pixels, planes }).length).toBe(20)
  })

  it.each([
    { format: 'RGBA', width: 2, height: 2, data: data(15) },
    { format: 'RGBA', width: 0, height: 2, data: data(15) },
    { format: 'RGBA', width: 2.5, height: 2, data: data(99) },
    { ...yuv, format: 'I420', data: data(16), planes: [luma, { offset: 9, stride: 2 }, { offset: 13, stride: 2 }] },
    { ...yuv, format: 'I420', data: data(99), planes: [luma, { offset: 9, stride: 2 }] },
    { ...yuv, format: 'NV12', data: data(99), planes: [luma, { offset: 9, stride: 3 }] },
    {
      ...yuv,
      format: 'NV12',
      data: data(99),
      planes: [
        { offset: -1, stride: 3 },
        { offset: 9, stride: 4 },
      ],
    },
    {
      ...yuv,
      format: 'NV12',
      data: data(99),
      planes: [
        { offset: 0.5, stride: 3 },
        { offset: 9, stride: 4 },
      ],
    },
    { ...yuv, format: 'BGRX', data: data(99), planes: [luma] },
  ])('refused: %o', (pixels) => {
    expect(() => pixelSource(pixels as YuvPixels)).toThrow(expect.objectContaining({ name: 'GlmError', code: 'request_invalid' }))
  })

  /** One grey of chroma, one of luma. */
  const flat = (matrix: YuvPixels['matrix'], fullRange: boolean, [y, u, v]: number[]): YuvPixels => ({
    format: 'I420',
    width: 1,
    height: 1,
    data: Uint8Array.of(y!, u!, v!),
    planes: [0, 1, 2].map((offset) => ({ offset, stride: 1 })),
    matrix,
    fullRange,
  })

  const shares = { bt601: [0.299, 0.114], bt709: [0.2126, 0.0722], bt2020: [0.2627, 0.0593] } as const
  it.each(['bt601', 'bt709', 'bt2020'] as const)('%s: whole numbers are the rounded real ones', (matrix) => {
    const [kr, kb] = shares[matrix]
    let other = 0
    let all = 0
    for (const full of [true, false]) {
      for (let i = 0; i < 8000; i++) {
        const [y, u, v] = [(i * 37) % 256, (i * 91 + (i >> 8)) % 256, (i * 151 + (i >> 4)) % 256]
        const light = full ? y / 255 : (y - 16) / 219
        const [pb, pr] = [u, v].map((value) => (value - 128) / (full ? 255 : 224)) as [number, number]
        const red = light + 2 * (1 - kr) * pr
        const blue = light + 2 * (1 - kb) * pb
        const green = (light - kr * red - kb * blue) / (1 - kr - kb)
        const own = decoded(flat(matrix, full, [y, u, v])).data
        ;[red, green, blue].forEach((value, c) => {
          const wanted = Math.min(255, Math.max(0, Math.round(value * 255)))
          expect(Math.abs(wanted - own[c]!)).toBeLessThanOrEqual(1)
          all++
          if (wanted !== own[c]) other++
        })
      }
    }
    expect(other / all).toBeLessThan(0.01)
  })

  it('known colours', () => {
    expect([...decoded(flat('bt709', false, [16, 128, 128])).data]).toEqual([0, 0, 0])
    expect([...decoded(flat('bt709', false, [235, 128, 128])).data]).toEqual([255, 255, 255])
    expect([...decoded(flat('bt709', false, [63, 102, 240])).data]).toEqual([255, 1, 0])
    expect([...decoded(flat('bt601', true, [76, 85, 255])).data]).toEqual([254, 0, 0])
    expect(yuvFactors('bt601', true)).toEqual([0, 65536, 91881, -22553, -46802, 116130])
  })
})
