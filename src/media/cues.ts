// Captions in and out: WebVTT and SRT as one forgiving reader. Every line is looked at once; markup is stripped by hand, not by patterns that backtrack.
import { GlmError } from '../errors.ts'
import { type Fault, Ledger } from './faults.ts'
import { halfEven, type Seconds } from './ticks.ts'
import type { Cue } from './tracks.ts'

const MAX_CHARACTERS = 2 ** 25
const MAX_LINE = 2 ** 16
const TIMING = /^(?:(\d{1,5}):)?([0-5]?\d):([0-5]\d)[.,](\d{3})$/

export interface Captions {
  format: 'webvtt' | 'srt'
  cues: Cue[]
  warnings: Fault[]
}

/** Cues of a WebVTT or SRT text, plain: tags and character references are resolved. `strict` refuses a bad cue, else it is dropped and told. */
export function parseCues(text: string, options: { strict?: boolean; lang?: string } = {}): Captions {
  if (typeof text !== 'string' || text.length > MAX_CHARACTERS)
    throw new GlmError('file_invalid', 'Captions must be a text of at most 32 million characters.')
  const lines = text.replace(/^\ufeff/, '').split(/\r\n|\r|\n/)
  const format = /^WEBVTT(?:[ \t]|$)/.test(lines[0]!) ? 'webvtt' : 'srt'
  const ledger = new Ledger(options.strict ?? false)
  const cues: Cue[] = []
  const bad: number[] = []
  let i = format === 'webvtt' ? header(lines) : 0
  while (i < lines.length) {
    if (lines[i]!.trim() === '') {
      i++
      continue
    }
    const end = blockEnd(lines, i)
    const cue = readBlock(lines, i, end)
    if (cue) cues.push({ ...cue, ...(options.lang === undefined ? {} : { lang: options.lang }) })
    else if (format === 'srt' || !/^(NOTE|STYLE|REGION)(?:[ \t]|$)/.test(lines[i]!)) bad.push(i)
    i = end
  }
  if (format === 'srt' && cues.length === 0 && bad.length > 0)
    throw new GlmError('file_invalid', 'This is neither WebVTT nor SRT: no line of it is a timing.')
  ledger.note(
    'BAD_CUE',
    '',
    bad.length,
    bad[0],
    `${bad.length} cues could not be read, the first at line ${(bad[0] ?? 0) + 1}.`,
    'file_invalid',
  )
  return { format, cues, warnings: ledger.kept }
}

/** WebVTT of cues. Times are rounded to its milliseconds; a cue is never shorter than one. */
export function writeCues(cues: Iterable<Cue>): string {
  const out = ['WEBVTT\n']
  for (const { start, end, text, id } of cues) {
    const from = millis(start)
    const to = Math.max(from + 1, millis(end))
    const name = id === undefined ? '' : `${oneLine(id).replaceAll('-->', '->')}\n`
    out.push(`${name}${stamp(from)} --> ${stamp(to)}\n${escaped(text)}\n`)
  }
  return out.join('\n')
}

/** After WEBVTT everything up to the first empty line. */
function header(lines: string[]): number {
  const end = lines.indexOf('')
  return end < 0 ? lines.length : end
}

/** A block ends at an empty line; in files that lack one, also before a timing of the next. */
function blockEnd(lines: string[], start: number): number {
  let i = start + 1
  while (i < lines.length && lines[i]!.trim() !== '') i++
  return i
}

/** [id], timing, text. */
function readBlock(lines: string[], start: number, end: number): Cue | undefined {
  const first = lines[start]!.includes('-->') ? start : start + 1
  const line = first < end ? lines[first]! : ''
  if (line.length > MAX_LINE) return undefined
  const arrow = line.indexOf('-->')
  if (arrow < 0) return undefined
  const from = seconds(line.slice(0, arrow).trim())
  const to = seconds(
    line
      .slice(arrow + 3)
      .trim()
      .split(/[ \t]/, 1)[0]!,
  )
  if (from === undefined || to === undefined || to <= from) return undefined
  const text = plain(lines.slice(first + 1, end).join('\n'))
  return { start: from, end: to, text, ...(first > start ? { id: lines[start]!.trim() } : {}) }
}

function seconds(text: string): Seconds | undefined {
  const found = TIMING.exec(text)
  if (!found) return undefined
  const [, hours = '0', minutes, whole, millis] = found
  if (Number(hours) > 3500) return undefined
  return (Number(hours) * 60 + Number(minutes)) * 60 + Number(whole) + Number(millis) / 1000
}

const NAMED: Record<string, string> = { amp: '&', lt: '<', gt: '>', nbsp: '\u00a0', lrm: '\u200e', rlm: '\u200f', quot: '"', apos: "'" }

/** Without tags, without SRT's {\an8}, character references resolved, no NUL. */
function plain(text: string): string {
  const bare = stripped(stripped(text, '<', '>'), '{\\', '}')
  return bare
    .replace(/&(?:#(\d{1,7})|([a-z]{2,4}));/g, (all, code, name) => (name ? (NAMED[name] ?? all) : character(Number(code), all)))
    .replaceAll('\0', '\ufffd')
}

function character(code: number, all: string): string {
  return code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? String.fromCodePoint(code) : all
}

/** Drops everything from an opening to its close; an opening that is never closed stays. */
function stripped(text: string, open: string, close: string): string {
  const parts: string[] = []
  let at = 0
  for (;;) {
    const from = text.indexOf(open, at)
    const to = from < 0 ? -1 : text.indexOf(close, from)
    if (to < 0) break
    parts.push(text.slice(at, from))
    at = to + 1
  }
  return at === 0 ? text : parts.join('') + text.slice(at)
}

function escaped(text: string): string {
  const safe = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('{\\', '&#123;\\')
  const lines = safe.split(/\r\n|\r|\n/).map((line) => (line.trim() === '' ? '&nbsp;' : line))
  return lines.join('\n')
}

function oneLine(text: string): string {
  return text.replace(/[\r\n]+/g, ' ')
}

function millis(seconds: Seconds): number {
  return Math.max(0, halfEven(seconds * 1000))
}

function stamp(millis: number): string {
  const two = (value: number) => String(value).padStart(2, '0')
  const whole = Math.floor(millis / 1000)
  return `${two(Math.floor(whole / 3600))}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}.${String(millis % 1000).padStart(3, '0')}`
}
