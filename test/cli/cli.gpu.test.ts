// dist/cli.js as a person runs it: a process of its own, its streams piped.
import { spawn } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { hasF16 } from '../adapters.ts'
import { relativeL2 } from '../reference.ts'

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))
const cli = path('../../dist/cli.js')
const checkpoint = path('../fixtures/checkpoints/glm-chat-bf16')
const golden = JSON.parse(readFileSync(path('../fixtures/goldens/glm-chat-bf16.json'), 'utf8'))
const scratch = mkdtempSync(join(tmpdir(), 'glm-cli-'))
const minutes = 5 * 60_000 // CPU adapters compile slowly

beforeAll(() => {
  if (!existsSync(cli)) throw new Error('dist/cli.js is not there; run `npm run build`.')
})
afterAll(() => rmSync(scratch, { recursive: true }))

interface Ended {
  code: number | null
  stdout: string
  stderr: string
}

function start(args: string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [cli, ...args], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const text = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) child[name].setEncoding('utf8').on('data', (piece) => (text[name] += piece))
  return { child, ended: new Promise<Ended>((resolve) => child.on('close', (code) => resolve({ code, ...text }))) }
}
const runs = (...args: string[]) => start(args).ended
const lastLine = (stdout: string) => JSON.parse(stdout.trimEnd().split('\n').at(-1)!)

test("score: the logits, perplexity and top five are the oracle's", { timeout: minutes }, async () => {
  const { ids, positions, offset } = golden.prompts[1]
  const file = join(scratch, 'logits.f32')
  const { code, stdout, stderr } = await runs('score', checkpoint, '--tokens', ids.join(), '--weights', 'f32', '--logits', file)
  expect(code, stderr).toBe(0)
  expect(positions).toEqual([...ids.keys()])
  const bytes = readFileSync(path('../fixtures/goldens/glm-chat-bf16.f32')).subarray(offset, offset + ids.length * golden.vocab * 4)
  const floats = (bytes: Uint8Array) => new Float32Array(Uint8Array.from(bytes).buffer)
  const [wanted, own] = [floats(bytes), floats(readFileSync(file))]
  expect(own.length).toBe(wanted.length)
  expect(relativeL2(own, wanted)).toBeLessThan(1e-4)
  const rows = positions.map((row: number) => [...wanted.subarray(row * golden.vocab, (row + 1) * golden.vocab)]) as number[][]
  const losses = rows
    .slice(0, -1)
    .map((row, index) => Math.log(row.reduce((sum, value) => sum + Math.exp(value), 0)) - row[ids[index + 1]]!)
  const { perplexity, top, ...rest } = JSON.parse(stdout)
  expect(rest).toEqual({ tokens: ids.length, vocab: golden.vocab })
  expect(perplexity / Math.exp(losses.reduce((sum, loss) => sum + loss, 0) / losses.length)).toBeCloseTo(1, 3)
  const best = rows
    .at(-1)!
    .map((value, id) => [id, value] as const)
    .sort((a, b) => b[1] - a[1])
  expect(top.map(([id]: [number]) => id)).toEqual(best.slice(0, 5).map(([id]) => id))
})

test('score --messages: pictures and clips from files; ids and logits are the class’s', { timeout: minutes }, async () => {
  const folder = path('../fixtures/vision')
  const { vocab, cases } = JSON.parse(readFileSync(`${folder}/glm4v.json`, 'utf8'))
  const { sights } = JSON.parse(readFileSync(`${folder}/levels.json`, 'utf8'))
  const { messages, sights: names, ids, logits } = cases.find(({ name }: { name: string }) => name === 'both')
  const left = [...names]
  const part = (one: { type: string }) => {
    const { files, times } = one.type === 'text' ? {} : sights[left.shift()]
    if (one.type === 'image') return { type: 'image_url', image_url: { url: `pictures/${files[0]}` } }
    return one.type === 'video' ? { type: 'video', video: { frames: files.map((file: string) => `pictures/${file}`), times } } : one
  }
  const told = messages.map(({ role, content }: { role: string; content: { type: string }[] }) => ({ role, content: content.map(part) }))
  mkdirSync(join(scratch, 'pictures'))
  for (const file of readdirSync(`${folder}/pictures`)) copyFileSync(`${folder}/pictures/${file}`, join(scratch, 'pictures', file))
  writeFileSync(join(scratch, 'talk.json'), JSON.stringify(told))
  const bytes = readFileSync(`${folder}/glm4v.f32`).subarray(logits.offset, logits.offset + logits.positions.length * vocab * 4)
  const wanted = new Float32Array(Uint8Array.from(bytes).buffer)
  const file = join(scratch, 'seen.f32')
  // The same model as safetensors, and as GGUF with its tower beside it.
  for (const model of [`${folder}/glm4v`, `${folder}/gguf/glm4v`]) {
    const talk = join(scratch, 'talk.json')
    const { code, stdout, stderr } = await runs('score', model, '--messages', talk, '--ids', '--weights', 'f32', '--logits', file)
    expect(code, stderr).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ tokens: ids.length, vocab, ids })
    const own = new Float32Array(Uint8Array.from(readFileSync(file)).buffer)
    expect(own.length).toBe(ids.length * vocab)
    const rows = logits.positions.flatMap((position: number) => [...own.subarray(position * vocab, (position + 1) * vocab)])
    expect(relativeL2(Float32Array.from(rows), wanted)).toBeLessThan(5e-3)
  }
  // As 8 bits the tower's values differ by a little, as 4 bits by more.
  const far = async (format: string) => {
    const talk = join(scratch, 'talk.json')
    const { code, stderr } = await runs(
      'score',
      `${folder}/glm4v`,
      '--messages',
      talk,
      '--vision-weights',
      format,
      '--logits',
      file,
      '--weights',
      'f32',
    )
    expect(code, stderr).toBe(0)
    const own = new Float32Array(Uint8Array.from(readFileSync(file)).buffer)
    const rows = logits.positions.flatMap((position: number) => [...own.subarray(position * vocab, (position + 1) * vocab)])
    return relativeL2(Float32Array.from(rows), wanted)
  }
  const [q8, q4] = [await far('q8'), await far('q4')]
  expect(q8).toBeGreaterThan(0)
  expect(q4).toBeGreaterThan(2 * q8)
  const answer = await runs(
    'chat',
    `${folder}/glm4v`,
    '--messages',
    join(scratch, 'talk.json'),
    '--weights',
    'f32',
    '--temperature',
    '0',
    '--max-tokens',
    '8',
    '--json',
  )
  expect(answer.code, answer.stderr).toBe(0)
  const { greedy } = cases.find(({ name }: { name: string }) => name === 'both')
  const { tokens, usage } = lastLine(answer.stdout)
  expect(usage.prompt_tokens).toBe(ids.length)
  expect(tokens).toEqual(greedy.slice(0, tokens.length))
})

test('chat: the answer streams, and JSON is the last line; the same without --json', { timeout: minutes }, async () => {
  const { code, stdout, stderr } = await runs(
    'chat',
    'pocket',
    '--prompt',
    'What is 2+2?',
    '--temperature',
    '0',
    '--max-tokens',
    '6',
    '--json',
  )
  expect(code, stderr).toBe(0)
  const { text, tokens, finish_reason, usage, timings } = lastLine(stdout)
  expect(stdout.startsWith(`${text}\n{`)).toBe(true)
  expect(tokens.length).toBeGreaterThan(0)
  expect(usage).toEqual({ prompt_tokens: expect.any(Number), completion_tokens: tokens.length })
  expect(['stop', 'length']).toContain(finish_reason)
  expect(timings).toEqual({ load_ms: expect.any(Number), prefill_ms: expect.any(Number), decode_ms: expect.any(Number) })
  expect(stderr).toMatch(/^Loaded pocket as q4 .*\n$/m)
})

test('chat --raw: special tokens in the prompt count', { timeout: minutes }, async () => {
  const { stdout, stderr } = await runs(
    'chat',
    'pocket',
    '--raw',
    '--prompt',
    '<|user|>',
    '--max-tokens',
    '1',
    '--temperature',
    '0',
    '--json',
  )
  expect(lastLine(stdout).usage.prompt_tokens, stderr).toBe(1)
})

test('doctor: sentences, then JSON', { timeout: minutes }, async () => {
  const { code, stdout, stderr } = await runs('doctor', checkpoint, '--json', '--weights', 'f32')
  expect(code, stderr).toBe(0)
  const sentences = stdout.trimEnd().split('\n').slice(0, -1)
  expect(sentences.filter((line) => !/^[A-Z].*\.$/.test(line) && !line.startsWith('glm-chat-bf16'))).toEqual([])
  const { adapter, features, limits, memory, node, cache, model } = lastLine(stdout)
  expect(adapter.software).toBe(true)
  expect(features.includes('shader-f16')).toBe(hasF16[inject('adapter')])
  expect(limits.maxStorageBufferBindingSize).toBeGreaterThanOrEqual(2 ** 27)
  expect({ node, cache, total: memory.total > 0 }).toEqual({ node: process.version, cache: null, total: true })
  expect({ fits: model.fits, weights: model.weights }).toEqual({ fits: true, weights: 'f32' })
})

test('without a GPU: doctor says so and ends with 1, others with 2; a long answer arrives whole through a pipe', {
  timeout: minutes,
}, async () => {
  const folder = join(scratch, 'deep')
  const none = { VK_ICD_FILENAMES: '/nothing/found', VK_DRIVER_FILES: '/nothing/found' }
  mkdirSync(folder)
  copyFileSync(join(checkpoint, 'model.safetensors'), join(folder, 'model.safetensors'))
  const config = JSON.parse(readFileSync(join(checkpoint, 'config.json'), 'utf8'))
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, num_hidden_layers: 500 }))
  const ill = await start(['doctor', folder, '--json'], none).ended
  expect(ill.code).toBe(1)
  expect(ill.stdout).toMatch(/^There is no WebGPU here\. No GPU was found: .*\n/)
  expect(ill.stdout.length).toBeGreaterThan(100_000)
  expect(lastLine(ill.stdout)).toMatchObject({ adapter: null, model: { fits: false } })
  const file = join(scratch, 'unfinished.f32')
  const scored = await start(['score', checkpoint, '--tokens', '1', '--logits', file], none).ended
  expect({ code: scored.code, stdout: scored.stdout, left: existsSync(file) }).toEqual({ code: 2, stdout: '', left: false })
  expect(scored.stderr).toMatch(/^glm-webgpu: No GPU was found: [^\n]*\.\n$/m)
})

test('mistakes: code 2 and one sentence, never a stack trace', { timeout: minutes }, async () => {
  for (const args of [
    ['frob'],
    ['chat', 'pocket', '--frob'],
    ['score', 'nowhere', '--tokens', '1'],
    ['score', checkpoint, '--tokens', 'x'],
  ]) {
    const { code, stdout, stderr } = await runs(...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^glm-webgpu: [^\n]*\.\n$/)
  }
})

test('Ctrl-C ends with 130', { timeout: minutes }, async () => {
  const server = createServer(() => interrupt()) // never answers
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { child, ended } = start(['score', `http://127.0.0.1:${(server.address() as AddressInfo).port}/m`, '--tokens', '1'])
  const interrupt = () => child.kill('SIGINT')
  expect(await ended).toEqual({ code: 130, stdout: '', stderr: 'glm-webgpu: Interrupted.\n' })
  server.closeAllConnections()
  server.close()
})

test('weights auto: a plan first, then the model, on one GPU', { timeout: minutes }, async () => {
  const { code, stderr } = await runs('score', checkpoint, '--tokens', '5,9', '--weights', 'auto')
  expect(code, stderr).toBe(0)
  expect(stderr).toContain(' as f16 ')
})
