// Video frames as pixels: planes where there are planes, RGBA otherwise; of odd sizes, cut, turned, and never closed.
import { expect, test } from 'vitest'
import { GlmError } from '../../src/errors.ts'
import { framePixels } from '../../src/media/frame.ts'
import { readPicture } from '../../src/media/picture.ts'
import type { YuvPixels } from '../../src/media/pixels.ts'

const noise = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 73 + (i >> 3) * 31) % 256)
type Init = Partial<VideoFrameBufferInit> & { rotation?: number; flip?: boolean }
const frameOf = (format: VideoPixelFormat, width: number, height: number, data: Uint8Array, init: Init = {}) =>
  new VideoFrame(data as Uint8Array<ArrayBuffer>, { format, codedWidth: width, codedHeight: height, timestamp: 0, ...init })
const bytesOf = { I420: (w: number, h: number) => w * h + 2 * Math.ceil(w / 2) * Math.ceil(h / 2) }

for (const [width, height] of [
  [8, 6],
  [7, 5],
  [1, 1],
  [64, 33],
] as const) {
  const across = Math.ceil(width / 2)
  const chroma = across * Math.ceil(height / 2)
  const data = noise(bytesOf.I420(width, height))

  test(`I420 and NV12, ${width} x ${height}, stay planes`, async () => {
    const i420 = frameOf('I420', width, height, data)
    const planar = (await framePixels(i420)) as YuvPixels
    expect(planar).toMatchObject({ format: 'I420', width, height, matrix: 'bt709', fullRange: false })
    expect(planar.planes).toEqual([
      { offset: 0, stride: width },
      { offset: width * height, stride: across },
      { offset: width * height + chroma, stride: across },
    ])
    expect(planar.data).toEqual(data)
    expect(i420.format).toBe('I420') // still open
    i420.close()
    const nv12 = frameOf('NV12', width, height, data, { colorSpace: { matrix: 'smpte170m', fullRange: true } })
    const paired = (await framePixels(nv12)) as YuvPixels
    expect(paired).toMatchObject({ format: 'NV12', width, height, matrix: 'bt601', fullRange: true })
    expect(paired.planes).toEqual([
      { offset: 0, stride: width },
      { offset: width * height, stride: 2 * across },
    ])
    expect(paired.data).toEqual(data)
    nv12.close()
  })

  test(`RGBA, RGBX, BGRA and BGRX, ${width} x ${height}, come over white`, async () => {
    const colors = noise(width * height * 4)
    const over = (color: number, alpha: number) => Math.round((color * alpha + 255 * (255 - alpha)) / 255)
    for (const format of ['RGBA', 'RGBX', 'BGRA', 'BGRX'] as const) {
      const frame = frameOf(format, width, height, colors)
      const order = format.startsWith('B') ? [2, 1, 0] : [0, 1, 2]
      const expected = Array.from({ length: width * height }, (_, i) => {
        const alpha = format.endsWith('A') ? colors[4 * i + 3]! : 255
        return [...order.map((k) => over(colors[4 * i + k]!, alpha)), 255]
      }).flat()
      const pixels = await framePixels(frame)
      expect([pixels.format, pixels.width, pixels.height]).toEqual(['RGBA', width, height])
      expect([...pixels.data], format).toEqual(expected)
      frame.close()
    }
  })
}

test('the visible rectangle only', async () => {
  const data = noise(bytesOf.I420(16, 12))
  const frame = frameOf('I420', 16, 12, data, { visibleRect: { x: 4, y: 2, width: 7, height: 5 } })
  const pixels = (await framePixels(frame)) as YuvPixels
  expect([pixels.width, pixels.height, pixels.planes.map(({ stride }) => stride)]).toEqual([7, 5, [7, 4, 4]])
  const luma = Array.from({ length: 35 }, (_, i) => data[(2 + Math.floor(i / 7)) * 16 + 4 + (i % 7)])
  expect([...pixels.data.subarray(0, 35)]).toEqual(luma)
  const blue = Array.from({ length: 12 }, (_, i) => data[192 + (1 + Math.floor(i / 4)) * 8 + 2 + (i % 4)])
  expect([...pixels.data.subarray(35, 47)]).toEqual(blue)
  frame.close()
})

test('other layouts of planes become RGBA', async () => {
  for (const format of ['I444', 'I422', 'I420A'] as const) {
    const size = { I444: 75, I422: 55, I420A: 68 }[format]
    const frame = frameOf(format, 5, 5, new Uint8Array(size).fill(128))
    const pixels = await framePixels(frame)
    expect([pixels.format, pixels.width, pixels.data.length], format).toEqual(['RGBA', 5, 100])
    expect(pixels.data[3]).toBe(255)
    frame.close()
  }
})

test('turned and mirrored frames are as the browser shows them', async () => {
  const colors = noise(5 * 3 * 4).map((value, i) => (i % 4 === 3 ? 255 : value))
  for (const rotation of [0, 90, 180, 270])
    for (const flip of [false, true]) {
      const frame = frameOf('RGBA', 5, 3, colors, { rotation, flip })
      const [width, height] = rotation % 180 ? [3, 5] : [5, 3]
      const context = new OffscreenCanvas(width, height).getContext('2d')!
      context.drawImage(frame, 0, 0)
      const pixels = await framePixels(frame)
      expect([pixels.width, pixels.height]).toEqual([width, height])
      expect([...pixels.data], `${rotation} ${flip}`).toEqual([...context.getImageData(0, 0, width, height).data])
      frame.close()
    }
  const planar = frameOf('I420', 6, 4, noise(36), { rotation: 90 })
  expect(await framePixels(planar)).toMatchObject({ format: 'RGBA', width: 4, height: 6 })
  planar.close()
})

test('a frame of a canvas', async () => {
  const colors = noise(1024).map((value, i) => (i % 4 === 3 ? 255 : value))
  const canvas = new OffscreenCanvas(16, 16)
  canvas.getContext('2d')!.putImageData(new ImageData(new Uint8ClampedArray(colors), 16, 16), 0, 0)
  const frame = new VideoFrame(canvas, { timestamp: 0 })
  expect((await readPicture(frame)).data).toEqual(colors)
  frame.close()
})

test('an I420 frame as a picture, and a closed frame', async () => {
  const frame = frameOf('I420', 4, 4, new Uint8Array(24).fill(128).fill(235, 0, 16))
  expect([...(await readPicture(frame)).data.subarray(0, 4)]).toEqual([255, 255, 255, 255])
  frame.close()
  const error = await framePixels(frame).catch((error) => error)
  expect(error instanceof GlmError && error.code).toBe('closed')
})
