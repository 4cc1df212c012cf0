// An address on the web that names a model: a folder, or a GGUF file, whose splits lie beside it.
import { GlmError } from '../errors.ts'

/** What an http source is made of. */
export interface Place {
  base: string
  name: string
  /** The GGUF that the address ends with. */
  entry?: string
  /** Its whole address, where that has a query (a signature). */
  files?: Record<string, string>
}

export function placeOf(address: string, base?: string): Place {
  let url: URL
  let last: string
  try {
    url = new URL(address, base)
    last = decodeURIComponent(url.pathname.slice(url.pathname.lastIndexOf('/') + 1))
  } catch (cause) {
    throw new GlmError('request_invalid', `"${address}" is not a URL; give the folder of the model with https:// in front.`, { cause })
  }
  const { search, href } = url
  url.search = url.hash = ''
  if (!/\.gguf$/i.test(url.pathname)) {
    if (!url.pathname.endsWith('/')) url.pathname += '/'
    return { base: url.href, name: url.href }
  }
  return { base: new URL('./', url).href, name: url.href, entry: last, ...(search ? { files: { [last]: href } } : {}) }
}
