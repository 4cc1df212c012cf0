// Serves one file by ranges from another origin than the page's, as a hub does; counts what it sends, and cuts the connection where it is told to.
import { createReadStream, statSync } from 'node:fs'
import { createServer } from 'node:http'

const cors = {
  'access-control-allow-origin': '*',
  'access-control-allow-headers': 'range, if-range',
  'access-control-expose-headers': 'content-range, content-length, accept-ranges, etag, retry-after',
}

/**
 * `cuts` are places in the file: the first body that goes beyond one of them ends there, without a word. `count` is what was sent since the
 * last `reset`: requests, bytes of bodies, cuts, and when the last byte left.
 */
export async function startServer({ path, cuts = [] }) {
  const { size, mtimeMs } = statSync(path)
  const etag = `"${size.toString(16)}-${Math.trunc(mtimeMs).toString(16)}"`
  const left = new Set(cuts)
  const none = { requests: 0, bytes: 0, cuts: 0, last: 0 }
  const count = { ...none }
  const server = createServer((request, response) => {
    for (const [name, value] of Object.entries(cors)) response.setHeader(name, value)
    if (request.method === 'OPTIONS') return response.writeHead(204).end()
    count.requests++
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
    const start = Number(from ?? 0)
    const end = Math.min(size, to ? Number(to) + 1 : size)
    if (start >= size) return response.writeHead(416, { 'content-range': `bytes */${size}` }).end()
    const headers = { etag, 'accept-ranges': 'bytes', 'content-type': 'application/octet-stream', 'content-length': end - start }
    if (from !== undefined) headers['content-range'] = `bytes ${start}-${end - 1}/${size}`
    response.writeHead(from === undefined ? 200 : 206, headers)
    const cut = [...left].find((place) => place > start && place < end)
    left.delete(cut)
    send(response, path, { start, end: (cut ?? end) - 1 }, count, cut !== undefined)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${server.address().port}/glm-edge-1.5b-random-Q4_0.gguf`,
    count,
    reset: () => Object.assign(count, none),
    close: () =>
      new Promise((resolve) => {
        server.close(resolve)
        server.closeAllConnections()
      }),
  }
}

function send(response, path, range, count, cut) {
  const file = createReadStream(path, { ...range, highWaterMark: 2 ** 18 })
  file.on('data', (bytes) => {
    count.bytes += bytes.length
    count.last = Date.now()
  })
  file.on('error', () => response.destroy())
  response.on('close', () => file.destroy())
  file.pipe(response, { end: !cut })
  if (!cut) return
  // What was written must leave before the connection does.
  file.on('end', () => {
    count.cuts++
    setTimeout(() => response.destroy(), 50)
  })
}
