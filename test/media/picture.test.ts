// Pictures in Node: decoded by libraries and by ourselves, held against PIL; and what every bad input gets.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { GlmError } from '../../src/errors.ts'
import { readPicture } from '../../src/media/picture.ts'
import { overWhite, turned } from '../../src/media/picture_turn.ts'
import { alphaTable, difference, type Golden } from './pictures.ts'

const folder = fileURLToPath(new URL('../fixtures/pictures/', import.meta.url))
const bytesOf = (name: string) => new Uint8Array(readFileSync(folder + name))
const goldens: Golden[] = JSON.parse(readFileSync(`${folder}expected.json`, 'utf8'))
const expected = bytesOf('expected.rgb')

const failure = async (promise: Promise<unknown>) => {
  const error = await promise.then(
    () => undefined,
    (error) => error,
  )
  return error instanceof GlmError ? `${error.code}: ${error.message}` : error
}

describe('as PIL decodes them, bit for bit', () => {
  for (const golden of goldens.filter(({ name }) => /png|jpg|webp/.test(name)))
    test(golden.name, async () => {
      expect(difference(await readPicture(bytesOf(golden.name)), golden, expected)).toBe(0)
    })
})

test('every color over white with every alpha', async () => {
  const pixels = await readPicture(bytesOf('alphas.png'))
  expect(Buffer.compare(pixels.data, alphaTable())).toBe(0)
})

test('the eight orientations undo each other', () => {
  const inverse = [1, 2, 3, 4, 5, 8, 7, 6]
  for (let way = 1; way <= 8; way++) {
    const pixels = { format: 'RGBA' as const, width: 5, height: 3, data: Uint8Array.from({ length: 60 }, (_, i) => i) }
    const back = turned(turned(pixels, way), inverse[way - 1]!)
    expect([back.width, back.height, ...back.data]).toEqual([5, 3, ...pixels.data])
  }
})

test('whole numbers are the nearest', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 4, maxLength: 4 }), ([r, g, b, a]) => {
      const exact = (color: number) => Math.round((color * a! + 255 * (255 - a!)) / 255)
      expect([...overWhite(Uint8Array.of(r!, g!, b!, a!))]).toEqual([exact(r!), exact(g!), exact(b!), 255])
    }),
    { numRuns: 1000 },
  )
})

describe('inputs', () => {
  const png = bytesOf('rgba.png')
  const golden = goldens.find(({ name }) => name === 'rgba.png')!
  const whole = async (input: Parameters<typeof readPicture>[0]) => difference(await readPicture(input), golden, expected)

  test('a Blob, an ArrayBuffer, shared bytes, bytes within others', async () => {
    const shared = new Uint8Array(new SharedArrayBuffer(png.length))
    shared.set(png)
    const within = new Uint8Array(png.length + 9)
    within.set(png, 5)
    for (const input of [new Blob([png]), png.slice().buffer, shared, within.subarray(5, 5 + png.length)])
      expect(await whole(input)).toBe(0)
  })

  test('a data: address and a URL', async () => {
    expect(await whole(`data:image/png;base64,${Buffer.from(png).toString('base64')}`)).toBe(0)
    expect(await whole(new URL(URL.createObjectURL(new Blob([png]))))).toBe(0)
  })

  test('pixels stay what they are, ImageData comes over white', async () => {
    const pixels = await readPicture(png)
    expect(await readPicture(pixels)).toBe(pixels)
    const half = { width: 1, height: 1, data: new Uint8ClampedArray([10, 20, 30, 128]), colorSpace: 'srgb' } as ImageData
    expect([...(await readPicture(half)).data]).toEqual([132, 137, 142, 255])
  })

  test('what is none', async () => {
    const none =
      'request_invalid: This is no picture: give a file, bytes, an address, ImageData, a bitmap, a canvas, a frame or RGBA pixels.'
    for (const input of [undefined, null, 7, {}, { width: 2, height: 2 }]) expect(await failure(readPicture(input as never))).toBe(none)
    expect(await failure(readPicture({ format: 'RGBA', width: 2, height: 2, data: new Uint8Array(15) }))).toMatch(
      /15 bytes; 2 x 2 of them need 16/,
    )
  })
})

describe('refused', () => {
  test('too many pixels, before anything is decoded', async () => {
    const huge = bytesOf('rgb.png').slice(0, 60) // not even a whole file: only its header counts
    new DataView(huge.buffer).setUint32(16, 20000)
    new DataView(huge.buffer).setUint32(20, 10000)
    huge.set(bytesOf('rgb.png').slice(-12), 33)
    const said =
      'request_invalid: The picture has 20000 x 10000 pixels (200.0 million), more than the limit of 67.1 million; make it smaller or raise maxPixels.'
    expect(await failure(readPicture(huge.slice(0, 45)))).toBe(said)
    expect(await failure(readPicture(bytesOf('rgb.png'), { maxPixels: 666 }))).toMatch(/29 x 23 pixels/)
    expect(difference(await readPicture(bytesOf('rgb.png'), { maxPixels: 667 }), goldens[0]!, expected)).toBe(0)
    expect(await failure(readPicture(bytesOf('rgb.png'), { maxPixels: Number.NaN }))).toMatch(/^request_invalid/)
  })

  test('kinds that Node does not decode', async () => {
    for (const name of ['animated.gif', 'rgb.bmp', 'lossy.avif'])
      expect(await failure(readPicture(bytesOf(name)))).toMatch(/^file_invalid: Node decodes PNG/)
    expect(await failure(readPicture(new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg"/>')))).toMatch(
      /^file_invalid: This is no PNG/,
    )
    expect(await failure(readPicture(new Uint8Array()))).toMatch(/^file_invalid: This is no PNG/)
  })

  test('a file that was cut, at every length', async () => {
    for (const name of ['rgba.png', 'interlaced.png', '420.jpg', 'progressive.jpg', 'lossless.webp', 'animated.webp'])
      for (let part = 0; part < 40; part++) {
        const bytes = bytesOf(name)
        expect(await failure(readPicture(bytes.subarray(0, Math.floor((part / 40) * bytes.length)))), `${name} ${part}/40`).toMatch(
          /^file_(truncated|invalid)/,
        )
      }
  })

  test('a mutated file gives a picture or a GlmError, and the next one is decoded as ever', async () => {
    const names = [
      'rgba.png',
      'palette-alpha.png',
      'interlaced.png',
      '420.jpg',
      'progressive.jpg',
      'cmyk.jpg',
      'lossy-alpha.webp',
      'animated.webp',
      'turned-6.webp',
    ]
    const change = fc.record({ at: fc.double({ min: 0, max: 0.999, noNaN: true }), value: fc.nat(255) })
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), fc.array(change, { minLength: 1, maxLength: 6 }), async (name, changes) => {
        const bytes = bytesOf(name)
        for (const { at, value } of changes) bytes[Math.floor(at * bytes.length)] = value
        const error = await failure(readPicture(bytes, { maxPixels: 1e6 }))
        expect(error === undefined || /^(file_invalid|file_truncated|request_invalid|out_of_memory): /.test(error)).toBe(true)
      }),
      { numRuns: 600 },
    )
    const golden = goldens.find(({ name }) => name === '420.jpg')!
    expect(difference(await readPicture(bytesOf('420.jpg')), golden, expected)).toBe(0)
  })
})

describe('from an address', () => {
  const answer = (body: BodyInit | null, init?: ResponseInit) => async () => new Response(body, init)
  const endless = () => new ReadableStream({ pull: (stream) => stream.enqueue(new Uint8Array(65536)) })

  test('what the server says', async () => {
    const read = (fetch: typeof globalThis.fetch, more = {}) => failure(readPicture('https://pictures.example/a.png', { fetch, ...more }))
    expect(await read(answer('', { status: 404 }))).toMatch(/^file_missing: https:\/\/pictures\.example\/a\.png is not there \(404\)/)
    expect(await read(answer('', { status: 503 }))).toMatch(/^network_failed: .* answered with 503/)
    expect(await read(() => Promise.reject(new TypeError('no net')))).toMatch(/^network_failed: .*no net/)
    expect(await read(answer(endless()), { maxBytes: 1e6 })).toMatch(/^request_invalid: .*more than 1000000 bytes/)
    expect(await read(answer(null))).toMatch(/^file_invalid/)
    expect(await failure(readPicture('file:///tmp/a.png'))).toMatch(/^request_invalid/)
  })

  test('headers go out', async () => {
    let sent: unknown
    const fetch = async (_: unknown, init?: RequestInit) => {
      sent = init?.headers
      return new Response(bytesOf('rgb.png'))
    }
    await readPicture('https://pictures.example/a.png', { fetch: fetch as never, headers: { authorization: 'x' } })
    expect(sent).toEqual({ authorization: 'x' })
  })

  test('an abort ends it at once, also where the server or fetch never answers', async () => {
    const never = new ReadableStream({ pull: () => new Promise(() => {}) })
    for (const fetch of [() => new Promise<Response>(() => {}), answer(never)]) {
      const control = new AbortController()
      const reading = failure(readPicture('https://pictures.example/a.png', { fetch: fetch as never, signal: control.signal }))
      setTimeout(() => control.abort(), 20)
      expect(await reading).toMatch(/^aborted/)
    }
    expect(await failure(readPicture(bytesOf('rgb.png'), { signal: AbortSignal.abort() }))).toMatch(/^aborted/)
  })
})
