// Files of a web folder, by Range requests. A server may ignore ranges, lie about them, cut the connection or change the file under way:
// each is noticed, and what can be mended is mended by asking again from the byte where it stopped.
import { GlmError, throwIfAborted } from '../errors.ts'
import { checkRange, type Source, share } from './source.ts'

export interface HttpOptions {
  /** URL of the folder. */
  base: string
  /** Names the model; default: the folder's URL. */
  name?: string
  /** Paths whose file has an address of its own (bundlers rename files); `data:` and `blob:` are fine. */
  files?: Record<string, string>
  fetch?: typeof fetch
  /**
   * Sent to the folder's own origin only. `fetch` follows redirects by itself: browsers then drop `Authorization` when the origin changes, but
   * keep every other header.
   */
  headers?: Record<string, string>
  /** Milliseconds before the second try (default: 250); three times as long before each further one. */
  pause?: number
  /** Milliseconds without a byte that count as a cut (default: 30,000). */
  stall?: number
}

/** Largest file taken from a server that ignores ranges: it stands in memory whole. */
const wholeLimit = 256 * 2 ** 20
/** Tries in a row that bring no byte. */
const tries = 5
const longestPause = 60_000 // ms, whatever Retry-After says

interface Client {
  fetch: typeof fetch
  origin: string
  headers: Record<string, string>
  pause: number
  stall: number
}

/** A file at its address, once it has answered. `whole` is set when the server would not give a part. */
interface Remote {
  path: string
  url: string
  size: number
  etag?: string
  whole?: Uint8Array<ArrayBuffer>
}

/** A model in a folder on the web. */
export function httpSource(options: HttpOptions): Source {
  const base = folderUrl(options.base)
  const files = new Map(Object.entries(options.files ?? {}))
  const client: Client = {
    fetch: options.fetch ?? ((input, init) => fetch(input, init)),
    origin: base.origin,
    headers: options.headers ?? {},
    pause: options.pause ?? 250,
    stall: options.stall ?? 30_000,
  }
  const remotes = new Map<string, Remote>()
  const opening = new Map<string, Promise<Remote>>()

  const open = async (path: string, signal?: AbortSignal) =>
    remotes.get(path) ??
    share(opening, path, signal, async () => {
      const remote = await probe(client, path, files.get(path) ?? fileUrl(base, path), signal)
      remotes.set(path, remote)
      return remote
    })

  async function* stream(path: string, start: number, end: number, signal?: AbortSignal) {
    yield* readRange(client, await open(path, signal), start, end, signal)
  }

  return {
    name: options.name ?? base.href,
    size: async (path, signal) => (await open(path, signal)).size,
    stream,
    async read(path, start, end, signal) {
      checkRange(path, start, end, (await open(path, signal)).size) // before memory is taken
      const bytes = new Uint8Array(end - start)
      let at = 0
      for await (const chunk of stream(path, start, end, signal)) {
        bytes.set(chunk, at)
        at += chunk.length
      }
      return bytes
    },
    etag: (path) => remotes.get(path)?.etag,
    close: () => remotes.clear(),
  }
}

function folderUrl(base: string): URL {
  try {
    const url = new URL(base, globalThis.location?.href)
    url.search = url.hash = ''
    if (!url.pathname.endsWith('/')) url.pathname += '/'
    return url
  } catch (cause) {
    throw new GlmError('request_invalid', `"${base}" is not a URL; give the folder of the model with https:// in front.`, { cause })
  }
}

/** The address of a path below the folder. A path comes from an index file, so it must not lead out. */
function fileUrl(base: URL, path: string): string {
  const url = new URL(path.split('/').map(encodeURIComponent).join('/'), base).href
  if (!url.startsWith(base.href)) throw new GlmError('file_invalid', `"${path}" leads out of the model's folder and is not read.`)
  return url
}

/**
 * Asks for the first two bytes: the answer tells size and ETag, and whether the server gives parts at all. Two, because sirv (Vite's server)
 * takes `bytes=0-0` for the whole file. They are read to their end: a cancelled answer shows as a failed request.
 */
function probe(client: Client, path: string, url: string, signal?: AbortSignal): Promise<Remote> {
  const remote: Remote = { path, url, size: 0 }
  return retrying(client, signal, async () => {
    const response = await ask(client, remote, 0, 2, signal)
    if (response.status === 200) await takeWhole(client, remote, response, signal)
    else if (response.status === 206) remote.size = givenRange(path, response, 0, 2).total
    // The size stands in the header: a cut in these two bytes does no harm.
    await (response.status === 206 ? response.arrayBuffer() : response.body?.cancel())?.catch(() => {})
    remote.etag = response.headers.get('etag') ?? undefined
    return remote
  })
}

/** The bytes of a range as they come; after a cut the next request asks for the byte where it stopped. */
async function* readRange(
  client: Client,
  remote: Remote,
  start: number,
  end: number,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const { path } = remote
  checkRange(path, start, end, remote.size)
  for (let at = start, count = 1; at < end; count++) {
    throwIfAborted(signal)
    try {
      const response = remote.whole ? undefined : await ask(client, remote, at, end, signal)
      // Some caches answer 200 when a range covers the file.
      if (response?.status === 200) await takeWhole(client, remote, response, signal)
      else if (response && givenRange(path, response, at, end).total !== remote.size) throw changed(path)
      for await (const chunk of remote.whole ? [remote.whole.slice(at, end)] : chunks(client, path, response!, signal)) {
        if (at + chunk.length > end) {
          throw new GlmError('network_failed', `The server of ${path} sent more bytes than were asked for; use another server.`)
        }
        at += chunk.length
        count = 0
        yield chunk
      }
      // Without a content-length a body that was cut short ends like a whole one: only the count tells.
      if (at < end) throw new Passing(short(path))
    } catch (error) {
      await again(client, error, Math.max(count, 1), signal)
    }
  }
}

/** One request. Comes back with 206, 200, or 416 of an empty file; all else is thrown, as `Passing` where another try may help. */
async function ask(client: Client, remote: Remote, start: number, end: number, signal?: AbortSignal): Promise<Response> {
  throwIfAborted(signal)
  const { path, url, etag } = remote
  const web = url.startsWith('http')
  const own = web && new URL(url).origin === client.origin
  // data: and blob: addresses are taken whole: Node 20 gives ranges of a blob one byte too short.
  const headers: Record<string, string> = { ...(own ? client.headers : {}), ...(web ? { range: `bytes=${start}-${end - 1}` } : {}) }
  if (etag && mayCondition(url, etag)) headers['if-range'] = etag
  let response: Response
  try {
    // no-store: pieces are kept by our own cache, and Chromium's makes parallel ranges of one URL wait for each other.
    response = await client.fetch(url, { headers, signal, cache: 'no-store' })
  } catch (cause) {
    throw new Passing(unreachable(path, cause))
  }
  const fault = faultOf(remote, response, start)
  if (!fault) return response
  await response.body?.cancel().catch(() => {})
  throw fault
}

/** `If-Range` takes strong tags only, and needs a CORS preflight that hubs need not allow; elsewhere the ETags are compared. */
function mayCondition(url: string, etag: string): boolean {
  const page = globalThis.location?.origin
  return !etag.startsWith('W/') && (page === undefined || new URL(url).origin === page)
}

function faultOf({ path, etag }: Remote, response: Response, start: number): Error | undefined {
  const { status, headers } = response
  const answer = headers.get('etag')
  if (status === 401 || status === 403) {
    return new GlmError('file_missing', `${path} may not be read (${status}); a private repository needs \`headers\` with its token.`)
  }
  if (status === 404 || status === 410) return new GlmError('file_missing', `${path} is not at ${place(response)}; check the address.`)
  if (status === 416 && start === 0 && headers.get('content-range') === 'bytes */0') return undefined
  if (status === 416) return short(path)
  if (status === 408 || status === 429 || status >= 500) return new Passing(refused(path, status), retryAfter(headers))
  if (status !== 200 && status !== 206) return refused(path, status)
  // A site with client-side routes answers its start page for every unknown address.
  if (headers.get('content-type')?.includes('text/html') && !path.endsWith('.html')) {
    return new GlmError('file_missing', `${path} is not at ${place(response)}: a web page came instead; check the address.`)
  }
  if (etag && answer && bare(etag) !== bare(answer)) return changed(path)
  return undefined
}

/** What `Content-Range` says was given; thrown where it is not what was asked. */
function givenRange(path: string, response: Response, start: number, end: number): { total: number } {
  const text = response.headers.get('content-range')
  const [, first, last, total] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(text ?? '')?.map(Number) ?? []
  if (first === undefined || last === undefined || total === undefined) {
    void response.body?.cancel().catch(() => {})
    throw new GlmError('network_failed', `The server of ${path} sends no readable Content-Range; let it expose that header (CORS).`)
  }
  if (first !== start || last < first || last >= end || last >= total) {
    void response.body?.cancel().catch(() => {})
    throw new GlmError('network_failed', `The server of ${path} sent "${text}" for bytes ${start} to ${end - 1}; use another server.`)
  }
  return { total }
}

/** The whole file, from a server that does not give parts; later reads take it from memory. */
async function takeWhole(client: Client, remote: Remote, response: Response, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = new GlmError(
    'network_failed',
    `The server of ${remote.path} ignores Range requests, and the file is too large to take whole; use a server with ranges.`,
  )
  if (Number(response.headers.get('content-length')) > wholeLimit) {
    await response.body?.cancel().catch(() => {})
    throw tooLarge
  }
  const parts: Uint8Array<ArrayBuffer>[] = []
  let length = 0
  for await (const chunk of chunks(client, remote.path, response, signal)) {
    length += chunk.length
    if (length > wholeLimit) throw tooLarge
    parts.push(chunk)
  }
  if (remote.size && remote.size !== length) throw changed(remote.path)
  remote.whole = new Uint8Array(await new Blob(parts).arrayBuffer())
  remote.size = length
  return remote.whole
}

/** The body's chunks; a cut is `Passing`. A reader, because Safari's streams cannot be iterated. */
async function* chunks(client: Client, path: string, response: Response, signal?: AbortSignal): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const reader = response.body?.getReader()
  try {
    while (reader) {
      throwIfAborted(signal)
      let dead = false
      const timer = setTimeout(() => {
        dead = true // a connection may die without a word
        void reader.cancel().catch(() => {})
      }, client.stall)
      const read = reader.read().finally(() => clearTimeout(timer))
      const { done, value } = await read.catch((cause) => {
        throw new Passing(unreachable(path, cause))
      })
      if (dead) throw new Passing(unreachable(path, undefined))
      if (done) return
      yield value
    }
  } finally {
    await reader?.cancel().catch(() => {})
  }
}

/** A fault that may pass: tried again with growing pauses, and thrown as `error` when it does not. */
class Passing extends Error {
  readonly error: GlmError
  /** Milliseconds that the server asked for. */
  readonly wait: number | undefined
  constructor(error: GlmError, wait?: number) {
    super(error.message)
    this.error = error
    this.wait = wait
  }
}

async function retrying<T>(client: Client, signal: AbortSignal | undefined, once: () => Promise<T>): Promise<T> {
  for (let count = 1; ; count++) {
    try {
      return await once()
    } catch (error) {
      await again(client, error, count, signal)
    }
  }
}

/** Comes back when it is time for another try; throws when there is none. */
async function again(client: Client, error: unknown, count: number, signal?: AbortSignal): Promise<void> {
  throwIfAborted(signal)
  if (!(error instanceof Passing)) throw error
  if (count >= tries) throw error.error
  await pause(error.wait ?? client.pause * 3 ** (count - 1), signal)
}

/** `Retry-After` holds seconds or a date. */
function retryAfter(headers: Headers): number | undefined {
  const text = headers.get('retry-after')
  const wait = text ? (/^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now()) : Number.NaN
  return wait >= 0 ? Math.min(wait, longestPause) : undefined
}

export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer)
      reject(new GlmError('aborted', 'The call was aborted.', { cause: signal?.reason }))
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop)
      resolve()
    }, ms)
    signal?.addEventListener('abort', stop, { once: true })
  })
}

const bare = (etag: string) => etag.replace(/^W\//, '')
/** Without the query: it may hold a signature. */
const place = (response: Response) => response.url.replace(/[?#].*/, '').slice(0, 200) || 'its address'
const short = (path: string) => new GlmError('file_truncated', `${path} is shorter than it should be; upload or convert it again.`)
const changed = (path: string) => new GlmError('file_invalid', `${path} changed at its address while it was read; load the model again.`)
const refused = (path: string, status: number) =>
  new GlmError('network_failed', `The server of ${path} answered ${status}; try again later.`)

function unreachable(path: string, cause: unknown): GlmError {
  const offline = globalThis.navigator?.onLine === false
  const why = offline
    ? 'the page is offline; connect'
    : 'the connection failed, or the server forbids this page to read it (CORS); check both'
  return new GlmError('network_failed', `${path} could not be fetched: ${why} and load again.`, { cause })
}
