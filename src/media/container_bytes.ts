// The bytes of a file, wherever it lies: a Blob, memory, or an address that is read by range. What every reader of containers and captions stands on.
import { GlmError, throwIfAborted } from '../errors.ts'

/** A file: a Blob or File, its bytes, or its address (http, https, blob). */
export type MediaInput = Blob | ArrayBuffer | Uint8Array | URL | string

export interface BytesOptions {
  signal?: AbortSignal
  fetch?: typeof fetch
  /** Sent with every request. */
  headers?: HeadersInit
}

export interface Bytes {
  readonly size: number
  /** Whether reading is slow and worth doing in larger strides. */
  readonly remote: boolean
  /** Bytes of [start, end), fewer where the file ends before. */
  read(start: number, end: number): Promise<Uint8Array>
}

/** Most bytes that a server which knows no ranges may send: they stand in memory. */
const MAX_WHOLE = 2 ** 29
/** The first request: enough for most headers, and it tells the size. */
const HEAD = 2 ** 16
const TRIES = 3

export async function openBytes(input: MediaInput, options: BytesOptions = {}): Promise<Bytes> {
  throwIfAborted(options.signal)
  if (typeof Blob !== 'undefined' && input instanceof Blob) return blobBytes(input)
  if (input instanceof ArrayBuffer) return memoryBytes(new Uint8Array(input))
  if (input instanceof Uint8Array) return memoryBytes(input)
  if (typeof input === 'string' || input instanceof URL) return urlBytes(address(input), options)
  throw new GlmError('request_invalid', 'Give the file as a Blob, as bytes, or by its address.')
}

/** The error of a file whose own lengths reach past its end. */
export function cut(size: number, end: number): GlmError {
  return new GlmError('file_truncated', `The file has ${size} bytes and should have ${end}; download or copy it again.`)
}

function blobBytes(blob: Blob): Bytes {
  const read = async (start: number, end: number) => {
    const part = await blob.slice(start, end).arrayBuffer()
    return new Uint8Array(part)
  }
  return { size: blob.size, remote: false, read: (start, end) => read(start, end).catch(gone) }
}

function gone(cause: unknown): never {
  throw new GlmError('file_missing', 'The file changed or went away since it was chosen; choose it again.', { cause })
}

function memoryBytes(bytes: Uint8Array): Bytes {
  return { size: bytes.length, remote: false, read: async (start, end) => bytes.subarray(start, end) }
}

function address(input: string | URL): string {
  const base = typeof location === 'undefined' ? undefined : location.href
  const url = URL.canParse(String(input), base) ? new URL(String(input), base) : undefined
  if (url && ['http:', 'https:', 'blob:'].includes(url.protocol)) return url.href
  throw new GlmError('request_invalid', 'The address of a file must be an http, https or blob one.')
}

async function urlBytes(url: string, options: BytesOptions): Promise<Bytes> {
  const head = await retried(options, () => request(url, 0, HEAD, options))
  if (head.whole) return memoryBytes(head.bytes)
  const { size, bytes } = head
  const read = async (start: number, end: number) => {
    const last = Math.min(end, size)
    if (start >= last) return new Uint8Array()
    if (last <= bytes.length) return bytes.subarray(start, last)
    const part = await retried(options, () => request(url, start, last, options, size))
    return part.whole ? part.bytes.subarray(start, last) : part.bytes
  }
  return { size, remote: true, read }
}

interface Part {
  bytes: Uint8Array
  /** Of the whole file. */
  size: number
  /** The server knows no ranges and sent everything. */
  whole: boolean
}

/** A fault that another try may cure. */
class Passing extends Error {}

async function retried(options: BytesOptions, ask: () => Promise<Part>): Promise<Part> {
  for (let tried = 1; ; tried++) {
    try {
      return await ask()
    } catch (error) {
      throwIfAborted(options.signal)
      if (error instanceof GlmError) throw error
      if (tried === TRIES)
        throw new GlmError('network_failed', `The file could not be read: ${(error as Error).message}. Try again.`, { cause: error })
      await new Promise((resolve) => setTimeout(resolve, 200 * 2 ** tried))
    }
  }
}

async function request(url: string, start: number, end: number, options: BytesOptions, size?: number): Promise<Part> {
  const headers = new Headers(options.headers)
  if (!url.startsWith('blob:')) headers.set('range', `bytes=${start}-${end - 1}`)
  const get = options.fetch ?? fetch
  const response = await get(url, { headers, ...(options.signal ? { signal: options.signal } : {}) })
  if (response.status === 206) return ranged(response, start, end, size)
  if (response.status === 416 && start === 0) return { bytes: new Uint8Array(), size: 0, whole: true }
  if (response.status === 200) return whole(response, size)
  await response.body?.cancel()
  if (response.status === 404 || response.status === 410)
    throw new GlmError('file_missing', `There is no file at its address (${response.status}).`)
  if (response.status === 429 || response.status >= 500) throw new Passing(`the server answered ${response.status}`)
  throw new GlmError('network_failed', `The server refused the file with status ${response.status}; check address and headers.`)
}

async function ranged(response: Response, start: number, end: number, known: number | undefined): Promise<Part> {
  const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(response.headers.get('content-range') ?? '')
  const size = range ? Number(range[3]) : known
  if (size === undefined || (range && Number(range[1]) !== start)) {
    await response.body?.cancel()
    throw new GlmError('network_failed', 'The server answers ranges without saying which; it must send and expose Content-Range.')
  }
  if (known !== undefined && size !== known)
    throw new GlmError('file_invalid', 'The file at its address changed while it was read; open it again.')
  const bytes = await collect(response, end - start)
  if (bytes.length !== Math.min(end, size) - start) throw new Passing(`${bytes.length} of ${Math.min(end, size) - start} bytes came`)
  return { bytes, size, whole: false }
}

async function whole(response: Response, known: number | undefined): Promise<Part> {
  const bytes = await collect(response, MAX_WHOLE)
  const size = Number(response.headers.get('content-length') ?? bytes.length)
  if (bytes.length < size && !response.headers.has('content-encoding')) throw new Passing(`${bytes.length} of ${size} bytes came`)
  if (known !== undefined && bytes.length !== known)
    throw new GlmError('file_invalid', 'The file at its address changed while it was read; open it again.')
  return { bytes, size: bytes.length, whole: true }
}

/** The body, never more than `limit` bytes of it. */
async function collect(response: Response, limit: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  const reader = response.body?.getReader()
  for (;;) {
    const next = await reader?.read()
    if (!next || next.done) break
    parts.push(next.value)
    length += next.value.length
    if (length <= limit) continue
    await reader?.cancel()
    throw new GlmError('out_of_memory', 'The server sends more than was asked for; give the file itself, or a server that knows ranges.')
  }
  return joined(parts, length)
}

function joined(parts: Uint8Array[], length: number): Uint8Array {
  if (parts.length === 1) return parts[0]!
  const out = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}
