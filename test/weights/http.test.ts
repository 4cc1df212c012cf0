import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { GlmError } from '../../src/errors.ts'
import { httpSource } from '../../src/weights/http.ts'
import { exists, readJson, readWhole } from '../../src/weights/source.ts'
import { type Fault, startServer, type TestServer } from '../server.ts'

const data = Uint8Array.from({ length: 100_000 }, (_, at) => (at * 7 + (at >> 8)) & 255)
const text = new TextEncoder().encode('{"a":1}')
let server: TestServer
/** Each concurrent test has its own, closed at the end whatever becomes of it. */
const servers: TestServer[] = []

beforeAll(async () => {
  server = await startServer()
})
afterAll(() => Promise.all([server, ...servers].map((each) => each.close())))
beforeEach(() => {
  server.files.clear()
  server.files.set('m/data.bin', data).set('m/config.json', text).set('m/empty', new Uint8Array()).set('secret.bin', data)
  server.faults.clear()
  server.log.length = 0
})

const source = (options: Partial<Parameters<typeof httpSource>[0]> = {}) => httpSource({ base: `${server.url}m`, ...options })
/** Not `toEqual`: printing the difference of long arrays takes minutes. */
const same = (bytes: Uint8Array, wanted: Uint8Array) => expect(Buffer.compare(bytes, wanted)).toBe(0)
const ranges = () => server.log.map(({ range }) => range)
const code = async (call: Promise<unknown>) => {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(GlmError)
  return error as GlmError
}

describe('a good server', () => {
  test('ranges give exactly their bytes; the size is asked for once', async () => {
    const files = source()
    expect(await files.size('data.bin')).toBe(data.length)
    same(await files.read('data.bin', 10, 5010), data.slice(10, 5010))
    same(await files.read('data.bin', 99_999, 100_000), data.slice(99_999))
    expect(await files.read('data.bin', 7, 7)).toHaveLength(0)
    expect(ranges()).toEqual(['bytes=0-1', 'bytes=10-5009', 'bytes=99999-99999'])
    expect(files.etag?.('data.bin')).toMatch(/^"[0-9a-f]{16}"$/)
    expect(server.log[1]?.headers['if-range']).toBe(files.etag?.('data.bin'))
    expect(files.name).toBe(`${server.url}m/`)
  })

  test('callers at once share the first request', async () => {
    const files = source()
    await Promise.all([files.size('data.bin'), files.size('data.bin'), files.read('data.bin', 0, 4)])
    expect(ranges()).toEqual(['bytes=0-1', 'bytes=0-3'])
  })

  test('whole files, JSON, empty files, and what is not there', async () => {
    const files = source()
    same(await readWhole(files, 'data.bin'), data)
    expect(await readJson(files, 'config.json')).toEqual({ a: 1 })
    expect(await readWhole(files, 'empty')).toHaveLength(0)
    expect(await exists(files, 'config.json')).toBe(true)
    expect(await exists(files, 'nothing.json')).toBe(false)
    expect((await code(readJson(files, 'data.bin'))).code).toBe('file_invalid')
  })

  test('files with an address of their own: data:, blob:, another folder', async () => {
    const files = source({
      base: 'https://nowhere.invalid/m/',
      name: 'pocket',
      files: {
        'a.json': 'data:application/json;base64,eyJhIjoxfQ==',
        'b.bin': URL.createObjectURL(new Blob([data])),
        'c.bin': `${server.url}m/data.bin`,
      },
      headers: { authorization: 'Bearer secret' },
    })
    expect(files.name).toBe('pocket')
    expect(await readJson(files, 'a.json')).toEqual({ a: 1 })
    same(await files.read('b.bin', 5, 50), data.slice(5, 50))
    same(await files.read('c.bin', 5, 50), data.slice(5, 50))
    expect(server.log.map(({ headers }) => headers.authorization)).toEqual([undefined, undefined])
  })

  test('headers go to the own origin', async () => {
    await source({ headers: { authorization: 'Bearer secret' } }).size('data.bin')
    expect(server.log[0]?.headers.authorization).toBe('Bearer secret')
  })

  test('names are escaped, and lead nowhere else', async () => {
    server.files.set('m/a b#c?.bin', data)
    expect(await source().size('a b#c?.bin')).toBe(data.length)
    for (const path of ['../secret.bin', 'x/../../secret.bin', '..', './../m/../secret.bin', '/secret.bin', '//evil.example/x']) {
      expect((await code(source().size(path))).code).toBe('file_invalid')
    }
    for (const path of ['%2e%2e/secret.bin', `${server.url}secret.bin`, '..\\secret.bin']) {
      expect((await code(source().size(path))).code).toBe('file_missing')
    }
    expect(server.log.some(({ path }) => path === 'secret.bin')).toBe(false)
    expect(() => httpSource({ base: 'no url' })).toThrow(/https:\/\//)
  })
})

describe('faults that are mended', () => {
  const mended: [string, Fault, string[]][] = [
    ['a server error', { kind: 'status', status: 500, times: 2, skip: 1 }, ['bytes=1000-99999', 'bytes=1000-99999', 'bytes=1000-99999']],
    ['too many requests', { kind: 'status', status: 429, times: 1, skip: 1 }, ['bytes=1000-99999', 'bytes=1000-99999']],
    ['a cut goes on where it stopped', { kind: 'cut', after: 4000, times: 1, skip: 1 }, ['bytes=1000-99999', 'bytes=5000-99999']],
    ['two cuts', { kind: 'cut', after: 9000, times: 2, skip: 1 }, ['bytes=1000-99999', 'bytes=10000-99999', 'bytes=19000-99999']],
    ['a short body without length', { kind: 'short', after: 4000, times: 1, skip: 1 }, ['bytes=1000-99999', 'bytes=5000-99999']],
    [
      'nine cuts in a row, each behind a few bytes: progress starts the count anew',
      { kind: 'cut', after: 9000, times: 9, skip: 1 },
      Array.from({ length: 10 }, (_, cut) => `bytes=${1000 + cut * 9000}-99999`),
    ],
    ['four refusals in a row', { kind: 'status', status: 503, times: 4, skip: 1 }, Array(5).fill('bytes=1000-99999')],
    ['a slow line', { kind: 'dribble', after: 5000, skip: 1 }, ['bytes=1000-99999']],
    ['200 in the middle', { kind: 'ignore-range', times: 1, skip: 1 }, ['bytes=1000-99999']],
  ]
  test.concurrent.each(mended)('%s', async (_, fault, expected) => {
    const own = await startServer({ files: { 'data.bin': data } })
    servers.push(own)
    own.faults.set('data.bin', { ...fault })
    same(await httpSource({ base: own.url, pause: 5 }).read('data.bin', 1000, 100_000), data.slice(1000))
    expect(own.log.map(({ range }) => range)).toEqual(['bytes=0-1', ...expected])
  })

  test('the last try of five is the last; one second of Retry-After is kept to, as a date too', async () => {
    const files = source({ pause: 5 })
    await files.size('data.bin')
    server.log.length = 0
    server.faults.set('m/data.bin', { kind: 'status', status: 503 })
    expect((await code(files.read('data.bin', 0, 10))).code).toBe('network_failed')
    expect(server.log).toHaveLength(5)
    for (const retryAfter of [() => '1', () => new Date(Date.now() + 2500).toUTCString()]) {
      server.faults.set('m/data.bin', { kind: 'status', status: 429, retryAfter: retryAfter(), times: 1 })
      const from = performance.now()
      same(await files.read('data.bin', 0, 10), data.slice(0, 10))
      expect(performance.now() - from).toBeGreaterThan(900)
      expect(performance.now() - from).toBeLessThan(10_000)
    }
  })

  test('Retry-After: nonsense counts as none, a day as a minute; an abort does not wait', async () => {
    const files = source({ pause: 5 })
    await files.size('data.bin')
    for (const retryAfter of ['soon', '-5', '1e3', 'Mon, 01 Jan 2001 00:00:00 GMT']) {
      server.faults.set('m/data.bin', { kind: 'status', status: 429, retryAfter, times: 1 })
      const from = performance.now()
      same(await files.read('data.bin', 0, 10), data.slice(0, 10))
      expect(performance.now() - from).toBeLessThan(900)
    }
    const timers = vi.spyOn(globalThis, 'setTimeout')
    server.faults.set('m/data.bin', { kind: 'status', status: 429, retryAfter: '86400', times: 1 })
    const stop = new AbortController()
    const read = code(files.read('data.bin', 0, 10, stop.signal))
    await vi.waitFor(() => expect(timers.mock.calls.map(([, wait]) => wait)).toContain(60_000), { timeout: 5000 })
    stop.abort()
    expect((await read).code).toBe('aborted')
    timers.mockRestore()
  })

  test('a connection that says nothing more counts as cut', async () => {
    const files = source({ pause: 5, stall: 100 })
    await files.size('data.bin')
    server.log.length = 0
    server.faults.set('m/data.bin', { kind: 'hold', after: 4000, times: 1 })
    same(await files.read('data.bin', 0, 100_000), data)
    expect(ranges()).toEqual(['bytes=0-99999', 'bytes=4000-99999'])
  })

  test('a stream hands on what comes, before the rest', async () => {
    const files = source({ pause: 5 })
    await files.size('data.bin')
    server.faults.set('m/data.bin', { kind: 'hold', after: 4000, times: 1 })
    const stop = new AbortController()
    let got = 0
    const reading = (async () => {
      for await (const chunk of files.stream!('data.bin', 0, 100_000, stop.signal)) {
        same(chunk, data.slice(got, got + chunk.length))
        got += chunk.length
        if (got === 4000) setTimeout(() => stop.abort(), 20)
      }
    })()
    const from = performance.now()
    expect((await code(reading)).code).toBe('aborted')
    expect(performance.now() - from).toBeLessThan(1000)
    expect(got).toBe(4000)
    // Left before its end: the request ends too.
    for await (const chunk of files.stream!('data.bin', 0, 100_000)) {
      expect(chunk.length).toBeGreaterThan(0)
      break
    }
  })

  test('a server without ranges is read once', async () => {
    server.faults.set('m/data.bin', { kind: 'ignore-range' })
    const files = source()
    expect(await files.size('data.bin')).toBe(data.length)
    same(await files.read('data.bin', 10, 20), data.slice(10, 20))
    same(await files.read('data.bin', 50_000, 100_000), data.slice(50_000))
    expect(ranges()).toEqual(['bytes=0-1'])
  })
})

describe('faults that are told', () => {
  const told: [string, Fault, GlmError['code'], RegExp][] = [
    ['not found', { kind: 'status', status: 404 }, 'file_missing', /check the address/],
    ['gone', { kind: 'status', status: 410 }, 'file_missing', /check the address/],
    ['unauthorised', { kind: 'status', status: 401 }, 'file_missing', /headers/],
    ['forbidden', { kind: 'status', status: 403 }, 'file_missing', /headers/],
    ['a web page', { kind: 'html' }, 'file_missing', /web page/],
    ['teapot', { kind: 'status', status: 418 }, 'network_failed', /418/],
    ['always 503', { kind: 'status', status: 503 }, 'network_failed', /503/],
    ['416', { kind: 'status', status: 416, skip: 1 }, 'file_truncated', /shorter/],
    ['always cut', { kind: 'cut', after: 0, skip: 1 }, 'network_failed', /load again/],
    ['always short', { kind: 'short', after: 0, skip: 1 }, 'file_truncated', /shorter/],
    ['the wrong range', { kind: 'wrong-range', skip: 1 }, 'network_failed', /bytes 1-999\/100000/],
    ['an unreadable range', { kind: 'hidden-range' }, 'network_failed', /Content-Range/],
    ['more than asked', { kind: 'too-long', skip: 1 }, 'network_failed', /more bytes/],
    ['another ETag', { kind: 'changed', skip: 1 }, 'file_invalid', /changed/],
  ]
  test.concurrent.each(told)('%s', async (_, fault, wanted, message) => {
    const own = await startServer({ files: { 'data.bin': data } })
    servers.push(own)
    own.faults.set('data.bin', { ...fault })
    const error = await code(httpSource({ base: own.url, pause: 5 }).read('data.bin', 0, 1000))
    expect(error.code).toBe(wanted)
    expect(error.message).toMatch(message)
  })

  test('a file that changes between two reads, and in the middle of one', async () => {
    const files = source()
    await files.read('data.bin', 0, 10)
    server.files.set('m/data.bin', data.slice().reverse())
    expect((await code(files.read('data.bin', 0, 10))).code).toBe('file_invalid')
    const other = source()
    await other.size('data.bin')
    server.faults.set('m/data.bin', { kind: 'cut', after: 100, times: 1 })
    const reading = code(other.read('data.bin', 0, 1000))
    await new Promise((resolve) => setTimeout(resolve, 100))
    server.files.set('m/data.bin', data)
    expect((await reading).code).toBe('file_invalid')
  })

  test('a changed file is noticed by its size where there are no ETags', async () => {
    const bare: typeof fetch = async (...request) => {
      const answer = await fetch(...request)
      const headers = new Headers(answer.headers)
      headers.delete('etag')
      return new Response(answer.body, { status: answer.status, headers })
    }
    const files = source({ fetch: bare })
    await files.size('data.bin')
    server.files.set('m/data.bin', data.slice(0, 50_000))
    expect((await code(files.read('data.bin', 0, 10))).code).toBe('file_invalid')
  })

  test('past the end: told before memory is taken', async () => {
    const files = source()
    expect((await code(files.read('data.bin', 0, 2 ** 50))).code).toBe('file_truncated')
    expect(ranges()).toEqual(['bytes=0-1'])
    expect((await code(files.read('data.bin', 5, 4))).code).toBe('internal')
  })

  test('nobody there', async () => {
    const error = await code(httpSource({ base: 'http://127.0.0.1:1/', pause: 5 }).size('data.bin'))
    expect(error.code).toBe('network_failed')
    expect(error.cause).toBeDefined()
  })

  test('a large file of a server without ranges is not taken', async () => {
    const huge: typeof fetch = async () => new Response(new Uint8Array(8), { headers: { 'content-length': String(2 ** 40) } })
    expect((await code(source({ fetch: huge }).size('data.bin'))).message).toMatch(/ignores Range/)
    let sent = 0
    const endless = () =>
      new ReadableStream({
        pull(control) {
          sent += 2 ** 24
          control.enqueue(new Uint8Array(2 ** 24))
        },
      })
    expect((await code(source({ fetch: async () => new Response(endless()) }).size('data.bin'))).message).toMatch(/ignores Range/)
    expect(sent).toBeLessThan(2 ** 29)
  })
})

describe('abort', () => {
  test('before, while waiting, and between tries; the reason is the cause', async () => {
    const reason = new Error('enough')
    expect((await code(source().size('data.bin', AbortSignal.abort(reason)))).cause).toBe(reason)
    for (const fault of [{ kind: 'slow' }, { kind: 'status', status: 500 }] as Fault[]) {
      server.faults.set('m/data.bin', fault)
      const stop = new AbortController()
      setTimeout(() => stop.abort(reason), 100)
      const from = performance.now()
      const error = await code(source().read('data.bin', 0, 10, stop.signal))
      expect([error.code, error.cause]).toEqual(['aborted', reason])
      expect(performance.now() - from).toBeLessThan(1000)
    }
  })

  test('one caller that aborts does not stop another', async () => {
    server.faults.set('m/data.bin', { kind: 'slow', times: 1 })
    const files = source()
    const stop = new AbortController()
    const first = code(files.size('data.bin', stop.signal))
    const second = files.size('data.bin')
    setTimeout(() => stop.abort(), 50)
    expect((await first).code).toBe('aborted')
    expect(await second).toBe(data.length)
  })
})
