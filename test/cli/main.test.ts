// Whole runs that need no GPU: what goes to stdout, what to stderr, and the exit code.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { run, sentence } from '../../src/cli/main.ts'
import { createTerminal, size } from '../../src/cli/terminal.ts'
import { GlmError } from '../../src/errors.ts'

const home = fileURLToPath(new URL('../../src', import.meta.url))
const checkpoint = fileURLToPath(new URL('../fixtures/checkpoints/glm-chat-bf16', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'glm-cli-'))
afterAll(() => rmSync(scratch, { recursive: true }))

async function runs(...args: string[]) {
  const streams = { stdout: new PassThrough(), stderr: new PassThrough() }
  const text = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) streams[name].on('data', (bytes) => (text[name] += bytes))
  const terminal = createTerminal(streams.stdout, streams.stderr)
  const code = await run(args, { home, terminal, signal: new AbortController().signal })
  await terminal.flush()
  return { code, ...text }
}

writeFileSync(join(scratch, 'config.json'), '{')
const talk = (name: string, json: unknown) => {
  writeFileSync(join(scratch, name), JSON.stringify(json))
  return join(scratch, name)
}
const lost = [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'no/such.png' } }] }]

const faults: [string, string[], RegExp][] = [
  ['a flag', ['chat', checkpoint, '--frob'], /has no flag --frob/],
  ['no such model', ['score', 'nowhere', '--tokens', '1'], /"nowhere" is not a folder here/],
  ['no such file system', ['doctor', 'ftp://host/model'], /is not a folder here/],
  [
    'a file for a folder',
    ['doctor', join(checkpoint, 'config.json')],
    /is a file, but neither \.gguf nor \.safetensors; give that, or the folder/,
  ],
  ['a folder without a model', ['score', home, '--tokens', '1'], /config\.json cannot be read/],
  ['a broken config', ['score', scratch, '--tokens', '1'], /config\.json is not valid JSON/],
  ['a broken address', ['score', 'https://[', '--tokens', '1'], /is not a URL/],
  ['a token outside the vocabulary', ['score', checkpoint, '--tokens', '306,307'], /Token 307 is outside the vocabulary of 307/],
  ['text without a tokenizer', ['score', checkpoint, '--text', 'x'], /has no tokenizer\.json/],
  ['text without tokens', ['score', 'pocket', '--text', ''], /has no tokens/],
  ['a chat without a tokenizer', ['chat', checkpoint, '--prompt', 'x'], /has no tokenizer\.json/],
  [
    'messages that are not there',
    ['score', checkpoint, '--messages', join(scratch, 'none.json')],
    /none\.json" of --messages cannot be read \(ENOENT\)/,
  ],
  ['messages that are no JSON', ['chat', checkpoint, '--messages', join(scratch, 'config.json')], /of --messages is not valid JSON/],
  ['messages that are no list', ['chat', 'pocket', '--messages', talk('one.json', { role: 'user' })], /holds no list of messages/],
  [
    'a picture that is not there',
    ['score', 'pocket', '--messages', talk('lost.json', lost)],
    /"no\/such\.png" that a message names cannot be read/,
  ],
  ['a message of nobody', ['score', 'pocket', '--messages', talk('nobody.json', [{ role: 'wizard', content: 'x' }])], /role "wizard"/],
  [
    'messages without a template',
    ['score', checkpoint, '--messages', talk('hi.json', [{ role: 'user', content: 'hi' }])],
    /no chat template/,
  ],
  ['a file that cannot be written', ['score', checkpoint, '--tokens', '1', '--logits', join(scratch, 'no/where')], /cannot be written/],
]

test.each(faults)('%s: one sentence on stderr, code 2', async (_, args, wanted) => {
  const { code, stdout, stderr } = await runs(...args)
  expect(stderr).toMatch(wanted)
  expect(stderr).toMatch(/^glm-webgpu: [^\n]+\n$/)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
})

describe('what is asked about the program', () => {
  test('no arguments: usage on stderr, code 2', async () => {
    expect(await runs()).toEqual({ code: 2, stdout: '', stderr: expect.stringContaining('glm-webgpu score MODEL') })
  })

  test('--help and --version: on stdout, code 0', async () => {
    expect(await runs('--help')).toEqual({ code: 0, stdout: expect.stringContaining('doctor [MODEL]'), stderr: '' })
    expect(await runs('--version')).toEqual({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), stderr: '' })
  })
})

test('faults of this package ask for a report, once and on one line', () => {
  expect(sentence(new Error('x is\n  not a function'))).toBe('This is a fault of glm-webgpu, please report it: x is not a function')
  expect(sentence(new GlmError('internal', 'A bug; please report this.'))).toBe('A bug; please report this.')
  expect(sentence('thrown text')).toMatch(/thrown text$/)
})

test('bytes as a person reads them', () => {
  expect([0, 1023, 1024, 1536, 128 * 2 ** 20, 5 * 2 ** 30].map(size)).toEqual([
    '0 bytes',
    '1023 bytes',
    '1 KiB',
    '1.5 KiB',
    '128 MiB',
    '5 GiB',
  ])
})

test('progress repaints one line, on a terminal only', () => {
  const written = (isTTY: boolean) => {
    const stderr = Object.assign(new PassThrough(), { isTTY })
    const terminal = createTerminal(new PassThrough(), stderr)
    terminal.progress({ phase: 'upload', loaded: 1024, total: 2048 })
    terminal.progress({ phase: 'ready', loaded: 2048, total: 2048 })
    terminal.log('Done.')
    return String(stderr.read())
  }
  expect(written(false)).toBe('Done.\n')
  expect(written(true)).toBe('Loading 1 KiB of 2 KiB\r\x1b[KDone.\n')
})
