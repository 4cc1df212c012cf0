// What chat templates take from Python: string methods and strftime.
// All strings may hold marked characters (taint.ts): they are searched as the plain text and cut as they are.
import type { Taint } from './taint.ts'
import type { Run } from './values.ts'

/** Whitespace of Python's str.strip and str.split, which is not JavaScript's. */
export const SPACE = '\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000'
const leading = new RegExp(`^[${SPACE}]+`)
const LINE_ENDS = '\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029'
const lines = new RegExp(`\\r\\n|[${LINE_ENDS}]`)
const words = new RegExp(`[^${SPACE}]+`, 'g')

/** What a method or filter was called with. */
export type Plain = string | number | boolean | null | undefined | Plain[]

/** Python's string methods, each with the names of its arguments. `spend` is told the work of a search. */
export function stringMethods(taint: Taint, spend: (work: number) => void): Run['methods'] {
  const plain = taint.restore
  const sought = (value: Plain, text: string): string => {
    if (typeof value !== 'string') throw new Error('a string method needs a string')
    spend((value.length * text.length) / 1024 + value.length / 64)
    return plain(value)
  }
  // Indices change here, so the whole result counts as the caller's if any of it does.
  const convert = (text: string, how: (text: string) => string) => (taint.isMarked(text) ? taint.mark(how(plain(text))) : how(text))
  const places = (text: string, part: string, limit = -1) => {
    if (!part) throw new Error('empty separator')
    const all = plain(text)
    const found: number[] = []
    for (let at = all.indexOf(part); at >= 0 && found.length !== limit; at = all.indexOf(part, at + part.length)) found.push(at)
    spend(found.length)
    return found
  }
  const cut = (text: string, found: number[], length: number) => {
    const starts = [0, ...found.map((at) => at + length)]
    return starts.map((start, index) => text.slice(start, found[index]))
  }
  const stripStart = (text: string, chars: Plain) => {
    if (typeof chars === 'string') spend(chars.length / 8)
    return text.slice(leadingLength(plain(text), chars, plain))
  }
  const stripEnd = (text: string, chars: Plain) => {
    if (typeof chars === 'string') spend(chars.length / 8)
    const reversed = [...plain(text)].reverse().join('')
    return text.slice(0, text.length - leadingLength(reversed, chars, plain))
  }
  const splitWords = (text: string, limit: number) => {
    const rest = stripStart(text, null)
    const parts: string[] = []
    for (const word of plain(rest).matchAll(words)) {
      const last = parts.length === limit
      parts.push(last ? rest.slice(word.index) : rest.slice(word.index, word.index + word[0].length))
      if (last) break
    }
    spend(parts.length)
    return parts
  }
  const divide = (text: string, part: Plain, last: boolean) => {
    const found = places(text, sought(part, text))
    const at = last ? found.at(-1) : found[0]
    if (at === undefined) return last ? ['', '', text] : [text, '', '']
    const end = at + (part as string).length
    return [text.slice(0, at), text.slice(at, end), text.slice(end)]
  }
  const hasEdge = (text: string, part: Plain, edge: 'startsWith' | 'endsWith') => {
    const all = plain(text)
    return (Array.isArray(part) ? part : [part]).some((one) => {
      spend(1)
      return all[edge](sought(one, ''))
    })
  }

  const split = (text: string, separator?: Plain, limit: Plain = -1) => {
    if (separator === null || separator === undefined) return splitWords(text, Number(limit))
    return cut(text, places(text, sought(separator, text), Number(limit)), (separator as string).length)
  }
  const rsplit = (text: string, separator?: Plain, limit: Plain = -1) => {
    if (typeof separator !== 'string') throw new Error('rsplit() needs a separator here')
    const found = places(text, sought(separator, text))
    return cut(text, Number(limit) < 0 ? found : Number(limit) === 0 ? [] : found.slice(-Number(limit)), separator.length)
  }
  const replace = (text: string, from: Plain, to: Plain, count: Plain = -1) => {
    if (typeof to !== 'string') throw new Error('replace() needs strings')
    if (from === '') throw new Error('replace() of an empty string is not supported')
    const parts = cut(text, places(text, sought(from, text), Number(count ?? -1)), (from as string).length)
    spend((parts.length * to.length) / 16)
    return parts.join(to)
  }
  const find = (text: string, part: Plain) => {
    const at = plain(text).indexOf(sought(part, text))
    return at < 0 ? at : [...text.slice(0, at)].length
  }
  const title = (word: string) => word.charAt(0).toUpperCase() + word.slice(1).toLowerCase()

  return {
    strip: ['chars', (text: string, chars: Plain) => stripEnd(stripStart(text, chars), chars)],
    lstrip: ['chars', stripStart],
    rstrip: ['chars', stripEnd],
    split: ['sep maxsplit', split],
    rsplit: ['sep maxsplit', rsplit],
    splitlines: ['', (text: string) => text.split(lines).filter((line, i, all) => line || i + 1 < all.length)],
    replace: ['old new count', replace],
    startswith: ['prefix', (text: string, part: Plain) => hasEdge(text, part, 'startsWith')],
    endswith: ['suffix', (text: string, part: Plain) => hasEdge(text, part, 'endsWith')],
    find: ['sub', find],
    count: ['sub', (text: string, part: Plain) => places(text, sought(part, text)).length],
    partition: ['sep', (text: string, part: Plain) => divide(text, part, false)],
    rpartition: ['sep', (text: string, part: Plain) => divide(text, part, true)],
    removeprefix: ['prefix', (text: string, part: string) => (hasEdge(text, part, 'startsWith') ? text.slice(part.length) : text)],
    removesuffix: [
      'suffix',
      (text: string, part: string) => (part && hasEdge(text, part, 'endsWith') ? text.slice(0, -part.length) : text),
    ],
    upper: ['', (text: string) => convert(text, (all) => all.toUpperCase())],
    lower: ['', (text: string) => convert(text, (all) => all.toLowerCase())],
    capitalize: ['', (text: string) => convert(text, title)],
    title: ['', (text: string) => convert(text, (all) => all.replace(/\p{L}+/gu, title))],
    isdigit: ['', (text: string) => /^\p{Nd}+$/u.test(plain(text))],
    isspace: ['', (text: string) => text !== '' && leadingLength(text, null, plain) === text.length],
  }
}

function leadingLength(text: string, chars: Plain, plain: (text: string) => string): number {
  if (typeof chars !== 'string') return leading.exec(text)?.[0].length ?? 0
  const set = new Set(plain(chars))
  let length = 0
  for (const character of text) {
    if (!set.has(character)) break
    length += character.length
  }
  return length
}

/** Python's strftime in the C locale; unknown codes stay as they are. */
export function strftime(date: Date, format: string): string {
  const name = (part: 'weekday' | 'month') => date.toLocaleDateString('en-US', { [part]: 'long' })
  const two = (value: number) => String(value).padStart(2, '0')
  const codes: Record<string, string> = {
    Y: String(date.getFullYear()),
    y: two(date.getFullYear() % 100),
    m: two(date.getMonth() + 1),
    d: two(date.getDate()),
    H: two(date.getHours()),
    I: two(date.getHours() % 12 || 12),
    M: two(date.getMinutes()),
    S: two(date.getSeconds()),
    p: date.getHours() < 12 ? 'AM' : 'PM',
    A: name('weekday'),
    a: name('weekday').slice(0, 3),
    B: name('month'),
    b: name('month').slice(0, 3),
    '%': '%',
  }
  return format.replace(/%([a-zA-Z%])/g, (code, letter: string) => codes[letter] ?? code)
}
