// Any picture as pixels: over white, the right way up, in the colors its file says (no color profile is applied), the first frame of several.
import { asGlmError, GlmError, throwIfAborted } from '../errors.ts'
import { frameRgba } from './frame.ts'
import { drawn } from './picture_canvas.ts'
import { type FetchOptions, fetchPicture, unlessAborted } from './picture_fetch.ts'
import { type PictureHeader, readHeader } from './picture_header.ts'
import { overWhite, turned } from './picture_turn.ts'
import type { RgbaPixels } from './pixels.ts'

/** A file, its bytes or its address; what a page shows; pixels. Node takes files, bytes, addresses and pixels. */
export type PictureInput =
  | Blob
  | ArrayBuffer
  | Uint8Array
  | string
  | URL
  | ImageBitmap
  | ImageData
  | HTMLImageElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | VideoFrame
  | RgbaPixels

export interface PictureOptions extends FetchOptions {
  /** Width times height that is accepted; default 64 Mi. */
  maxPixels?: number
}

/** The input stays its owner's: bitmaps and frames are not closed. */
export async function readPicture(input: PictureInput, options: PictureOptions = {}): Promise<RgbaPixels> {
  const { maxPixels = 2 ** 26, signal } = options
  throwIfAborted(signal)
  if (!(maxPixels > 0)) throw new GlmError('request_invalid', `maxPixels is ${maxPixels}; give a number above 0.`)
  try {
    const pixels = await pixelsOf(input, maxPixels, options)
    throwIfAborted(signal)
    return pixels
  } catch (error) {
    if (error instanceof RangeError)
      throw new GlmError('out_of_memory', 'There is no memory for the picture; take a smaller one.', { cause: error })
    throw asGlmError(error, 'internal', 'The picture could not be read: ')
  }
}

async function pixelsOf(input: PictureInput, maxPixels: number, options: PictureOptions): Promise<RgbaPixels> {
  if (typeof input === 'string' || input instanceof URL)
    return decoded(await fetchPicture(String(input), options), maxPixels, options.signal)
  if (input instanceof Blob) return decoded(input, maxPixels, options.signal)
  if (input instanceof ArrayBuffer || input instanceof Uint8Array) return decoded(blobOf(input), maxPixels, options.signal)
  if (is('VideoFrame', input)) {
    checkSize(input.visibleRect?.width ?? 0, input.visibleRect?.height ?? 0, maxPixels)
    return frameRgba(input)
  }
  if (is('HTMLImageElement', input)) return shown(input, input.naturalWidth, input.naturalHeight, maxPixels)
  if (is('ImageBitmap', input) || is('OffscreenCanvas', input) || is('HTMLCanvasElement', input))
    return shown(input, input.width, input.height, maxPixels)
  return given(input as ImageData | RgbaPixels, maxPixels)
}

/** Bytes that threads share are copied: a Blob takes no such. */
function blobOf(bytes: ArrayBuffer | Uint8Array): Blob {
  if (bytes instanceof ArrayBuffer) return new Blob([bytes])
  return new Blob([bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes)])
}

/** Whether it is one of the browser's things; false where there is no such thing (a worker, Node). */
function is<Name extends keyof Things>(name: Name, input: unknown): input is Things[Name] {
  const thing = (globalThis as Record<string, unknown>)[name]
  return typeof thing === 'function' && input instanceof thing
}

interface Things {
  VideoFrame: VideoFrame
  HTMLImageElement: HTMLImageElement
  HTMLCanvasElement: HTMLCanvasElement
  OffscreenCanvas: OffscreenCanvas
  ImageBitmap: ImageBitmap
}

async function decoded(file: Blob, maxPixels: number, signal: AbortSignal | undefined): Promise<RgbaPixels> {
  const header = await readHeader(file).catch(unreadable)
  checkSize(header.width, header.height, maxPixels)
  const inPage = typeof createImageBitmap === 'function' && typeof OffscreenCanvas === 'function'
  return inPage ? byBrowser(file, header, signal) : byLibrary(file, header, signal)
}

/** A file may change or go after it was chosen. */
function unreadable(error: unknown): never {
  throw asGlmError(error, 'file_missing', 'The picture cannot be read; choose it again: ')
}

/** The browser does not see by what it would turn the picture (each does it differently), except in AVIF, which all turn. */
async function byBrowser(file: Blob, header: PictureHeader, signal: AbortSignal | undefined): Promise<RgbaPixels> {
  const options = { premultiplyAlpha: 'none', colorSpaceConversion: 'none' } as const
  const bitmap = await unlessAborted(createImageBitmap(hiding(file, header), options), signal, (late) => late.close()).catch((error) =>
    Promise.reject(asGlmError(error, 'file_invalid', `The browser cannot decode this ${header.format} picture; save it again: `)),
  )
  try {
    const byItself = header.format === 'avif'
    const across = byItself && header.orientation > 4
    checkDecoded(bitmap, across ? { ...header, width: header.height, height: header.width } : header)
    return turned(drawn(bitmap, bitmap.width, bitmap.height), byItself ? 1 : header.orientation)
  } finally {
    bitmap.close()
  }
}

async function byLibrary(file: Blob, header: PictureHeader, signal: AbortSignal | undefined): Promise<RgbaPixels> {
  const { decodePicture } = await import('./picture_node.ts')
  const bytes = new Uint8Array(await file.arrayBuffer().catch(unreadable))
  const pixels = await unlessAborted(decodePicture(bytes, header), signal)
  checkDecoded(pixels, header)
  return turned({ format: 'RGBA', ...pixels, data: overWhite(pixels.data) }, header.orientation)
}

/** The file without the bytes to hide; nothing is copied. */
function hiding(file: Blob, { format, hide }: PictureHeader): Blob {
  const parts: BlobPart[] = []
  let from = 0
  for (const { at, length, zeros } of hide) {
    parts.push(file.slice(from, at), ...(zeros ? [new Uint8Array(length)] : []))
    from = at + length
  }
  return new Blob([...parts, file.slice(from)], { type: `image/${format}` })
}

function shown(
  source: ImageBitmap | HTMLImageElement | HTMLCanvasElement | OffscreenCanvas,
  width: number,
  height: number,
  maxPixels: number,
) {
  if (!(width > 0 && height > 0))
    throw new GlmError('request_invalid', 'There is nothing in the picture yet: wait until it is loaded, and do not close it.')
  checkSize(width, height, maxPixels)
  try {
    return drawn(source, width, height)
  } catch (error) {
    throw asGlmError(error, 'request_invalid', 'The page may not read this picture; load it with crossorigin, or pass its address: ')
  }
}

/** ImageData has alpha; pixels of ours are over white already, and stay the same object. */
function given(input: ImageData | RgbaPixels, maxPixels: number): RgbaPixels {
  const { width, height, data } = (input ?? {}) as Partial<RgbaPixels>
  const known = Number.isInteger(width) && Number.isInteger(height) && width! > 0 && height! > 0 && ArrayBuffer.isView(data)
  if (!known || data.BYTES_PER_ELEMENT !== 1)
    throw new GlmError(
      'request_invalid',
      'This is no picture: give a file, bytes, an address, ImageData, a bitmap, a canvas, a frame or RGBA pixels.',
    )
  if (data.length !== width! * height! * 4)
    throw new GlmError('request_invalid', `The pixels are ${data.length} bytes; ${width} x ${height} of them need ${width! * height! * 4}.`)
  checkSize(width!, height!, maxPixels)
  if ('format' in input) return input
  return { format: 'RGBA', width: width!, height: height!, data: overWhite(new Uint8Array(data)) }
}

function checkSize(width: number, height: number, maxPixels: number): void {
  if (width * height <= maxPixels) return
  const megapixels = (count: number) => `${(count / 1e6).toFixed(1)} million`
  const size = `${width} x ${height} pixels (${megapixels(width * height)})`
  throw new GlmError(
    'request_invalid',
    `The picture has ${size}, more than the limit of ${megapixels(maxPixels)}; make it smaller or raise maxPixels.`,
  )
}

function checkDecoded(found: { width: number; height: number }, said: { width: number; height: number }): void {
  if (found.width === said.width && found.height === said.height) return
  const sizes = `${found.width} x ${found.height} pixels where its header says ${said.width} x ${said.height}`
  throw new GlmError('file_invalid', `The picture has ${sizes}; save it again.`)
}
