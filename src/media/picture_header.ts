// What a picture's first bytes tell: its kind, its size and how it must be turned. Nothing is decoded and no more is read than that takes.
import { GlmError } from '../errors.ts'
import { avifHeader } from './picture_avif.ts'
import { type Asking, type Chunk, invalid, take, text } from './picture_bytes.ts'
import { type Exif, exifOrientation } from './picture_exif.ts'

export type PictureFormat = 'png' | 'jpeg' | 'webp' | 'gif' | 'bmp' | 'avif'

export interface PictureHeader {
  format: PictureFormat
  /** Pixels as they are stored, before they are turned. */
  width: number
  height: number
  /** 1 to 8 as EXIF counts; for AVIF what its boxes say. */
  orientation: number
  animated: boolean
  /** Bytes by which decoders would turn the picture or choose another frame, each in its own way: they must not see them. */
  hide: Hidden[]
}

/** `length` bytes from `at`: overwritten with zeros, or left out. */
export interface Hidden {
  at: number
  length: number
  zeros: boolean
}

type Found = Omit<PictureHeader, 'format'>

/** Read at once: most headers are done in one. */
const WINDOW = 16384

/** Throws `file_invalid` and `file_truncated`; its work is linear in the file's size. */
export async function readHeader(file: Blob): Promise<PictureHeader> {
  const asking = header(file.size)
  let start = 0
  let window = new Uint8Array()
  let step = asking.next(new DataView(window.buffer))
  while (!step.done) {
    const { at, length } = step.value
    if (at < start || at + length > start + window.length) {
      start = at
      window = new Uint8Array(await file.slice(at, at + Math.max(length, WINDOW)).arrayBuffer())
      if (window.length < length) throw new GlmError('file_truncated', 'The picture became shorter while it was read; read it again.')
    }
    step = asking.next(new DataView(window.buffer, at - start, length))
  }
  return step.value
}

/** The same without waiting: asks for stretches of a file of `size` bytes and is given them. */
export function* header(size: number): Asking<PictureHeader> {
  const file = { at: 0, end: size }
  const format = formatOf(text(yield* take(file, 0, Math.min(size, 32))))
  if (!format) throw invalid('This is no PNG, JPEG, WebP, GIF, BMP or AVIF picture; convert it to one of them.')
  const found = yield* readers[format](file)
  if (!(found.width > 0 && found.height > 0))
    throw invalid(`This ${format} picture is ${found.width} x ${found.height} pixels; save it again.`)
  return { format, ...found }
}

const readers: Record<PictureFormat, (file: Chunk) => Asking<Found>> = {
  png: pngHeader,
  jpeg: jpegHeader,
  webp: webpHeader,
  gif: gifHeader,
  bmp: bmpHeader,
  avif: avifHeader,
}

/** By the first 32 bytes as Latin-1. */
function formatOf(first: string): PictureFormat | undefined {
  if (first.startsWith('\x89PNG\r\n\x1a\n')) return 'png'
  if (first.startsWith('\xff\xd8\xff')) return 'jpeg'
  if (/^RIFF.{4}WEBP/s.test(first)) return 'webp'
  if (/^GIF8[79]a/.test(first)) return 'gif'
  if (first.startsWith('BM')) return 'bmp'
  return /^.{4}ftyp/s.test(first) && /avi[fs]/.test(first.slice(8)) ? 'avif' : undefined
}

const plain = (width: number, height: number, animated = false): Found => ({ width, height, orientation: 1, animated, hide: [] })

/** eXIf may follow the pixels, as PIL reads it; without acTL the default picture is the first frame for everybody. */
function* pngHeader(file: Chunk): Asking<Found> {
  const first = yield* take(file, 8, 25)
  if (first.getUint32(0) !== 13 || text(first, 4, 4) !== 'IHDR') throw invalid('The PNG does not begin with IHDR; save it again.')
  const found = plain(first.getUint32(8), first.getUint32(12))
  let exif: Exif | undefined
  for (let at = 33; ; ) {
    const head = yield* take(file, at, 8)
    const length = head.getUint32(0)
    const kind = text(head, 4, 4)
    if (kind === 'IEND') return { ...found, orientation: exif?.orientation ?? 1 }
    if (at + 12 + length > file.end) throw new GlmError('file_truncated', `The PNG ends within its chunk ${kind}; load it again.`)
    if (kind === 'acTL') found.animated = true
    if (kind === 'acTL' || kind === 'eXIf') found.hide.push({ at, length: 12 + length, zeros: false })
    if (kind === 'eXIf') exif ??= yield* exifOrientation({ at: at + 8, end: at + 8 + length })
    at += 12 + length
  }
}

/** Segments up to the first scan. */
function* jpegHeader(file: Chunk): Asking<Found> {
  let found: Found | undefined
  let exif: Exif | undefined
  for (let at = 2; ; ) {
    const head = yield* take(file, at, 4)
    const marker = head.getUint8(1)
    if (head.getUint8(0) === 0 || (head.getUint8(0) === 0xff && (marker === 0xff || marker === 0))) at += 1
    else if (head.getUint8(0) !== 0xff) throw invalid('The JPEG has something else where a marker should be; save it again.')
    else if (marker === 0xda || marker === 0xd9) break
    else if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) at += 2
    else {
      const length = head.getUint16(2)
      if (length < 2) throw invalid('The JPEG has a segment without length; save it again.')
      const segment = { at: at + 4, end: at + 2 + length }
      if (segment.end > file.end) throw new GlmError('file_truncated', 'The JPEG ends within its header; load it again.')
      if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) found ??= yield* frameHeader(segment)
      else if (marker === 0xe1 && text(yield* take(segment, 0, Math.min(6, length - 2))) === 'Exif\0\0')
        exif ??= yield* exifOrientation(segment)
      at = segment.end
    }
  }
  if (!found) throw invalid('The JPEG has no frame before its first scan; save it again.')
  return { ...found, orientation: exif?.orientation ?? 1, hide: exif?.hide ?? [] }
}

function* frameHeader(segment: Chunk): Asking<Found> {
  const frame = yield* take(segment, 0, 6)
  return plain(frame.getUint16(3), frame.getUint16(1))
}

function* webpHeader(file: Chunk): Asking<Found> {
  const kind = text(yield* take(file, 12, 4))
  const first = yield* take(file, 0, kind === 'VP8L' ? 25 : 30)
  if (first.getUint32(4, true) + 8 > file.end) throw new GlmError('file_truncated', 'The WebP is shorter than it says; load it again.')
  if (kind === 'VP8 ') return plain(first.getUint16(26, true) & 0x3fff, first.getUint16(28, true) & 0x3fff)
  if (kind === 'VP8L') {
    const bits = first.getUint32(21, true)
    return plain((bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1)
  }
  if (kind !== 'VP8X') throw invalid('The WebP begins with a chunk that is no picture; save it again.')
  const flags = first.getUint8(20)
  const found = plain((first.getUint32(24, true) & 0xffffff) + 1, (first.getUint32(26, true) >>> 8) + 1, (flags & 2) !== 0)
  const exif = flags & 8 ? yield* webpExif({ at: 0, end: first.getUint32(4, true) + 8 }) : undefined
  return { ...found, orientation: exif?.orientation ?? 1, hide: exif?.hide ?? [] }
}

function* webpExif(file: Chunk): Asking<Exif | undefined> {
  for (let at = 12; at + 8 <= file.end; ) {
    const head = yield* take(file, at, 8)
    const length = head.getUint32(4, true)
    if (text(head, 0, 4) === 'EXIF') return yield* exifOrientation({ at: at + 8, end: Math.min(file.end, at + 8 + length) })
    at += 8 + length + (length & 1)
  }
  return undefined
}

/** Walks to the second picture, if there is one; a file that ends before is still. */
function* gifHeader(file: Chunk): Asking<Found> {
  const screen = yield* take(file, 0, 13)
  const found = plain(screen.getUint16(6, true), screen.getUint16(8, true))
  let pictures = 0
  for (let at = 13 + colorTable(screen.getUint8(10)); at + 11 < file.end; ) {
    const head = yield* take(file, at, 11)
    if (head.getUint8(0) === 0x2c) {
      if (++pictures === 2) break
      at += 11 + colorTable(head.getUint8(9))
    } else if (head.getUint8(0) === 0x21) at += 2
    else break
    for (let length = 1; length > 0 && at < file.end; at += 1 + length) length = (yield* take(file, at, 1)).getUint8(0)
  }
  return { ...found, animated: pictures > 1 }
}

const colorTable = (flags: number) => (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0)

function* bmpHeader(file: Chunk): Asking<Found> {
  const first = yield* take(file, 0, 26)
  if (first.getUint32(14, true) === 12) return plain(first.getUint16(18, true), first.getUint16(20, true))
  return plain(first.getInt32(18, true), Math.abs(first.getInt32(22, true)))
}
