// A picture from an address: bytes are counted as they come, so that no server sends more than was agreed.
import { asGlmError, GlmError, throwIfAborted } from '../errors.ts'

export interface FetchOptions {
  signal?: AbortSignal
  fetch?: typeof fetch
  headers?: HeadersInit
  /** Bytes that may come; default 256 MiB. */
  maxBytes?: number
}

export async function fetchPicture(address: string, options: FetchOptions): Promise<Blob> {
  const { signal, headers, maxBytes = 2 ** 28 } = options
  const shown = address.startsWith('data:') ? 'The data: address' : address
  if (/^file:/i.test(address)) throw new GlmError('request_invalid', `${shown} is a file: read it and pass its bytes.`)
  const failed = (error: unknown) => {
    throwIfAborted(signal)
    return asGlmError(error, 'network_failed', `${shown} could not be fetched; check the address and the connection: `)
  }
  const request = { ...(signal && { signal }), ...(headers && { headers }) }
  const response = await unlessAborted((options.fetch ?? fetch)(address, request), signal).catch((error) => Promise.reject(failed(error)))
  if (!response.ok) {
    response.body?.cancel().catch(() => {})
    const gone = response.status === 404 || response.status === 410
    if (gone) throw new GlmError('file_missing', `${shown} is not there (${response.status}); check the address.`)
    throw new GlmError('network_failed', `${shown} was answered with ${response.status}; check the address and who may read it.`)
  }
  return counted(response, maxBytes, signal, shown).catch((error) => Promise.reject(failed(error)))
}

async function counted(response: Response, maxBytes: number, signal: AbortSignal | undefined, shown: string): Promise<Blob> {
  const reader = response.body?.getReader()
  const parts: Uint8Array<ArrayBuffer>[] = []
  let bytes = 0
  try {
    for (;;) {
      const part = reader && (await unlessAborted(reader.read(), signal))
      if (!part || part.done) return new Blob(parts)
      bytes += part.value.byteLength
      if (bytes > maxBytes)
        throw new GlmError('request_invalid', `${shown} has more than ${maxBytes} bytes; take a smaller picture or raise maxBytes.`)
      parts.push(part.value)
    }
  } catch (error) {
    reader?.cancel().catch(() => {})
    throw error
  }
}

/** What the promise gives, or `aborted` as soon as the signal says so; what comes later is let go. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined, letGo?: (late: T) => void): Promise<T> {
  if (!signal) return promise
  let stop = () => {}
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(new GlmError('aborted', 'The call was aborted.', { cause: signal.reason }))
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([promise, aborted])
  } catch (error) {
    promise.then(letGo, () => {})
    throw error
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
