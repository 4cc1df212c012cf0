// A hub of our own on 127.0.0.1, as far as models are read from one: the question for a repository's files, and files that lie in it or, the
// large ones, behind a redirect on another origin (test/server.ts, whose faults hold here too).
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { startServer, type TestServer } from './server.ts'

export interface TestRepository {
  /** Path → bytes. */
  files?: Record<string, Uint8Array>
  /** Or a folder of the disk. */
  folder?: string
  /** Names of the commit beside `main` and itself. */
  revisions?: string[]
  /** Without `authorization: Bearer …` of it the hub answers 401. */
  token?: string
}

export interface TestHub {
  /** Ends with `/`. */
  url: string
  /** Where large files lie, by `owner/name/path`. */
  cdn: TestServer
  log: { path: string; headers: IncomingMessage['headers'] }[]
  /** Changes the answer to the question for files: an object, the text of a body, or a status. */
  mutate: ((answer: Record<string, unknown>) => unknown) | undefined
  /** Of a repository. */
  commit(repository: string): string
  close(): Promise<void>
}

const isLarge = (path: string) => /\.(gguf|safetensors|bin)$/.test(path)

export async function startHub(repositories: Record<string, TestRepository>): Promise<TestHub> {
  const all = new Map(Object.entries(repositories).map(([name, one]) => [name, { ...one, files: filesOf(one) }]))
  const cdnFiles = [...all].flatMap(([name, { files }]) =>
    Object.entries(files).map(([path, bytes]) => [`${name}/${path}`, bytes] as const),
  )
  const cdn = await startServer({ files: Object.fromEntries(cdnFiles) })
  const commit = (repository: string) => createHash('sha1').update(repository).digest('hex')
  const log: TestHub['log'] = []
  const hub: TestHub = { url: '', cdn, log, mutate: undefined, commit, close: async () => {} }

  const server = createServer((incoming, response) => {
    const path = decodeURIComponent(new URL(incoming.url ?? '/', 'http://x').pathname.slice(1))
    response.setHeader('access-control-allow-origin', '*')
    response.setHeader('access-control-expose-headers', 'content-range, content-length, etag, x-linked-etag, x-linked-size')
    if (incoming.method === 'OPTIONS') {
      return response.writeHead(204, { 'access-control-allow-headers': 'range, if-range, authorization' }).end()
    }
    log.push({ path, headers: incoming.headers })
    const [, , owner, name, revision] = /^(api\/models\/)?([^/]+)\/([^/]+)\/(?:revision|resolve)\/(.*)$/.exec(path) ?? []
    const repository = all.get(`${owner}/${name}`)
    if (!repository || revision === undefined) return response.writeHead(owner ? 404 : 400).end()
    if (repository.token && incoming.headers.authorization !== `Bearer ${repository.token}`) return response.writeHead(401).end()
    const own = commit(`${owner}/${name}`)
    const names = ['main', own, ...(repository.revisions ?? [])]
    if (path.startsWith('api/')) {
      return names.includes(revision) ? tell(response, answerOf(own, repository.files), hub.mutate) : response.writeHead(404).end()
    }
    const revised = names.find((one) => revision.startsWith(`${one}/`))
    const file = revised && revision.slice(revised.length + 1)
    const bytes = file && Object.hasOwn(repository.files, file) ? repository.files[file] : undefined
    if (!bytes) return response.writeHead(404, { 'x-error-code': 'EntryNotFound' }).end()
    const url = `${cdn.url}${owner}/${name}/${file!.split('/').map(encodeURIComponent).join('/')}`
    if (!isLarge(file!)) return pass(incoming, response, url)
    const linked = { 'x-linked-etag': `"${sha256(bytes)}"`, 'x-linked-size': bytes.length, 'x-repo-commit': own }
    return response.writeHead(302, { location: `${url}?signature=test`, ...linked }).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  hub.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  hub.close = async () => {
    await new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
    await cdn.close()
  }
  return hub
}

function filesOf({ files = {}, folder }: TestRepository): Record<string, Uint8Array> {
  if (!folder) return files
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((path) => path.replaceAll('\\', '/'))
  const own = paths.filter((path) => statSync(join(folder, path)).isFile())
  return { ...Object.fromEntries(own.map((path) => [path, new Uint8Array(readFileSync(join(folder, path)))])), ...files }
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** The shape of the hub's own answer, as far as it is read. */
function answerOf(sha: string, files: Record<string, Uint8Array>): Record<string, unknown> {
  const siblings = Object.entries(files).map(([rfilename, bytes]) => {
    const blobId = createHash('sha1').update(bytes).digest('hex')
    const lfs = { sha256: sha256(bytes), size: bytes.length, pointerSize: 134 }
    return { rfilename, size: bytes.length, blobId, ...(isLarge(rfilename) ? { lfs } : {}) }
  })
  return { id: 'test', sha, siblings, private: false, tags: ['gguf'] }
}

function tell(response: ServerResponse, answer: Record<string, unknown>, mutate: TestHub['mutate']) {
  const said = mutate ? mutate(answer) : answer
  if (typeof said === 'number') return response.writeHead(said).end()
  return response.writeHead(200, { 'content-type': 'application/json' }).end(typeof said === 'string' ? said : JSON.stringify(said))
}

function pass(incoming: IncomingMessage, response: ServerResponse, url: string) {
  const { range, 'if-range': condition } = incoming.headers
  const headers = { ...(range ? { range } : {}), ...(condition ? { 'if-range': String(condition) } : {}) }
  request(url, { headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 500, answer.headers)
    answer.pipe(response)
  }).end()
}
