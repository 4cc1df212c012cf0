// A repository on the Hugging Face hub, or on a mirror of it. One question tells its commit, files, sizes and hashes; every byte then comes from
// that commit, so that a push under way cannot mix two versions. What the hub answers is untrusted.
import { asGlmError, GlmError, throwIfAborted } from '../errors.ts'
import { httpSource, pause } from './http.ts'
import type { Source } from './source.ts'

export const defaultHub = 'https://huggingface.co'

/** What a model's name says: `owner/name`, a revision behind `@`, and a GGUF file in it. */
export interface HubName {
  /** `owner/name` */
  repository: string
  /** A branch, a tag or a commit. Default `main`. */
  revision?: string
  /** A GGUF file in the repository. */
  file?: string
}

export interface HubOptions extends HubName {
  /** Address of the hub; a mirror's may have a path. */
  hub?: string
  fetch?: typeof fetch
  /**
   * A token, as `authorization`. It goes to the hub only: files lie on other origins, to which `fetch` does not take it along. Other headers it
   * would, so they are refused.
   */
  headers?: Record<string, string>
  /** Milliseconds before the second try, as in http.ts. */
  pause?: number
  signal?: AbortSignal
}

export interface HubFile {
  path: string
  size: number
  /** Of the whole file, where the hub publishes it (files in LFS). */
  sha256?: string
}

/** A repository at one commit. */
export interface HubSource extends Source {
  readonly revision: string
  list(): Promise<HubFile[]>
  sha256(path: string): string | undefined
}

const answerLimit = 4 * 2 ** 20
const filesLimit = 10_000
const tries = 3

// ── names ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** `owner/name`, `owner/name@revision`, either with `/path/file.gguf`, `hf:` in front, or a page's address on the hub; undefined where it is none. */
export function parseModelName(text: string, hub = defaultHub): HubName | undefined {
  const page = pageOf(text, [hub, defaultHub, 'https://hf.co'])
  if (page !== undefined) return parsePage(page)
  const found = /^(?:hf:)?([^/@]+\/[^/@]+)(?:@(refs\/[\w-]+\/[^/@]+|[^/@]+))?(?:\/(.+))?$/.exec(text)
  return found ? checkedName(found[1]!, found[2], found[3]) : undefined
}

/** What follows a hub's address. */
function pageOf(text: string, hubs: string[]): string | undefined {
  for (const hub of hubs) {
    const base = `${hub.replace(/\/+$/, '')}/`
    if (text.toLowerCase().startsWith(base.toLowerCase())) return text.slice(base.length).replace(/[?#].*/s, '')
  }
  return undefined
}

/** `owner/name`, `owner/name/tree/revision`, `owner/name/blob/revision/file` or `owner/name/resolve/revision/file`. */
function parsePage(page: string): HubName | undefined {
  const [owner = '', name = '', kind, revision, ...rest] = page.replace(/\/+$/, '').split('/').map(decoded)
  const repository = `${owner}/${name}`
  if (kind === undefined) return checkedName(repository, undefined, undefined)
  if (revision === undefined || !['tree', 'blob', 'resolve'].includes(kind)) return undefined
  if (kind === 'tree') return rest.length === 0 ? checkedName(repository, revision, undefined) : undefined
  return checkedName(repository, revision, rest.join('/'))
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return '\0' // no name holds it
  }
}

function checkedName(repository: string, revision: string | undefined, file: string | undefined): HubName | undefined {
  const whole = isRepository(repository) && (revision === undefined || isRevision(revision))
  if (!whole || (file !== undefined && !(isPath(file) && /\.gguf$/i.test(file)))) return undefined
  return { repository, ...(revision === undefined ? {} : { revision }), ...(file === undefined ? {} : { file }) }
}

const isRepository = (text: string): boolean => /^[A-Za-z0-9][\w.-]{0,95}\/[A-Za-z0-9][\w.-]{0,95}$/.test(text) && !text.includes('..')
const isRevision = (text: string): boolean => /^[\w][\w./-]{0,199}$/.test(text) && !/\.\.|\/\/|\/$/.test(text)
const isCommit = (text: unknown): text is string => typeof text === 'string' && /^[0-9a-f]{40}$/.test(text)

/** A relative path that leads nowhere but down. */
function isPath(path: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: names with control characters are refused
  if (path.length > 1024 || /[\x00-\x1f\x7f\\]/.test(path)) return false
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
}

// ── the source ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Asks the hub what the repository holds; the source reads it at that commit. */
export async function hubSource(options: HubOptions): Promise<HubSource> {
  const { repository, file, fetch, headers, pause } = options
  checkOptions(options)
  const hub = hubUrl(options.hub ?? defaultHub)
  const { commit, files } = await ask(hub, options)
  if (file !== undefined && !files.has(file)) throw noFile(file, repository)
  const remote = httpSource({
    base: `${hub}${repository}/resolve/${commit}/`,
    ...(fetch ? { fetch } : {}),
    ...(headers ? { headers } : {}),
    ...(pause === undefined ? {} : { pause }),
  })
  const find = (path: string): HubFile => {
    const found = files.get(path)
    if (!found) throw noFile(path, repository)
    return found
  }
  const check = async (path: string, signal?: AbortSignal) => {
    const { size } = find(path)
    const real = await remote.size(path, signal)
    if (real !== size) throw new GlmError('file_invalid', `${path} has ${real} bytes where the hub says ${size}; load the model again.`)
  }
  async function* stream(path: string, start: number, end: number, signal?: AbortSignal) {
    await check(path, signal)
    yield* remote.stream!(path, start, end, signal)
  }
  return {
    ...remote,
    name: `${repository}@${commit.slice(0, 12)}${file === undefined ? '' : `/${file}`}`,
    revision: commit,
    ...(file === undefined ? {} : { entry: file }),
    async size(path, signal) {
      throwIfAborted(signal)
      return find(path).size
    },
    async read(path, start, end, signal) {
      await check(path, signal)
      return remote.read(path, start, end, signal)
    },
    ...(remote.stream ? { stream } : {}),
    list: async () => [...files.values()],
    sha256: (path) => files.get(path)?.sha256,
  }
}

function checkOptions({ repository, revision, file, headers }: HubOptions): void {
  if (!checkedName(repository, revision, file)) {
    const name = `${repository}${revision === undefined ? '' : `@${revision}`}${file === undefined ? '' : `/${file}`}`
    throw new GlmError('request_invalid', `${JSON.stringify(name)} is not a repository of a hub; use owner/name@revision/file.gguf.`)
  }
  const other = Object.keys(headers ?? {}).find((name) => name.toLowerCase() !== 'authorization')
  if (other !== undefined) {
    throw new GlmError('request_invalid', `The header ${other} would follow the hub's redirects to other origins; give authorization only.`)
  }
}

/** Ends with `/`. */
function hubUrl(address: string): string {
  try {
    const url = new URL(address)
    if (!/^https?:$/.test(url.protocol)) throw new TypeError('not http')
    return `${url.origin}${url.pathname.replace(/\/+$/, '')}/`
  } catch (cause) {
    throw new GlmError('request_invalid', `${JSON.stringify(address)} is not the address of a hub; begin it with https://.`, { cause })
  }
}

interface Answer {
  commit: string
  files: Map<string, HubFile>
}

async function ask(hub: string, options: HubOptions): Promise<Answer> {
  const { repository, revision = 'main', signal } = options
  const url = `${hub}api/models/${repository}/revision/${encodeURIComponent(revision)}?blobs=true`
  for (let count = 1; ; count++) {
    throwIfAborted(signal)
    const { answer, passing } = await once(url, options)
    if (answer) return parseAnswer(answer, repository, revision)
    if (count === tries) throw passing
    await pause((options.pause ?? 250) * 3 ** (count - 1), signal)
  }
}

/** One request: its answer, or a fault that may pass; others are thrown. */
async function once(url: string, options: HubOptions): Promise<{ answer?: Uint8Array; passing?: GlmError }> {
  const { repository, headers = {}, signal } = options
  const call = options.fetch ?? ((input, init) => fetch(input, init))
  try {
    const response = await call(url, { headers, signal, cache: 'no-store' })
    const fault = faultOf(response, options)
    if (!fault) return { answer: await bounded(response, repository) }
    await response.body?.cancel().catch(() => {})
    if (response.status !== 429 && response.status < 500) throw fault
    return { passing: fault }
  } catch (cause) {
    throwIfAborted(signal)
    if (cause instanceof GlmError) throw cause
    const passing = `The hub could not be asked for ${repository}: the connection failed, or it forbids this page to ask (CORS); check both.`
    return { passing: new GlmError('network_failed', passing, { cause }) }
  }
}

function faultOf({ status, ok }: Response, { repository, revision }: HubOptions): GlmError | undefined {
  if (ok) return undefined
  if (status === 401 || status === 403) {
    const why =
      'it is private, wants its terms accepted, or does not exist; check the name, and give a token of an account that may read it'
    return new GlmError('file_missing', `The hub does not show ${repository} (${status}): ${why}.`)
  }
  if (status === 404) {
    const where = revision === undefined ? repository : `${repository} at ${revision}`
    return new GlmError('model_unknown', `The hub has no ${where}; check the name.`)
  }
  return new GlmError('network_failed', `The hub answered ${status} when it was asked for ${repository}; try again later.`)
}

/** The body, of which no more is taken than an honest answer has. A reader, because Safari's streams cannot be iterated. */
async function bounded(response: Response, repository: string): Promise<Uint8Array> {
  const reader = response.body?.getReader()
  const parts: Uint8Array[] = []
  let length = 0
  try {
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true, value: undefined }
      if (done || !value) break
      length += value.length
      if (length > answerLimit) throw invalid(repository, `is larger than ${answerLimit} bytes`)
      parts.push(value)
    }
  } finally {
    await reader?.cancel().catch(() => {})
  }
  const whole = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** Commit and files from the hub's JSON. Throws `file_invalid`. */
export function parseAnswer(bytes: Uint8Array, repository: string, revision: string): Answer {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    throw asGlmError(error, 'file_invalid', `The hub's answer about ${repository} is not valid JSON; check the hub's address. `)
  }
  const { sha, siblings } = isObject(json) ? json : {}
  if (!isCommit(sha)) throw invalid(repository, 'names no commit')
  if (isCommit(revision) && sha !== revision) throw invalid(repository, 'is about another commit')
  if (!Array.isArray(siblings)) throw invalid(repository, 'lists no files')
  if (siblings.length > filesLimit) throw invalid(repository, `lists more than ${filesLimit} files`)
  const files = new Map<string, HubFile>()
  for (const sibling of siblings) {
    const file = parseFile(sibling, repository)
    if (files.has(file.path)) throw invalid(repository, `lists ${JSON.stringify(file.path)} twice`)
    files.set(file.path, file)
  }
  return { commit: sha, files }
}

function parseFile(sibling: unknown, repository: string): HubFile {
  const { rfilename: path, size, lfs } = isObject(sibling) ? sibling : {}
  if (typeof path !== 'string' || !isPath(path)) throw invalid(repository, 'lists a file whose path leads out of it')
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw invalid(repository, `gives ${JSON.stringify(path)} no size`)
  if (lfs === undefined || lfs === null) return { path, size }
  const { sha256 } = isObject(lfs) ? lfs : {}
  if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256))
    throw invalid(repository, `gives ${JSON.stringify(path)} no usable hash`)
  return { path, size, sha256 }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)

const invalid = (repository: string, why: string) =>
  new GlmError('file_invalid', `The hub's answer about ${repository} ${why}; check the hub's address.`)

const noFile = (path: string, repository: string) =>
  new GlmError('file_missing', `${path} is not in ${repository} at that revision; check the name.`)
