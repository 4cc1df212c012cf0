// A static file server for the demo and the package test: byte ranges, content types, nothing cached without asking, never a file outside its folders.
import { createReadStream, existsSync, realpathSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join, sep } from 'node:path'
import { pipeline } from 'node:stream'

const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.jinja': 'text/plain; charset=utf-8',
  '.md': 'text/plain; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.webp': 'image/webp',
  '.ico': 'image/x-icon',
  '.wav': 'audio/wav',
  '.mp4': 'video/mp4',
  '.webm': 'video/webm',
  '.wasm': 'application/wasm',
}

/** Serves a folder on 127.0.0.1; port 0 takes a free one. `headers` go with every answer. */
export async function serve({ folder, port = 0, headers = {} }) {
  const root = realpathSync(folder)
  const server = createServer((request, response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
    answer(root, request, response)
  })
  await new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  const address = server.address()
  return { port: address.port, url: `http://127.0.0.1:${address.port}/`, close: () => close(server) }
}

const close = (server) =>
  new Promise((resolve) => {
    server.close(resolve)
    server.closeAllConnections()
  })

function answer(root, request, response) {
  if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(response, 405, 'This server only reads.')
  const file = find(root, request.url ?? '/')
  if (!file) return refuse(response, 404, 'Not found.')
  const { status, headers, start, end } = span(request.headers.range, statSync(file))
  response.writeHead(status, { 'content-type': types[extname(file)] ?? 'application/octet-stream', ...headers })
  if (request.method === 'HEAD' || start > end) return response.end()
  pipeline(createReadStream(file, { start, end }), response, () => {}) // a reader that goes away is no error
}

/** Which bytes a Range header asks for: all of them where there is none, or several, which we may answer whole. */
function span(range, { size, mtimeMs }) {
  const common = {
    'accept-ranges': 'bytes',
    'cache-control': 'no-cache',
    etag: `"${size.toString(16)}-${Math.trunc(mtimeMs).toString(16)}"`,
  }
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(range ?? '') ?? []
  if (first === '' && last === '') return { status: 200, start: 0, end: size - 1, headers: { ...common, 'content-length': size } }
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first)
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1)
  if (start > end) return { status: 416, start, end, headers: { ...common, 'content-range': `bytes */${size}` } }
  return {
    status: 206,
    start,
    end,
    headers: { ...common, 'content-length': end - start + 1, 'content-range': `bytes ${start}-${end}/${size}` },
  }
}

function find(root, url) {
  const path = decode(url.replace(/[?#].*/s, ''))
  if (path === undefined || path.includes('\0')) return undefined
  const place = join(root, path)
  const file = existsSync(place) && statSync(place).isDirectory() ? join(place, 'index.html') : place
  return existsSync(file) && realpathSync(file).startsWith(root + sep) ? file : undefined
}

function decode(path) {
  try {
    return decodeURIComponent(path)
  } catch {
    return undefined
  }
}

function refuse(response, status, sentence) {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' })
  response.end(sentence)
}
