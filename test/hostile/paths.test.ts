// Names of files come from other files. None of them leads out of the folder, to another origin, or to anything that is no file.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { GlmError } from '../../src/errors.ts'
import { filesSource } from '../../src/weights/files.ts'
import { folderSource } from '../../src/weights/folder.ts'
import { httpSource } from '../../src/weights/http.ts'
import { parseIndex } from '../../src/weights/safetensors.ts'
import type { Source } from '../../src/weights/source.ts'

/** Paths that lead out where they are taken at their word. */
const out = ['..', '../x', '../models2/x', 'a/../../b', 'a/b/../../../x', './../x', '/etc/passwd', '//host/x', '///x']
/** Paths that lead out on some systems, or after another decoding. */
const odd = [
  'C:\\x',
  'C:/x',
  '\\\\host\\x',
  '\\host',
  '..\\x',
  'a\\..\\..\\x',
  '%2e%2e/x',
  '%2e%2e%2fx',
  '..%2fx',
  '%252e%252e/x',
  'https://evil.example/x',
  'https:evil.example',
  'file:///etc/passwd',
  'javascript:alert(1)',
  'data:text/plain,x',
  'x?token=1',
  'x#part',
  '@evil.example/x',
  'a\0b',
  '.\u202e',
  '\r\nHost: evil.example',
  'n'.repeat(100_000),
  'a/'.repeat(5000),
  '．．/x',
]
const none = ['', '.', './']
const all = [...out, ...odd, ...none]
const shown = (path: string) => [JSON.stringify(path).slice(0, 40), path] as const

describe('names in an index', () => {
  test.each(all.flatMap((path) => [path, `${path}.safetensors`, `${path}/x.safetensors`, `x.safetensors${path}`]).map(shown))(
    '%s',
    (_, path) => {
      if (/^[\w][\w.-]*\.safetensors$/.test(path)) return
      const index = () => parseIndex({ weight_map: { a: 'x.safetensors', b: path } })
      expect(index).toThrow(expect.objectContaining({ name: 'GlmError', code: 'file_invalid' }))
    },
  )

  test('a plain name with dots in it stays in the folder', () => {
    expect(parseIndex({ weight_map: { a: 'a..b.safetensors' } }).get('a')).toBe('a..b.safetensors')
  })
})

/** What the source says to a path: a GlmError, from asking the size and from reading. */
async function asked(source: Source, path: string): Promise<GlmError[]> {
  const errors: GlmError[] = []
  for (const call of [() => source.size(path), () => source.read(path, 0, 1)]) {
    const error = await call().then(
      () => undefined,
      (reason: unknown) => reason,
    )
    expect(error).toBeInstanceOf(GlmError)
    errors.push(error as GlmError)
  }
  return errors
}

describe('a folder on the web', () => {
  const base = 'https://models.example/glm/models/'
  const requests: string[] = []
  const source = httpSource({
    base: `${base}?token=secret#x`,
    pause: 0,
    fetch: async (input) => {
      requests.push(String(input))
      return new Response('', { status: 404 })
    },
  })

  test.each(out.map(shown))('%s is not asked for', async (_, path) => {
    requests.length = 0
    for (const { code } of await asked(source, path)) expect(code).toBe('file_invalid')
    expect(requests).toEqual([])
  })

  test.each([...odd, ...none, 'a/../b', 'ordinary.safetensors'].map(shown))('%s stays in the folder', async (_, path) => {
    requests.length = 0
    await asked(source, path)
    for (const request of requests) {
      const { origin, href, search, hash } = new URL(request)
      expect([origin, search, hash]).toEqual(['https://models.example', '', ''])
      expect(href.startsWith(base)).toBe(true)
      // A server that decodes once finds no way up either.
      const decoded = decodeURIComponent(href.slice(base.length))
      expect(decoded === path || !decoded.split('/').includes('..')).toBe(true)
    }
  })
})

describe('a folder on disk', () => {
  let root = ''
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'hostile-'))
    await writeFile(join(root, 'x'), 'outside')
    await writeFile(join(root, 'model.gguf'), 'GGUF')
  })
  afterAll(() => rm(root, { recursive: true }))

  test.each(all.map(shown))('%s', async (_, path) => {
    const { mkdir } = await import('node:fs/promises')
    await mkdir(join(root, 'model'), { recursive: true })
    for (const source of [folderSource(join(root, 'model')), folderSource(join(root, 'model.gguf'))]) {
      // In the folder of the GGUF there is an `x`: what leads out must not come back to it by another name.
      if (path === 'x' || (path === './../x' && source.entry)) continue
      for (const error of await asked(source, path)) {
        expect(error.code).toMatch(/file_(invalid|missing)/)
        if (out.includes(path)) expect(error.code).toBe('file_invalid')
      }
    }
  })
})

describe('files that were given', () => {
  test.each(all.map(shown))('%s', async (_, path) => {
    const source = await filesSource([
      { path: 'model/config.json', file: new Blob(['{}']) },
      { path: 'model/x', file: new Blob(['x']) },
    ])
    for (const { code } of await asked(source, path)) expect(code).toBe('file_missing')
  })

  test('names out of a prototype are none', async () => {
    const source = await filesSource([{ path: 'config.json', file: new Blob(['{}']) }])
    for (const path of ['__proto__', 'constructor', 'toString'])
      for (const { code } of await asked(source, path)) expect(code).toBe('file_missing')
  })
})
