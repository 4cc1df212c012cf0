// What is read of a file without the demuxer: its head, its captions, its lengths; in Node, where nothing is decoded.
import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, inject, test } from 'vitest'
import { GlmError } from '../../src/errors.ts'
import { readCaptions } from '../../src/media/caption_file.ts'
import { openBytes } from '../../src/media/container_bytes.ts'
import { pushesAll } from '../../src/media/container_matroska.ts'
import { probe } from '../../src/media/container_probe.ts'
import { openMedia } from '../../src/media/open.ts'

const folder = new URL('../fixtures/media/', import.meta.url)
const names = readdirSync(folder).filter((name) => !name.endsWith('.json'))
const file = (name: string) => new Uint8Array(readFileSync(new URL(name, folder)))
const probed = async (bytes: Uint8Array) => probe(await openBytes(bytes))
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error) => (error instanceof GlmError ? error.code : `not ours: ${error?.stack}`),
  )

describe('the head of a file', () => {
  test('WebM: its muxer, and the delay of each track', async () => {
    expect(await probed(file('vp9-opus.webm'))).toEqual({ muxer: 'Lavf59.27.100', delays: new Map([[2, 0.0065]]) })
    expect(await probed(file('h264-aac.mkv'))).toEqual({ muxer: 'Lavf59.27.100', delays: new Map() })
  })

  test('an Opus track without CodecDelay has that of its header', async () => {
    const bytes = file('vp9-opus.webm')
    const at = bytes.findIndex((byte, i) => byte === 0x56 && bytes[i + 1] === 0xaa)
    expect(at).toBeGreaterThan(0)
    bytes.set([0x56, 0xab], at)
    expect((await probed(bytes)).delays).toEqual(new Map([[2, 0.0065]]))
  })

  test('MP3: samples before the sound', async () => {
    expect((await probed(file('sound.mp3'))).priming).toBe(1105)
    expect(await probed(file('sound.mp3').slice(300))).toEqual({})
  })

  test.each([
    ['Lavf59.27.100', true],
    ['Lavf59.30.100', true],
    ['Lavf58.76.100', true],
    ['Lavf59.31.100', false],
    ['Lavf60.3.100', false],
    ['Mediabunny v1.61.0', false],
    ['Chrome', false],
    [undefined, false],
  ])('%s pushed all tracks: %s', (muxer, pushes) => expect(pushesAll(muxer)).toBe(pushes))

  test('a cut is told by the lengths, a file without an index is no movie', async () => {
    for (const name of ['h264-aac.mp4', 'h264-aac.mkv', 'sound.wav']) {
      const bytes = file(name)
      expect(await codeOf(probed(bytes))).toBe('none')
      expect(await codeOf(probed(bytes.subarray(0, bytes.length - 2)))).toBe('file_truncated')
    }
    expect(await codeOf(probed(file('h264-aac.mp4').slice(0, 40)))).toBe('file_invalid')
  })

  test('damage: a result or an error of ours, and few reads', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...names),
        fc.array(fc.tuple(fc.nat(1999), fc.constantFrom(0, 1, 127, 128, 255)), { minLength: 1, maxLength: 8 }),
        fc.nat(2000),
        async (name, flips, length) => {
          const bytes = file(name).slice(0, length + 20)
          for (const [at, value] of flips) bytes[at % bytes.length] = value
          let reads = 0
          const opened = await openBytes(bytes)
          const read = (start: number, end: number) => {
            reads++
            return opened.read(start, end)
          }
          const counted = { ...opened, read }
          expect(['none', 'file_invalid', 'file_truncated']).toContain(await codeOf(probe(counted)))
          expect(reads).toBeLessThan(bytes.length / 8 + 8)
        },
      ),
      { numRuns: 2000 },
    )
  })
})

describe('addresses', () => {
  const at = (name: string) => `${inject('server')}fixtures/media/${name}`

  test('ranges are read as asked, never past the end', async () => {
    const bytes = await openBytes(at('h264-pcm.mov'))
    const whole = file('h264-pcm.mov')
    expect(bytes.size).toBe(whole.length)
    expect(await bytes.read(100, 200)).toEqual(whole.slice(100, 200))
    expect(await bytes.read(whole.length - 5, whole.length + 50)).toEqual(whole.slice(-5))
    expect((await bytes.read(whole.length, whole.length + 5)).length).toBe(0)
  })

  const answers: [string, () => Response, string][] = [
    ['404', () => new Response('', { status: 404 }), 'file_missing'],
    ['403', () => new Response('', { status: 403 }), 'network_failed'],
    ['a range that is not told', () => new Response('abc', { status: 206 }), 'network_failed'],
    ['another range', () => new Response('abc', { status: 206, headers: { 'content-range': 'bytes 5-7/10' } }), 'network_failed'],
    [
      'more than asked for',
      () => new Response('x'.repeat(70000), { status: 206, headers: { 'content-range': 'bytes 0-65535/90000' } }),
      'out_of_memory',
    ],
    ['nothing of nothing', () => new Response('', { status: 416 }), 'none'],
  ]
  test.each(answers)('%s', async (_, answer, code) => {
    expect(await codeOf(openBytes('http://example.test/x', { fetch: async () => answer() }))).toBe(code)
  })

  test('a short answer and a server fault are asked for again', async () => {
    const whole = new Uint8Array(1000).fill(7)
    const range = { status: 206, headers: { 'content-range': 'bytes 0-999/1000' } }
    const list = [new Response(null, { status: 503 }), new Response(whole.slice(5), range), new Response(whole, range)]
    const bytes = await openBytes('http://example.test/x', { fetch: async () => list.shift()! })
    expect([bytes.size, list.length]).toEqual([1000, 0])
  })
})

describe('captions', () => {
  const text = 'WEBVTT\n\n00:01.000 --> 00:02.500\nGrüße 你好'
  const units = Uint16Array.from(text, (character) => character.charCodeAt(0))
  const little = new Uint8Array([0xff, 0xfe, ...new Uint8Array(units.buffer)])
  const big = Uint8Array.from(little.map((_, i) => little[i ^ 1]!))
  const utf8 = new TextEncoder().encode(text)

  test.each([
    ['text', text],
    ['UTF-8', utf8],
    ['UTF-8 with its mark', new Uint8Array([0xef, 0xbb, 0xbf, ...utf8])],
    ['UTF-16, little first', little],
    ['UTF-16, big first', big],
    ['Blob', new Blob([utf8])],
    ['SRT', '1\n00:00:01,000 --> 00:00:02,500\nGrüße 你好'],
  ])('%s', async (_, input) => {
    const { cues } = await readCaptions(input)
    expect(cues.map(({ start, end, text }) => [start, end, text])).toEqual([[1, 2.5, 'Grüße 你好']])
  })

  test('an address, with a language', async () => {
    const fetch = async () => new Response(utf8, { status: 200 })
    expect((await readCaptions('http://example.test/a.vtt', { fetch, lang: 'de' })).cues[0]!.lang).toBe('de')
    expect((await readCaptions(new URL('http://example.test/a.vtt'), { fetch })).format).toBe('webvtt')
  })

  test('what is none', async () => {
    expect(await codeOf(readCaptions('no captions'))).toBe('request_invalid')
    expect(await codeOf(readCaptions(new TextEncoder().encode('<html>\n</html>')))).toBe('file_invalid')
    expect((await readCaptions('')).cues).toEqual([])
  })
})

test('Node has no decoders, and says what to do', async () => {
  await expect(openMedia(file('h264-aac.mp4'))).rejects.toThrow('{ frames, times }')
  expect(await codeOf(openMedia(file('h264-aac.mp4')))).toBe('request_invalid')
})
