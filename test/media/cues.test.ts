// WebVTT and SRT: what is read, what is written, and what happens to files that somebody broke.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { GlmError } from '../../src/errors.ts'
import { parseCues, writeCues } from '../../src/media/cues.ts'
import { changes, mutate, only } from '../hostile/mutate.ts'
import { cases } from './tracks.ts'

const vtt = `WEBVTT - a title
Kind: captions

STYLE
::cue { color: red }

NOTE this is
no cue

intro
00:00.500 --> 00:02.000 align:start line:0%
<v Anna>Hello &amp; <b>welcome</b>

01:00:00.000 --> 01:00:01.250
two
lines

00:05.000 --> 00:04.000
backwards

00:06.000 -> 00:07.000
no arrow

`
const srt = `1\r\n00:00:00,500 --> 00:00:02,000\r\n<i>Hello</i> {\\an8}there\r\n\r\n2\r\n00:00:03,000 --> 00:00:04,000\r\nsecond\r\n`

test('WebVTT', () => {
  const { format, cues, warnings } = parseCues(vtt, { lang: 'en' })
  expect(format).toBe('webvtt')
  expect(cues).toEqual([
    { start: 0.5, end: 2, text: 'Hello & welcome', id: 'intro', lang: 'en' },
    { start: 3600, end: 3601.25, text: 'two\nlines', lang: 'en' },
  ])
  expect(warnings).toMatchObject([{ code: 'W_BAD_CUE', count: 2, first: 17 }])
  expect(() => parseCues(vtt, { strict: true })).toThrow(/^E_BAD_CUE/)
})

test('SRT, with a byte order mark or without', () => {
  const wanted = [
    { start: 0.5, end: 2, text: 'Hello there', id: '1' },
    { start: 3, end: 4, text: 'second', id: '2' },
  ]
  expect(parseCues(srt)).toEqual({ format: 'srt', cues: wanted, warnings: [] })
  expect(parseCues(`\ufeff${srt}`).cues).toEqual(wanted)
})

describe('odd files', () => {
  const none = ['', 'WEBVTT', 'WEBVTT\n', 'WEBVTT\n\n', '\n\n\n']
  for (const text of none) test(`${JSON.stringify(text)} has no cues`, () => expect(parseCues(text).cues).toEqual([]))

  test('anything else is no captions', () => {
    for (const text of ['hello', '<!doctype html>', '\0\0\0\0', '{"a":1}']) expect(() => parseCues(text)).toThrow(GlmError)
    expect(() => parseCues(undefined as unknown as string)).toThrow(GlmError)
  })

  const text = (line: string) => parseCues(`WEBVTT\n\n00:00.000 --> 00:01.000\n${line}`).cues[0]!.text
  const lines: [string, string][] = [
    ['a < b', 'a < b'],
    ['&lt;b&gt; &nbsp;&#65;&#0;&#55296;&amp;amp;', '<b> \u00a0A&#0;&#55296;&amp;'],
    ['<c.red.big>x</c><00:00.500>y', 'xy'],
    ['&nothing; & &', '&nothing; & &'],
    ['a\0b', 'a\ufffdb'],
  ]
  for (const [line, wanted] of lines) test(JSON.stringify(line), () => expect(text(line)).toBe(wanted))

  test('times', () => {
    const time = (line: string) => parseCues(`WEBVTT\n\n${line}\nx`).cues.length
    expect(time('00:00.000 --> 00:01.000')).toBe(1)
    expect(time('99:59:59.999 --> 100:00:00.000')).toBe(1)
    for (const line of [
      '00:00 --> 00:01',
      '00:60.000 --> 00:61.000',
      '60:00.000 --> 61:00.000',
      '1e3 --> 2e3',
      '-00:01.000 --> 00:01.000',
      '99999:00:00.000 --> 99999:00:01.000',
      '00:00.000 -->',
    ]) {
      expect(time(line), line).toBe(0)
    }
  })
})

test('what is written is read again, whatever it says', () => {
  const piece = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom('-->', '<b>', '&amp;', '{\\an8}', 'NOTE', 'WEBVTT', '\n', '\n\n', '\r', '00:00.000 --> 00:01.000'),
  )
  const text = fc.array(piece, { maxLength: 5 }).map((parts) => parts.join(''))
  const cue = fc.record({ start: fc.integer({ min: 0, max: 3e8 }), length: fc.integer({ min: 1, max: 1e6 }), text })
  fc.assert(
    fc.property(fc.array(cue, { maxLength: 8 }), (list) => {
      const cues = list.map(({ start, length, text }) => ({ start: start / 1000, end: (start + length) / 1000, text }))
      const read = parseCues(writeCues(cues), { strict: true }).cues
      // Lines that are empty become a space that is not breakable: WebVTT has no empty lines.
      const kept = (text: string) =>
        text
          .replaceAll('\0', '\ufffd')
          .split(/\r\n|\r|\n/)
          .map((line) => (line.trim() === '' ? '\u00a0' : line))
          .join('\n')
      expect(read.map(({ text }) => text)).toEqual(cues.map(({ text }) => kept(text)))
      read.forEach((one, i) => {
        expect(Math.round(one.start * 1000)).toBe(list[i]!.start)
        expect(Math.round(one.end * 1000)).toBe(list[i]!.start + list[i]!.length)
      })
    }),
    cases,
  )
})

describe('hostile', () => {
  test('changed at random: cues or a GlmError, and every cue is one', () => {
    const outcomes = { read: 0, refused: 0 }
    fc.assert(
      fc.property(fc.constantFrom(vtt, srt), changes, fc.boolean(), (text, list, strict) => {
        const out = only(['file_invalid'], () => parseCues(list.reduce(mutate, text), { strict }))
        outcomes[out instanceof GlmError ? 'refused' : 'read']++
        if (out instanceof GlmError) return
        for (const { start, end } of out.cues) expect(start >= 0 && end > start && end < 1.3e7).toBe(true)
      }),
      { numRuns: 2000, seed: 5 },
    )
    for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(100)
  })

  const large: [string, string][] = [
    ['a million openings', `WEBVTT\n\n00:00.000 --> 00:01.000\n${'<'.repeat(1e6)}`],
    ['a million openings and one close', `WEBVTT\n\n00:00.000 --> 00:01.000\n${'<'.repeat(1e6)}>`],
    ['a million styles', `WEBVTT\n\n00:00.000 --> 00:01.000\n${'{\\'.repeat(1e6)}`],
    ['a million references', `WEBVTT\n\n00:00.000 --> 00:01.000\n${'&#'.repeat(1e6)}`],
    ['a line of digits', `WEBVTT\n\n${'0'.repeat(1e6)} --> 1`],
    ['a line of spaces', `WEBVTT\n\n${' '.repeat(1e6)}-->${' '.repeat(1e6)}x`],
    ['a million arrows', `WEBVTT\n\n${'-->\n'.repeat(1e6)}`],
    ['a million empty lines', `WEBVTT${'\n'.repeat(2e6)}`],
    ['a cue of a million lines', `WEBVTT\n\n00:00.000 --> 00:01.000\n${'x\n'.repeat(1e6)}`],
    ['a hundred thousand cues', `WEBVTT\n\n${'00:00.000 --> 00:01.000\nx\n\n'.repeat(1e5)}`],
  ]
  for (const [what, text] of large) test(`${what} in two seconds`, () => void only(['file_invalid'], () => parseCues(text)))

  test('more than 32 million characters are not looked at', () => expect(() => parseCues(' '.repeat(2 ** 25 + 1))).toThrow(GlmError))
})
