// A file server on 127.0.0.1 that keeps a log of its requests and can be told, per path, to behave badly.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, normalize } from 'node:path'

export interface LoggedRequest {
  method: string
  path: string
  range: string | undefined
  headers: IncomingMessage['headers']
  /** Bytes of the body that were sent. */
  sent: number
}

/** What can go wrong with a path. `times` counts answers that show the fault (default: all). */
export interface Fault {
  kind:
    | 'ignore-range'
    | 'short'
    | 'cut'
    | 'wrong-range'
    | 'hidden-range'
    | 'too-long'
    | 'status'
    | 'slow'
    | 'html'
    | 'changed'
    | 'hold'
    | 'dribble'
  /** `short`, `cut`, `hold`: bytes of the body before it happens; a held connection stays open and sends no more. `dribble`: bytes at a time. */
  after?: number
  /** `status`: the status. */
  status?: number
  /** `status`: the header. */
  retryAfter?: string
  times?: number
  /** Answers that are well before it starts (the first request only asks for the size). */
  skip?: number
}

export interface TestServer {
  /** Ends with `/`. */
  url: string
  log: LoggedRequest[]
  /** Path (no leading slash) → bytes, beside the folders; may be changed under way. */
  files: Map<string, Uint8Array>
  /** Path → what goes wrong. */
  faults: Map<string, Fault>
  close(): Promise<void>
}

/** Serves files in memory, and folders of the disk under their names: `{ pocket: '/…/models/pocket' }`. */
export async function startServer(
  options: { files?: Record<string, Uint8Array>; folders?: Record<string, string> } = {},
): Promise<TestServer> {
  const log: LoggedRequest[] = []
  const files = new Map(Object.entries(options.files ?? {}))
  const faults = new Map<string, Fault>()
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://x').pathname.slice(1))
    response.setHeader('access-control-allow-origin', '*')
    response.setHeader('access-control-expose-headers', 'content-range, content-length, accept-ranges, etag, retry-after')
    if (request.method === 'OPTIONS') {
      response.writeHead(204, {
        'access-control-allow-headers': 'range, if-range, authorization',
        'access-control-allow-methods': 'GET, HEAD',
      })
      return response.end()
    }
    const entry = { method: request.method ?? '', path, range: request.headers.range, headers: request.headers, sent: 0 }
    log.push(entry)
    const bytes = files.get(path) ?? (await onDisk(options.folders ?? {}, path))
    await answer(request, response, bytes, takeFault(faults, path), entry)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    log,
    files,
    faults,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function onDisk(folders: Record<string, string>, path: string): Promise<Uint8Array | undefined> {
  const [name = '', ...rest] = path.split('/')
  const folder = folders[name]
  const below = normalize(rest.join('/'))
  if (!folder || below.startsWith('..')) return undefined
  return readFile(join(folder, below)).catch(() => undefined)
}

function takeFault(faults: Map<string, Fault>, path: string): Fault | undefined {
  const fault = faults.get(path)
  if (!fault) return undefined
  if (fault.skip) {
    fault.skip--
    return undefined
  }
  if (fault.times !== undefined && --fault.times <= 0) faults.delete(path)
  return fault
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Uint8Array | undefined,
  fault: Fault | undefined,
  entry: LoggedRequest,
) {
  if (fault?.kind === 'slow') await new Promise((resolve) => setTimeout(resolve, 3000))
  if (fault?.retryAfter) response.setHeader('retry-after', fault.retryAfter)
  if (fault?.kind === 'status') return response.writeHead(fault.status ?? 500).end()
  if (fault?.kind === 'html') return response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<!doctype html>')
  if (!bytes) return response.writeHead(404).end()
  const mark = createHash('sha256').update(bytes).digest('hex').slice(0, 16)
  const etag = fault?.kind === 'changed' ? '"changed"' : `"${mark}"`
  response.setHeader('etag', etag)
  response.setHeader('content-type', 'application/octet-stream')
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
  const stale = request.headers['if-range'] !== undefined && request.headers['if-range'] !== etag
  if (first === undefined || stale || fault?.kind === 'ignore-range') {
    entry.sent = bytes.length
    return response.writeHead(200, { 'content-length': bytes.length }).end(bytes)
  }
  const start = Number(first)
  const end = Math.min(bytes.length, last ? Number(last) + 1 : bytes.length)
  if (start >= bytes.length) return response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end()
  const shift = fault?.kind === 'wrong-range' ? 1 : 0
  if (fault?.kind !== 'hidden-range') response.setHeader('content-range', `bytes ${start + shift}-${end - 1}/${bytes.length}`)
  return send(response, bytes.subarray(start, end), fault, entry)
}

async function send(response: ServerResponse, body: Uint8Array, fault: Fault | undefined, entry: LoggedRequest) {
  const after = fault?.after ?? 0
  entry.sent = fault && ['short', 'cut', 'hold'].includes(fault.kind) ? Math.min(after, body.length) : body.length
  // No content-length: the body is chunked, and ends like a whole one.
  if (fault?.kind === 'short') return response.writeHead(206).end(body.subarray(0, after))
  if (fault?.kind === 'too-long') return response.writeHead(206).end(Buffer.concat([body, body]))
  response.writeHead(206, { 'content-length': body.length })
  if (fault?.kind === 'dribble') return dribble(response, body, after || 1000)
  if (fault?.kind === 'hold') return response.write(body.subarray(0, after))
  if (fault?.kind !== 'cut') return response.end(body)
  // Headers and bytes must leave before the connection does.
  response.flushHeaders()
  return response.write(body.subarray(0, after), () => setTimeout(() => response.destroy(), 20))
}

/** A slow line. */
async function dribble(response: ServerResponse, body: Uint8Array, step: number) {
  for (let at = 0; at < body.length && !response.destroyed; at += step) {
    response.write(body.subarray(at, at + step))
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  response.end()
}
