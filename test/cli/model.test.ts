// MODEL on the command line: what each form of it opens, which goes first, and what is said on stderr.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Finding, sourceOf } from '../../src/cli/model.ts'
import { exists } from '../../src/weights/source.ts'
import { startHub, type TestHub } from '../hub.ts'

const home = fileURLToPath(new URL('../../src', import.meta.url))
const checkpoint = fileURLToPath(new URL('../fixtures/checkpoints/glm-chat-bf16', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'glm-model-'))
const content = new Uint8Array(64)
let hub: TestHub

beforeAll(async () => {
  const catalog = { 'ggml-model-Q4_K_M.gguf': content, 'ggml-model-Q8_0.gguf': content }
  hub = await startHub({ 'some/safe': { folder: checkpoint }, 'zai-org/glm-edge-1.5b-chat-gguf': { files: catalog } })
  for (const name of ['m-Q4_0.gguf', 'm-Q8_0.gguf', 'notes.txt']) writeFileSync(join(scratch, name), content)
  mkdirSync(join(scratch, 'some/safe'), { recursive: true })
  copyFileSync(join(checkpoint, 'config.json'), join(scratch, 'some/safe/config.json'))
})
afterAll(async () => {
  rmSync(scratch, { recursive: true })
  await hub.close()
})

async function open(model: string, finding: Finding = { hub: hub.url }) {
  const said: string[] = []
  const log = (line: string) => said.push(line)
  const terminal = { log, print: log, progress: () => {}, flush: async () => {} }
  const source = await sourceOf(model, { home, terminal, signal: new AbortController().signal }, finding)
  return { name: source.name, entry: source.entry, local: source.local, said, source }
}

test('pocket is a folder beside the program', async () => {
  expect(await open('pocket')).toMatchObject({ name: 'pocket', local: true, said: [] })
})

test('a folder, a folder of GGUFs, and a GGUF', async () => {
  expect(await open(checkpoint)).toMatchObject({ name: 'glm-chat-bf16', entry: undefined, local: true, said: [] })
  expect(await open(scratch)).toMatchObject({
    entry: 'm-Q4_0.gguf',
    said: [expect.stringMatching(/^Q4_0 .* was chosen: .* There are also Q8_0\.$/)],
  })
  expect(await open(scratch, { memory: 1e9 })).toMatchObject({ entry: 'm-Q8_0.gguf' })
  const file = await open(join(scratch, 'm-Q8_0.gguf'))
  expect(file).toMatchObject({ name: 'm-Q8_0.gguf', entry: 'm-Q8_0.gguf', said: [] })
  expect(await file.source.size('m-Q8_0.gguf')).toBe(64)
})

test('a name of the catalog is read from the hub, with its notice', async () => {
  const { name, entry, said } = await open('glm-edge-1.5b-chat')
  const commit = hub.commit('zai-org/glm-edge-1.5b-chat-gguf').slice(0, 12)
  expect({ name, entry }).toEqual({
    name: `zai-org/glm-edge-1.5b-chat-gguf@${commit}/ggml-model-Q4_K_M.gguf`,
    entry: 'ggml-model-Q4_K_M.gguf',
  })
  expect(said).toEqual(['GLM-Edge 1.5B Chat is under the licence GLM-Edge. Built with GLM-Edge.'])
})

test('a repository: by name, by page, by the hub that the environment names', async () => {
  const name = `some/safe@${hub.commit('some/safe').slice(0, 12)}`
  expect(await open('some/safe')).toMatchObject({ name, said: [] })
  expect(await open('hf:some/safe@main')).toMatchObject({ name })
  expect(await open(`${hub.url}some/safe/tree/main`)).toMatchObject({ name })
  process.env.GLM_HUB = hub.url
  expect(await open('some/safe', {})).toMatchObject({ name })
  delete process.env.GLM_HUB
})

test('what lies on disk goes before the hub', async () => {
  const before = process.cwd()
  process.chdir(scratch)
  try {
    expect(await open('some/safe')).toMatchObject({ name: 'safe', local: true })
    expect(await open('hf:some/safe')).not.toHaveProperty('local', true)
  } finally {
    process.chdir(before)
  }
})

test('an address: of a folder, of a GGUF, of one with a signature', async () => {
  const { url } = hub.cdn
  const folder = await open(`${url}some/safe`)
  expect(folder).toMatchObject({ name: `${url}some/safe/`, entry: undefined })
  expect(await exists(folder.source, 'config.json')).toBe(true)
  hub.cdn.files.set('d e/m.gguf', content)
  const file = await open(`${url}d%20e/m.gguf`)
  expect(file).toMatchObject({ name: `${url}d%20e/m.gguf`, entry: 'm.gguf' })
  expect(await file.source.read('m.gguf', 0, 8)).toEqual(content.slice(0, 8))
  const signed = await open(`${url}d%20e/m.gguf?key=1`)
  expect(signed.name).toBe(`${url}d%20e/m.gguf`)
  expect(await signed.source.size('m.gguf')).toBe(64)
})

test.each([
  ['nowhere', /^"nowhere" is not a folder here; give .* or pocket, pocket-v, glm-edge-1\.5b-chat/],
  ['no/where', /^The hub has no no\/where; check the name\. "no\/where" is no folder here either\.$/],
  ['https://%', /is not a URL/],
])('%s', async (model, message) => {
  await expect(open(model)).rejects.toMatchObject({ name: 'GlmError', message: expect.stringMatching(message) })
})

test('a file that is none of a model', async () => {
  await expect(open(join(scratch, 'notes.txt'))).rejects.toMatchObject({
    code: 'model_unknown',
    message: expect.stringMatching(/is a file, but neither \.gguf nor \.safetensors/),
  })
})
