// Pictures in a page: the browser decodes, and what comes out is PIL's, whatever the kind of input.
import { expect, inject, test } from 'vitest'
import { GlmError } from '../../src/errors.ts'
import { readPicture } from '../../src/media/picture.ts'
import { drawn } from '../../src/media/picture_canvas.ts'
import { alphaTable, difference, type Golden } from './pictures.ts'

const base = `${inject('server')}fixtures/pictures/`
const get = (name: string) => fetch(base + name, { cache: 'no-store' })
const goldens: Golden[] = await (await get('expected.json')).json()
const expected = new Uint8Array(await (await get('expected.rgb')).arrayBuffer())
const goldenOf = (name: string) => goldens.find((golden) => golden.name === name)!

const failure = async (promise: Promise<unknown>) => {
  const error = await promise.then(
    () => undefined,
    (error) => error,
  )
  return error instanceof GlmError ? `${error.code}: ${error.message}` : error
}

test('every picture as PIL decodes it: bit for bit; lossy ones too in Chromium 156, but another may round differently', async () => {
  const found: Record<string, number> = {}
  for (const golden of goldens) {
    const far = difference(await readPicture(await (await get(golden.name)).blob()), golden, expected)
    if (far > (golden.lossy ? 1 : 0)) found[golden.name] = far
  }
  expect(found).toEqual({})
})

test('every color over white with every alpha: the canvas loses nothing', async () => {
  const expected = alphaTable()
  const { data } = await readPicture(`${base}alphas.png`)
  expect(data.findIndex((value, i) => value !== expected[i])).toBe(-1)
})

test('pictures larger than one canvas', async () => {
  for (const [width, height] of [
    [4099, 2100],
    [50000, 3],
    [3, 50000],
  ] as const) {
    const image = new ImageData(width, height)
    for (let i = 0; i < width * height; i++) image.data.set(i % 3 ? [i, i >> 8, i >> 16, 255] : [0, 0, 0, 0], 4 * i)
    const bitmap = await createImageBitmap(image)
    const { data, width: across, height: down } = drawn(bitmap, width, height)
    expect([across, down]).toEqual([width, height])
    expect(data.findIndex((value, i) => value !== (image.data[i | 3] === 0 ? 255 : image.data[i]))).toBe(-1)
    bitmap.close()
  }
})

test('in a worker, where there is no document', async () => {
  const worker = new Worker(new URL('./picture_worker.ts', import.meta.url), { type: 'module' })
  for (const name of ['turned-6.jpg', 'rgba.png', 'turned-late.png']) {
    const said = new Promise<MessageEvent>((resolve) => {
      worker.onmessage = resolve
    })
    worker.postMessage(base + name)
    const { data } = await said
    expect(data.document).toBe('undefined')
    expect(difference(data.answer, goldenOf(name), expected), name).toBe(0)
  }
  worker.terminate()
})

test('what a page has: address, bytes, bitmap, element, canvas, ImageData, frame', async () => {
  const golden = goldenOf('rgba.png')
  const bytes = new Uint8Array(await (await get('rgba.png')).arrayBuffer())
  const blob = new Blob([bytes])
  const element = new Image()
  element.crossOrigin = 'anonymous'
  element.src = `${base}rgba.png`
  await element.decode()
  const bitmap = await createImageBitmap(blob, { premultiplyAlpha: 'none' })
  const canvases = [new OffscreenCanvas(golden.width, golden.height), document.createElement('canvas')] as const
  for (const canvas of canvases) {
    Object.assign(canvas, { width: golden.width, height: golden.height })
    const context = canvas.getContext('2d') as CanvasRenderingContext2D
    context.drawImage(bitmap, 0, 0)
  }
  const frame = new VideoFrame(bitmap, { timestamp: 0 })
  const address = URL.createObjectURL(blob)
  const inputs = {
    blob,
    bytes,
    buffer: bytes.buffer,
    href: `${base}rgba.png`,
    url: new URL(`${base}rgba.png`),
    address,
    bitmap,
    element,
    frame,
  }
  for (const [name, input] of Object.entries({ ...inputs, offscreen: canvases[0], canvas: canvases[1] }))
    expect(difference(await readPicture(input), golden, expected), name).toBe(0)
  expect([bitmap.width, frame.format !== null]).toEqual([golden.width, true]) // both are still open
  bitmap.close()
  frame.close()
  const half = new ImageData(new Uint8ClampedArray([10, 20, 30, 128]), 1, 1)
  expect([...(await readPicture(half)).data]).toEqual([132, 137, 142, 255])
})

test('a turned JPEG in an element and a bitmap is turned once', async () => {
  const golden = goldenOf('turned-6.jpg')
  const element = new Image()
  element.crossOrigin = 'anonymous'
  element.src = `${base}turned-6.jpg`
  await element.decode()
  expect(difference(await readPicture(element), golden, expected)).toBe(0)
  const bitmap = await createImageBitmap(await (await get('turned-6.jpg')).blob())
  expect(difference(await readPicture(bitmap), golden, expected)).toBe(0)
})

test('refused with a sentence', async () => {
  const bytes = new Uint8Array(await (await get('420.jpg')).arrayBuffer())
  expect(await failure(readPicture(bytes.subarray(0, bytes.length - 200)))).toMatch(/^file_invalid: The browser cannot decode this jpeg/)
  expect(await failure(readPicture(bytes, { maxPixels: 100 }))).toMatch(/^request_invalid: The picture has 37 x 27 pixels/)
  expect(await failure(readPicture(`${base}nothing.png`))).toMatch(/^file_missing: /)
  expect(await failure(readPicture('http://127.0.0.1:9/a.png'))).toMatch(/^network_failed: /)
  expect(await failure(readPicture(new Image()))).toMatch(/^request_invalid: There is nothing in the picture yet/)
  const closed = await createImageBitmap(new ImageData(2, 2))
  closed.close()
  expect(await failure(readPicture(closed))).toMatch(/^request_invalid: There is nothing/)
  expect(await failure(readPicture(new OffscreenCanvas(300, 300), { maxPixels: 1000 }))).toMatch(
    /^request_invalid: The picture has 300 x 300/,
  )
  const foreign = new Image()
  foreign.src = `${base}rgba.png` // from another origin, without leave
  await foreign.decode()
  expect(await failure(readPicture(foreign))).toMatch(/^request_invalid: The page may not read this picture/)
})

test('an abort while the browser decodes', async () => {
  const control = new AbortController()
  const reading = failure(readPicture(await (await get('even.jpg')).blob(), { signal: control.signal }))
  control.abort()
  expect(await reading).toMatch(/^aborted/)
})
