// `--messages`: paths become bytes, addresses stay, and the room that pictures take is known before a model is loaded.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { marked, readMessages } from '../../src/cli/messages.ts'

const scratch = mkdtempSync(join(tmpdir(), 'glm-messages-'))
afterAll(() => rmSync(scratch, { recursive: true }))
mkdirSync(join(scratch, 'sub'))
writeFileSync(join(scratch, 'a.png'), 'a')
writeFileSync(join(scratch, 'sub/b.png'), 'b')

function read(content: unknown) {
  const file = join(scratch, 'talk.json')
  writeFileSync(file, JSON.stringify([{ role: 'user', content }]))
  return readMessages(file)[0]!.content as unknown[]
}
const bytes = (text: string) => Buffer.from(text)

test('paths are relative to the file, whatever folder one stands in', () => {
  expect(read([{ type: 'image_url', image_url: { url: 'sub/b.png' } }])).toEqual([{ type: 'image', image: bytes('b') }])
  expect(read([{ type: 'image_url', image_url: { url: join(scratch, 'a.png') } }])).toEqual([{ type: 'image', image: bytes('a') }])
  const video = { frames: ['a.png', 'sub/b.png'], times: [0, 0.5] }
  expect(read([{ type: 'video', video }])).toEqual([{ type: 'video', video: { frames: [bytes('a'), bytes('b')], times: [0, 0.5] } }])
  expect(read([{ type: 'video', video: 'a.png', fps: 1 }])).toEqual([{ type: 'video', video: bytes('a'), fps: 1 }])
})

test('addresses, text and what is not understood stay as they are', () => {
  expect(read('a.png')).toBe('a.png')
  for (const part of [
    { type: 'text', text: 'a.png' },
    { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
    { type: 'image_url', image_url: { url: 'https://host/a.png' } },
    { type: 'image_url', image_url: null },
    { type: 'video', video: null },
    { type: 'video', video: { frames: 'a.png' } },
    null,
  ])
    expect(read([part])).toEqual([part])
})

test('a mark for each picture, and room for what it may take', () => {
  const image = { type: 'image', image: bytes('a') }
  const video = { type: 'video', video: { frames: [1, 2, 3], times: [0, 1, 2] } }
  const content = [{ type: 'text', text: 'x' }, image, video, { type: 'image_url', image_url: { url: 'data:,' } }]
  const { marks, room } = marked([{ role: 'system', content: 'y' }, { role: 'user', content } as never])
  expect(marks).toEqual([
    { role: 'system', content: 'y' },
    { role: 'user', content: [{ type: 'text', text: 'x' }, { type: 'image' }, { type: 'video' }, { type: 'image' }] },
  ])
  expect(room).toBe(2 * 642 + 2 * 132)
})
