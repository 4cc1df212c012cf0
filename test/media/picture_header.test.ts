// Headers: what each picture says of itself, and that no file, however broken, gets more than a GlmError or more than linear work.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { GlmError } from '../../src/errors.ts'
import { header, type PictureHeader, readHeader } from '../../src/media/picture_header.ts'
import type { Golden } from './pictures.ts'

const folder = fileURLToPath(new URL('../fixtures/pictures/', import.meta.url))
const bytesOf = (name: string) => new Uint8Array(readFileSync(folder + name))
const goldens: Golden[] = JSON.parse(readFileSync(`${folder}expected.json`, 'utf8'))
const names = readdirSync(folder).filter((name) => !name.startsWith('expected'))

/** The header of bytes at hand, with what it took: how often it asked and for how much. */
function parsed(bytes: Uint8Array<ArrayBuffer>): { found?: PictureHeader; error?: unknown; asked: number; read: number } {
  const count = { asked: 0, read: 0 }
  try {
    const asking = header(bytes.length)
    let step = asking.next(new DataView(bytes.buffer, 0, 0))
    while (!step.done) {
      count.asked++
      count.read += step.value.length
      step = asking.next(new DataView(bytes.buffer, bytes.byteOffset + step.value.at, step.value.length))
    }
    return { found: step.value, ...count }
  } catch (error) {
    return { error, ...count }
  }
}

describe('what a header says', () => {
  for (const { name, stored, orientation, animated } of goldens)
    test(name, async () => {
      const format = name.split('.')[1]!.replace('jpg', 'jpeg')
      const { found } = parsed(bytesOf(name))
      expect(found).toMatchObject({ format, width: stored[0], height: stored[1], orientation, animated })
      expect(await readHeader(new Blob([bytesOf(name)]))).toEqual(found)
    })
})

test('PNG, JPEG and WebP hide what turns them, and a PNG that it is animated', () => {
  const hidden = (name: string) => parsed(bytesOf(name)).found!.hide.length
  expect(['turned-6.png', 'turned-late.png', 'turned-6.jpg', 'turned-6.webp', 'animated.png', 'rgb.png'].map(hidden)).toEqual([
    1, 1, 1, 1, 1, 0,
  ])
})

test('a header far into a large file is found without reading the file', async () => {
  const jpeg = bytesOf('turned-6.jpg')
  const filler = new Uint8Array(65537).fill(7)
  filler.set([0xff, 0xe2, 0xff, 0xff])
  let read = 0
  class Watched extends Blob {
    override slice(from?: number, to?: number) {
      read += Math.min(to!, this.size) - from!
      return super.slice(from, to)
    }
  }
  const file = new Watched([jpeg.subarray(0, 2), ...Array(400).fill(filler), jpeg.subarray(2)])
  expect(await readHeader(file)).toMatchObject({ width: 19, height: 11, orientation: 6 })
  expect(read).toBeLessThan(file.size / 3)
})

test('a file that became shorter while it was read', async () => {
  class Shrunk extends Blob {
    override get size() {
      return 1000
    }
  }
  const error = await readHeader(new Shrunk([bytesOf('rgb.png').slice(0, 40)])).catch((error) => error)
  expect([error.code, error.message]).toEqual(['file_truncated', 'The picture became shorter while it was read; read it again.'])
})

test('a PNG that ends within its EXIF', () => {
  const png = bytesOf('turned-6.png')
  for (let length = 33; length < 80; length++) expect(parsed(png.slice(0, length)).error).toMatchObject({ code: 'file_truncated' })
})

test('EXIF that makes no sense is none', () => {
  const jpeg = bytesOf('turned-6.jpg')
  const exif = 12 // after SOI, APP1 and its length, "Exif\0\0"
  const text = String.fromCharCode(...jpeg)
  const at = text.indexOf('Exif\0\0') + 6
  expect(at).toBeGreaterThanOrEqual(exif)
  for (const [offset, value] of [
    [0, 0x51], // neither II nor MM
    [2, 9], // not 42
    [7, 0xff], // directory elsewhere
    [4, 0xff],
  ] as const) {
    const bytes = jpeg.slice()
    bytes[at + offset] = value
    expect(parsed(bytes).found).toMatchObject({ width: 19, orientation: 1 })
  }
})

test('whatever is changed or cut: a header or a GlmError, and work linear in the size', () => {
  const change = fc.record({
    at: fc.double({ min: 0, max: 0.999, noNaN: true }),
    value: fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 255)),
    early: fc.boolean(),
  })
  const cut = fc.oneof(fc.constant(1), fc.double({ min: 0, max: 1, noNaN: true }))
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.array(change, { maxLength: 8 }), cut, (name, changes, part) => {
      const bytes = bytesOf(name)
      for (const { at, value, early } of changes) bytes[Math.floor(at * (early ? Math.min(bytes.length, 300) : bytes.length))] = value
      hold(bytes.slice(0, Math.ceil(part * bytes.length)))
    }),
    { numRuns: 10000 },
  )
})

test('random bytes behind each signature', () => {
  const first = ['rgb.png', '420.jpg', 'lossy.webp', 'animated.webp', 'still.gif', 'rgb.bmp', 'lossy.avif'].map((name) =>
    bytesOf(name).slice(0, 20),
  )
  fc.assert(
    fc.property(fc.constantFrom(...first), fc.uint8Array({ maxLength: 400 }), (start, rest) => {
      const bytes = new Uint8Array(start.length + rest.length)
      bytes.set(start)
      bytes.set(rest, start.length)
      hold(bytes)
    }),
    { numRuns: 5000 },
  )
})

/** Holds what is promised of any bytes. */
function hold(bytes: Uint8Array<ArrayBuffer>): void {
  const { found, error, asked, read } = parsed(bytes)
  expect(asked).toBeLessThanOrEqual(bytes.length + 2)
  expect(read).toBeLessThanOrEqual(12 * bytes.length + 64)
  if (found) {
    expect(found.width * found.height).toBeGreaterThan(0)
    expect(found.orientation >= 1 && found.orientation <= 8).toBe(true)
    for (const { at, length } of found.hide) expect(at >= 0 && at + length <= bytes.length).toBe(true)
  } else expect(error instanceof GlmError && /^file_(invalid|truncated)$/.test(error.code), String(error)).toBe(true)
}
