// The hub: names, the question for files, what is read at which commit, what goes to which origin, and answers that lie.

import { createHash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { readModel } from '../../src/engine/checkpoint.ts'
import { GlmError } from '../../src/errors.ts'
import { hubSource, parseAnswer, parseModelName } from '../../src/weights/hub.ts'
import { openHub } from '../../src/weights/open.ts'
import { readJson } from '../../src/weights/source.ts'
import { startHub, type TestHub } from '../hub.ts'

const checkpoint = fileURLToPath(new URL('../fixtures/checkpoints/glm-chat-bf16', import.meta.url))
const bytes = (length: number, seed: number) => Uint8Array.from({ length }, (_, at) => (at * seed) & 255)
const model = bytes(5000, 3)
let hub: TestHub

beforeAll(async () => {
  hub = await startHub({
    'some/safe': { folder: checkpoint, revisions: ['v1', 'refs/pr/1'] },
    'some/ggufs': {
      files: {
        'README.md': bytes(20, 1),
        'm-Q4_K_M.gguf': model,
        'm-Q8_0.gguf': bytes(9000, 5),
        'deep/dir name/m-F16.gguf': bytes(18000, 7),
        'mmproj-F16.gguf': bytes(4, 1),
      },
    },
    'some/private': { files: { 'm.gguf': model }, token: 'secret' },
  })
})
afterAll(() => hub.close())
afterEach(() => {
  hub.mutate = undefined
  hub.log.length = hub.cdn.log.length = 0
})

const open = (repository: string, rest: Partial<Parameters<typeof hubSource>[0]> = {}) =>
  hubSource({ repository, hub: hub.url, pause: 1, ...rest })

describe('names', () => {
  test.each([
    ['a/b', { repository: 'a/b' }],
    ['hf:zai-org/glm-edge-1.5b-chat', { repository: 'zai-org/glm-edge-1.5b-chat' }],
    ['a/b@v1', { repository: 'a/b', revision: 'v1' }],
    ['a/b@refs/pr/1', { repository: 'a/b', revision: 'refs/pr/1' }],
    ['a/b/c.gguf', { repository: 'a/b', file: 'c.gguf' }],
    ['a/b/sub dir/c.GGUF', { repository: 'a/b', file: 'sub dir/c.GGUF' }],
    ['hf:a/b@0123/d/c.gguf', { repository: 'a/b', revision: '0123', file: 'd/c.gguf' }],
    ['a/b@refs/pr/12/c.gguf', { repository: 'a/b', revision: 'refs/pr/12', file: 'c.gguf' }],
    ['https://huggingface.co/a/b', { repository: 'a/b' }],
    ['https://huggingface.co/a/b/?library=x#y', { repository: 'a/b' }],
    ['https://hf.co/a/b/tree/main', { repository: 'a/b', revision: 'main' }],
    ['https://huggingface.co/a/b/tree/refs%2Fpr%2F1', { repository: 'a/b', revision: 'refs/pr/1' }],
    ['https://huggingface.co/a/b/blob/main/c.gguf', { repository: 'a/b', revision: 'main', file: 'c.gguf' }],
    ['https://huggingface.co/a/b/resolve/v1/d%20e/c.gguf?download=true', { repository: 'a/b', revision: 'v1', file: 'd e/c.gguf' }],
    ['http://mirror.test/hub/a/b', { repository: 'a/b' }],
  ])('%s', (text, wanted) => expect(parseModelName(text, 'http://mirror.test/hub/')).toEqual(wanted))

  test.each([
    ...['', 'a', '/a/b', './a/b', '../b', 'a//b', 'a/', 'a/b/', 'a/b/c', 'a/b/c.bin', 'a/..', 'a/b@', 'a/b@..', 'a/b@x/../c.gguf'],
    ...[
      'a/b/../c.gguf',
      'a/b//c.gguf',
      'a/b/c\\d.gguf',
      'a/b/c\n.gguf',
      'C:\\a\\b',
      'https://example.com/a/b',
      'ftp://a/b',
      'hf:',
      'a b/c',
    ],
    ...['https://huggingface.co/a', 'https://huggingface.co/a/b/blob/main', 'https://huggingface.co/a/b/blob/main/config.json'],
    ...[
      'https://huggingface.co/a/b/tree/main/sub',
      'https://huggingface.co/a/b/raw/main/c.gguf',
      'https://huggingface.co/a/b/blob/%E0/c.gguf',
    ],
    ...['https://huggingface.co/a/b/blob/main/..%2F..%2Fc.gguf', `${'a'.repeat(200)}/b`],
  ])('%j is none', (text) => expect(parseModelName(text)).toBeUndefined())

  test('any text is a name or none, at once', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^(hf:)?[a./@%-]{0,30}(\.gguf)?$/)), (text) => {
        const name = parseModelName(text)
        if (name) expect(`${name.repository}/${name.file ?? ''}`.split('/').some((part) => part === '..')).toBe(false)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('a repository', () => {
  test('is read at the commit that was told, by range, large files through a redirect', async () => {
    const source = await open('some/ggufs', { file: 'm-Q4_K_M.gguf' })
    const commit = hub.commit('some/ggufs')
    expect(source).toMatchObject({ name: `some/ggufs@${commit.slice(0, 12)}/m-Q4_K_M.gguf`, revision: commit, entry: 'm-Q4_K_M.gguf' })
    expect(await source.size('m-Q4_K_M.gguf')).toBe(5000)
    expect(hub.log.map(({ path }) => path)).toEqual(['api/models/some/ggufs/revision/main'])
    expect(await source.read('m-Q4_K_M.gguf', 100, 4000)).toEqual(model.slice(100, 4000))
    expect(await source.read('deep/dir name/m-F16.gguf', 0, 10)).toEqual(bytes(18000, 7).slice(0, 10))
    expect(new Set(hub.log.slice(1).map(({ path }) => path.startsWith(`some/ggufs/resolve/${commit}/`)))).toEqual(new Set([true]))
    expect(hub.cdn.log.map(({ range }) => range)).toContain('bytes=100-3999')
  })

  test('lists its files with sizes, and with hashes where they are published', async () => {
    const source = await open('some/ggufs')
    const files = await source.list()
    expect(files.map(({ path }) => path).sort()).toEqual([
      'README.md',
      'deep/dir name/m-F16.gguf',
      'm-Q4_K_M.gguf',
      'm-Q8_0.gguf',
      'mmproj-F16.gguf',
    ])
    expect(source.sha256('m-Q4_K_M.gguf')).toBe(createHash('sha256').update(model).digest('hex'))
    expect(source.sha256('README.md')).toBeUndefined()
    expect(source.entry).toBeUndefined()
    await expect(source.size('config.json')).rejects.toMatchObject({ code: 'file_missing' })
    await expect(source.read('../x', 0, 1)).rejects.toMatchObject({ code: 'file_missing' })
  })

  test('of safetensors is read as a folder is; a branch is asked for by its name', async () => {
    const source = await open('some/safe', { revision: 'refs/pr/1' })
    expect(hub.log[0]!.path).toBe('api/models/some/safe/revision/refs/pr/1')
    expect(source.name).toBe(`some/safe@${hub.commit('some/safe').slice(0, 12)}`)
    const { config, checkpoint } = await readModel(source)
    expect(config.family).toBe('glm')
    expect(checkpoint.tensors.size).toBeGreaterThan(4)
    expect(await readJson(source, 'config.json')).toMatchObject({ model_type: 'glm' })
  })

  test('a token goes to the hub, never to where the files lie; other headers are refused', async () => {
    const source = await open('some/private', { headers: { Authorization: 'Bearer secret' } })
    expect(await source.read('m.gguf', 0, 4)).toEqual(model.slice(0, 4))
    expect(hub.log.every(({ headers }) => headers.authorization === 'Bearer secret')).toBe(true)
    expect(hub.cdn.log.length).toBeGreaterThan(0)
    expect(hub.cdn.log.filter(({ headers }) => 'authorization' in headers)).toEqual([])
    const wrong = open('some/private', { headers: { 'x-key': 'secret' } })
    await expect(wrong).rejects.toMatchObject({ code: 'request_invalid', message: expect.stringContaining('x-key') })
  })

  test('a file that has another size where it lies is noticed', async () => {
    const source = await open('some/ggufs')
    hub.cdn.files.set('some/ggufs/m-Q8_0.gguf', bytes(100, 1))
    await expect(source.read('m-Q8_0.gguf', 0, 10)).rejects.toMatchObject({ code: 'file_invalid' })
    hub.cdn.files.set('some/ggufs/m-Q8_0.gguf', bytes(9000, 5))
  })

  test('of several GGUFs one is chosen, and named', async () => {
    const options = { hub: hub.url, pause: 1 }
    const { source, chosen } = await openHub('some/ggufs', options)
    expect(source.entry).toBe('m-Q4_K_M.gguf')
    expect(source.name).toBe(`some/ggufs@${hub.commit('some/ggufs').slice(0, 12)}/m-Q4_K_M.gguf`)
    expect(chosen?.variants.map(({ label }) => label)).toEqual(['F16', 'Q8_0', 'Q4_K_M'])
    expect((await openHub('some/ggufs', { ...options, want: 'q8_0' })).source.entry).toBe('m-Q8_0.gguf')
    expect((await openHub('some/ggufs/m-Q8_0.gguf', options)).chosen).toBeUndefined()
    expect((await openHub('some/safe', options)).source.entry).toBeUndefined()
    await expect(openHub('nothing', options)).rejects.toMatchObject({ code: 'model_unknown' })
  })
})

describe('what goes wrong is said', () => {
  const faults: [string, Partial<Parameters<typeof hubSource>[0]>, string, RegExp][] = [
    ['some/nothing', {}, 'model_unknown', /The hub has no some\/nothing; check/],
    ['some/safe', { revision: 'v9' }, 'model_unknown', /no some\/safe at v9/],
    ['some/safe', { file: 'm.gguf' }, 'file_missing', /m\.gguf is not in some\/safe/],
    ['some/private', {}, 'file_missing', /\(401\): it is private, wants its terms accepted, or does not exist/],
    ['../x', {}, 'request_invalid', /is not a repository/],
    ['some/safe', { file: '../m.gguf' }, 'request_invalid', /is not a repository/],
    ['some/safe', { hub: 'here' }, 'request_invalid', /is not the address of a hub/],
    ['some/safe', { hub: 'file:///x' }, 'request_invalid', /is not the address of a hub/],
    ['some/safe', { hub: 'http://127.0.0.1:9/' }, 'network_failed', /could not be asked for some\/safe/],
    ['some/safe', { signal: AbortSignal.abort() }, 'aborted', /aborted/],
  ]
  test.each(faults)('%s %j', async (repository, rest, code, message) => {
    await expect(open(repository, rest)).rejects.toMatchObject({ name: 'GlmError', code, message: expect.stringMatching(message) })
  })

  test('a hub that is busy is asked again, a few times', async () => {
    let busy = 2
    hub.mutate = (answer) => (busy-- > 0 ? 503 : answer)
    expect((await open('some/safe')).revision).toBe(hub.commit('some/safe'))
    expect(hub.log).toHaveLength(3)
    hub.mutate = () => 429
    await expect(open('some/safe')).rejects.toMatchObject({ code: 'network_failed', message: expect.stringContaining('429') })
  })

  test('an answer without end is left', async () => {
    hub.mutate = (answer) => ({ ...answer, tags: 'x'.repeat(5 * 2 ** 20) })
    await expect(open('some/safe')).rejects.toMatchObject({ code: 'file_invalid', message: expect.stringContaining('larger than') })
  })

  const commit = 'a'.repeat(40)
  const file = { rfilename: 'a.gguf', size: 1 }
  test.each([
    ['no JSON', '<html>'],
    ['an array', '[]'],
    ['no commit', { siblings: [] }],
    ['a short commit', { sha: 'abc', siblings: [] }],
    ['no files', { sha: commit }],
    ['too many files', { sha: commit, siblings: Array.from({ length: 10_001 }, (_, at) => ({ ...file, rfilename: `${at}` })) }],
    ['a path that leads out', { sha: commit, siblings: [{ ...file, rfilename: '../a.gguf' }] }],
    ['an absolute path', { sha: commit, siblings: [{ ...file, rfilename: '/a.gguf' }] }],
    ['a path with a backslash', { sha: commit, siblings: [{ ...file, rfilename: 'a\\..\\b' }] }],
    ['no size', { sha: commit, siblings: [{ rfilename: 'a' }] }],
    ['a negative size', { sha: commit, siblings: [{ ...file, size: -1 }] }],
    ['a file twice', { sha: commit, siblings: [file, file] }],
    ['no usable hash', { sha: commit, siblings: [{ ...file, lfs: { sha256: 'x' } }] }],
  ])('%s', async (_, answer) => {
    hub.mutate = () => answer
    await expect(open('some/safe')).rejects.toMatchObject({ code: 'file_invalid' })
  })

  test('another commit than the one asked for', async () => {
    hub.mutate = (answer) => ({ ...answer, sha: commit })
    await expect(open('some/safe', { revision: hub.commit('some/safe') })).rejects.toMatchObject({
      message: expect.stringContaining('another commit'),
    })
  })
})

test('mutated answers: a GlmError or files whose paths stay inside', () => {
  const whole = {
    id: 'a/b',
    sha: 'b'.repeat(40),
    siblings: [
      { rfilename: 'config.json', size: 700, blobId: 'x' },
      { rfilename: 'sub/m.gguf', size: 2 ** 31, lfs: { sha256: 'c'.repeat(64), size: 2 ** 31, pointerSize: 134 } },
    ],
  }
  const text = JSON.stringify(whole)
  const encode = (text: string) => new TextEncoder().encode(text)
  const check = (answer: Uint8Array) => {
    try {
      for (const { path, size } of parseAnswer(answer, 'a/b', 'main').files.values()) {
        expect(path.split('/').some((part) => ['', '.', '..'].includes(part))).toBe(false)
        expect(Number.isSafeInteger(size) && size >= 0).toBe(true)
      }
    } catch (error) {
      if (!(error instanceof GlmError)) throw error
      expect(error.code).toBe('file_invalid')
    }
  }
  const cut = fc.tuple(fc.nat(text.length), fc.nat(12), fc.string({ maxLength: 12, unit: 'binary' }))
  fc.assert(
    fc.property(cut, ([at, length, put]) => check(encode(text.slice(0, at) + put + text.slice(at + length)))),
    { numRuns: 3000 },
  )
  fc.assert(
    fc.property(fc.constantFrom('id', 'sha', 'siblings'), fc.jsonValue(), (key, value) =>
      check(encode(JSON.stringify({ ...whole, [key]: value }))),
    ),
    { numRuns: 1000 },
  )
  const fields = fc.record({ rfilename: fc.jsonValue(), size: fc.jsonValue(), lfs: fc.jsonValue() }, { requiredKeys: [] })
  fc.assert(
    fc.property(fc.array(fields), (siblings) => check(encode(JSON.stringify({ ...whole, siblings })))),
    { numRuns: 2000 },
  )
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), check), { numRuns: 1000 })
})
