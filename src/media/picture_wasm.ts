// libjpeg-turbo and libwebp as WebAssembly (@cwasm's builds; their JavaScript is not used: it leaks on bad files and does no CMYK).
// Every picture gets an instance of its own, so a hostile one spoils nothing and its memory goes with it.
import jpegAddress from '@cwasm/jpeg-turbo/jpeg-turbo.wasm?url&inline'
import webpAddress from '@cwasm/webp/webp.wasm?url&inline'
import { asGlmError, GlmError } from '../errors.ts'
import { invalid } from './picture_bytes.ts'
import type { PictureHeader } from './picture_header.ts'
import type { Decoded } from './picture_node.ts'
import type { Rgba } from './picture_turn.ts'
import { firstFrame } from './picture_webp.ts'

type Call = (...values: number[]) => number
type Library = Record<'malloc' | 'tjInitDecompress' | 'tjDecompressHeader3' | 'tjDecompress2' | 'WebPDecodeRGBA', Call> & {
  memory: WebAssembly.Memory
}

const RGBA = 7
const CMYK = 11
/** Color spaces of TurboJPEG from here on have four components. */
const FIRST_OF_FOUR = 3

/** Chroma is upsampled smoothly and the transform is the accurate integer one, as in PIL. A damaged scan is decoded as far as it makes sense. */
export async function decodeJpeg(bytes: Uint8Array<ArrayBuffer>): Promise<Decoded> {
  const library = await open(jpegAddress)
  return guarded('JPEG', () => {
    const file = copyIn(library, bytes)
    const decoder = library.tjInitDecompress()
    const facts = allocate(library, 16)
    library.tjDecompressHeader3(decoder, file, bytes.length, facts, facts + 4, facts + 8, facts + 12)
    const [width, height, , space] = new Uint32Array(library.memory.buffer, facts, 4) as unknown as [number, number, number, number]
    if (!(width > 0 && height > 0)) throw invalid('The JPEG has no header that can be decoded; save it again.')
    const target = allocate(library, width * height * 4)
    const four = space >= FIRST_OF_FOUR
    const status = library.tjDecompress2(decoder, file, bytes.length, target, width, width * 4, height, four ? CMYK : RGBA, 0)
    if (status !== 0 && !ends(bytes)) throw new GlmError('file_truncated', 'The JPEG ends before its pixels do; load it again.')
    const data = copyOut(library, target, width * height * 4)
    return { width, height, data: four ? fromCmyk(data) : data }
  })
}

export async function decodeWebp(bytes: Uint8Array<ArrayBuffer>, header: PictureHeader): Promise<Decoded> {
  if (!header.animated) return decodeStill(bytes)
  const { frame, x, y } = firstFrame(bytes)
  const { width, height, data } = await decodeStill(frame)
  const whole = { width: header.width, height: header.height, data: new Uint8Array(header.width * header.height * 4) }
  if (x + width > whole.width || y + height > whole.height)
    throw invalid('The first frame of the WebP is larger than its canvas; save it again.')
  for (let row = 0; row < height; row++)
    whole.data.set(data.subarray(row * width * 4, (row + 1) * width * 4), ((y + row) * whole.width + x) * 4)
  return whole
}

async function decodeStill(bytes: Uint8Array<ArrayBuffer>): Promise<Decoded> {
  const library = await open(webpAddress)
  return guarded('WebP', () => {
    const file = copyIn(library, bytes)
    const size = allocate(library, 8)
    const target = library.WebPDecodeRGBA(file, bytes.length, size, size + 4)
    if (target === 0) throw invalid('The WebP cannot be decoded; save it again.')
    const [width, height] = new Uint32Array(library.memory.buffer, size, 2) as unknown as [number, number]
    return { width, height, data: copyOut(library, target, width * height * 4) }
  })
}

const modules = new Map<string, Promise<WebAssembly.Module>>()

async function open(address: string): Promise<Library> {
  if (!modules.has(address)) modules.set(address, compile(address))
  const refuse = () => {
    throw invalid('The picture is damaged or of a kind that the decoder does not know; save it again.')
  }
  const none = () => 0
  const system = { proc_exit: refuse, environ_sizes_get: none, environ_get: none, fd_close: none, fd_seek: none, fd_write: none }
  // libjpeg-turbo leaves by longjmp on a fatal error; there is nothing to go back to.
  const imports = { env: { setjmp: none, longjmp: refuse }, wasi_snapshot_preview1: system }
  return (await WebAssembly.instantiate(await modules.get(address)!, imports)).exports as Library
}

async function compile(address: string): Promise<WebAssembly.Module> {
  return WebAssembly.compile(await (await fetch(address)).arrayBuffer())
}

/** A trap of the WebAssembly is the file's fault, too. */
function guarded(kind: string, decode: () => Decoded): Decoded {
  try {
    return decode()
  } catch (error) {
    throw asGlmError(error, 'file_invalid', `The ${kind} cannot be decoded; save it again: `)
  }
}

function allocate(library: Library, bytes: number): number {
  const pointer = bytes < 2 ** 32 ? library.malloc(bytes) : 0
  if (pointer === 0) throw new GlmError('out_of_memory', `There is no memory for a picture of ${bytes} bytes; take a smaller one.`)
  return pointer >>> 0
}

function copyIn(library: Library, bytes: Uint8Array): number {
  const pointer = allocate(library, bytes.length)
  new Uint8Array(library.memory.buffer, pointer, bytes.length).set(bytes)
  return pointer
}

const copyOut = (library: Library, pointer: number, length: number): Rgba =>
  new Uint8Array(library.memory.buffer as ArrayBuffer, pointer >>> 0, length).slice()

/** Inks are stored inverted, as Adobe does; each color is what ink and black let through. */
function fromCmyk(data: Rgba): Rgba {
  for (let at = 0; at < data.length; at += 4) {
    for (let k = 0; k < 3; k++) data[at + k] = (data[at + k]! * data[at + 3]! + 127) / 255
    data[at + 3] = 255
  }
  return data
}

/** Whether an end-of-image marker is there; thumbnails with ends of their own stand before the last scan. */
function ends(bytes: Uint8Array): boolean {
  for (let at = bytes.length - 2; at >= 0; at--) {
    if (bytes[at] !== 0xff) continue
    if (bytes[at + 1] === 0xd9) return true
    if (bytes[at + 1] === 0xda) return false
  }
  return false
}
