// The files of a model that ships with a page: small, and each at an address that a bundler gave it. They are taken whole.
import { GlmError, throwIfAborted } from '../errors.ts'
import { checkRange, type Source } from './source.ts'

/** `files`: path → address. */
export function bundledSource(name: string, files: Record<string, string>): Source {
  const taken = new Map<string, Promise<Uint8Array<ArrayBuffer>>>()
  const whole = (path: string, signal?: AbortSignal) => {
    throwIfAborted(signal)
    const known = taken.get(path) ?? take(path, files[path])
    taken.set(path, known)
    return known
  }
  return {
    name,
    size: async (path, signal) => (await whole(path, signal)).length,
    async read(path, start, end, signal) {
      const bytes = await whole(path, signal)
      checkRange(path, start, end, bytes.length)
      return bytes.slice(start, end)
    },
  }
}

async function take(path: string, address: string | undefined): Promise<Uint8Array<ArrayBuffer>> {
  const response = address === undefined ? undefined : await fetch(address).catch(() => undefined)
  // A site with client-side routes answers its start page for every unknown address.
  if (response?.ok && !response.headers.get('content-type')?.includes('text/html')) return new Uint8Array(await response.arrayBuffer())
  throw new GlmError('file_missing', `${path} of the embedded model is not there; serve the package's files beside its worker.`)
}
