// `doctor` with a model: the plan in sentences and as JSON, by memory, context and format.

import { PassThrough } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { run } from '../../src/cli/main.ts'
import { createTerminal } from '../../src/cli/terminal.ts'
import { startHub } from '../hub.ts'

const home = fileURLToPath(new URL('../../src', import.meta.url))
const checkpoint = fileURLToPath(new URL('../fixtures/checkpoints/glm-chat-bf16', import.meta.url))

async function doctor(...args: string[]) {
  const streams = { stdout: new PassThrough(), stderr: new PassThrough() }
  const text = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) streams[name].on('data', (bytes) => (text[name] += bytes))
  const terminal = createTerminal(streams.stdout, streams.stderr)
  const code = await run(['doctor', ...args], { home, terminal, signal: new AbortController().signal })
  await terminal.flush()
  return { code, lines: text.stdout.trimEnd().split('\n'), stderr: text.stderr }
}

test('the plan of a folder', async () => {
  const { code, lines, stderr } = await doctor(checkpoint, '--context', '128', '--json')
  expect(code, stderr).toBe(0)
  expect(lines.slice(-5, -1)).toEqual([
    expect.stringMatching(/^glm-chat-bf16 is a glm model of [\d.]+ million parameters; its weight files have .*\.$/),
    expect.stringMatching(/^With weights file and 128 positions it takes .* of the GPU: weights .*, keys and values .*, activations .*\.$/),
    expect.stringMatching(/^All together, by format of the weights: f16 .*, q8 .*, q4 .*, file .*\.$/),
    expect.stringMatching(/^glm-chat-bf16 fits: /),
  ])
  const { model } = JSON.parse(lines.at(-1)!)
  expect(model).toMatchObject({ name: 'glm-chat-bf16', weights: 'file', context: 128, fits: true, memory: { given: false } })
  expect(model.gpu.total).toBe(model.gpu.weights + model.gpu.kv + model.gpu.scratch)
})

test('auto takes what fits; what fits nowhere ends with 1', async () => {
  const most = JSON.parse((await doctor(checkpoint, '--weights', 'auto', '--json')).lines.at(-1)!).model
  expect(most.weights).toBe('f16')
  const bytes = (weights: string) => most.formats.find((one: { weights: string }) => one.weights === weights).bytes
  const tight = await doctor(checkpoint, '--weights=auto', `--memory=${(bytes('q8') + bytes('f16')) / 2e9}`, '--json')
  expect(tight).toMatchObject({ code: 0 })
  expect(JSON.parse(tight.lines.at(-1)!).model).toMatchObject({ weights: 'q8', memory: { given: true } })
  const none = await doctor(checkpoint, '--memory', '0.0001')
  expect(none.code).toBe(1)
  expect(none.lines.at(-1)).toMatch(/does not fit: it takes .* than 0\.1 MB that it may take; ask for a smaller context/)
  const wrong = await doctor(checkpoint, '--weights', 'q5')
  expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('weights is "q5"; use file, auto') })
})

test('of a repository only headers are read', async () => {
  const hub = await startHub({ 'some/safe': { folder: checkpoint } })
  const { code, lines } = await doctor('some/safe', '--hub', hub.url)
  expect(code).toBe(0)
  expect(lines.at(-1)).toMatch(/^some\/safe@[0-9a-f]{12} fits: /)
  const read = hub.cdn.log.map(
    ({ range }) =>
      /^bytes=(\d+)-(\d+)$/
        .exec(range ?? '')!
        .slice(1)
        .map(Number) as [number, number],
  )
  const weights = hub.cdn.files.get('some/safe/model.safetensors')!.length
  expect(read.reduce((sum, [first, last]) => sum + last + 1 - first, 0)).toBeLessThan(weights / 2)
  await hub.close()
})
