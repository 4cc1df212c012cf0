// Jinja's source cut into tokens, with transformers' whitespace rules: trim_blocks, lstrip_blocks, no newline at the end.
import { SPACE } from './python.ts'

export interface Token {
  /** `text` is what stands outside the tags; the marks of tags are operators: `{{`, `}}`, `{%`, `%}`. */
  type: 'text' | 'name' | 'string' | 'int' | 'float' | 'operator'
  value: string
}

const PARTS: [Token['type'], RegExp][] = [
  ['name', /[\p{L}_][\p{L}\p{N}_]*/uy],
  ['float', /\d[\d_]*(\.\d[\d_]*([eE][-+]?\d+)?|[eE][-+]?\d+)/y],
  ['int', /\d[\d_]*/y],
  ['string', /'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"/sy],
  ['operator', /\*\*|\/\/|[=!<>]=|[-+*/%~[\](){}<>=.:|,]/y],
]
const SPACES = new RegExp(`[${SPACE}]*`, 'y')
const SPACE_UNIT = new RegExp(`[${SPACE}]`)
const TAG = /\{[%{#]/g
const matchAt = (pattern: RegExp, text: string, at: number) => {
  pattern.lastIndex = at
  return pattern.exec(text)
}

/** Throws when a tag or string has no end or holds what is no token. */
export function tokenize(source: string): Token[] {
  const text = source.replace(/\r\n?/g, '\n').replace(/\n$/, '')
  const tokens: Token[] = []
  let at = 0

  /** The text up to a tag, and on behind the tag's sign. */
  const before = (tag: number, sign: string, lstrip: boolean) => {
    let end = tag
    if (sign === '-') while (end > at && SPACE_UNIT.test(text[end - 1]!)) end--
    else if (sign !== '+' && lstrip) {
      while (end > at && (text[end - 1] === ' ' || text[end - 1] === '\t')) end--
      if (end > 0 && text[end - 1] !== '\n') end = tag
    }
    if (end > at) tokens.push({ type: 'text', value: text.slice(at, end) })
  }
  const after = (end: number, sign: string, trim: boolean) => {
    at = end
    if (sign === '-') at += matchAt(SPACES, text, at)![0].length
    else if (sign !== '+' && trim && text[at] === '\n') at++
  }
  const inside = (close: string) => {
    const end = new RegExp(`([-+]?)${close}`, 'y')
    for (let depth = 0; ; ) {
      at += matchAt(SPACES, text, at)![0].length
      const closed = depth === 0 && matchAt(end, text, at)
      if (closed) {
        tokens.push({ type: 'operator', value: close })
        return after(at + closed[0].length, closed[1]!, close === '%}')
      }
      const token = nextToken(text, at)
      depth += '([{'.includes(token.value) ? 1 : ')]}'.includes(token.value) ? -1 : 0
      at += token.value.length
      tokens.push(token.type === 'string' ? { type: 'string', value: unescaped(token.value.slice(1, -1)) } : token)
    }
  }
  while (at < text.length) {
    const tag = matchAt(TAG, text, at)?.index ?? text.length
    const open = text.slice(tag, tag + 2)
    const sign = /^[-+]/.exec(text.slice(tag + 2, tag + 3))?.[0] ?? ''
    before(tag, sign, !!open && open !== '{{')
    at = tag + 2 + sign.length
    if (open === '{#') {
      const end = text.indexOf('#}', at)
      if (end < 0) throw new Error('a comment has no end')
      after(end + 2, end > at ? text[end - 1]! : '', true)
    } else if (open) {
      tokens.push({ type: 'operator', value: open })
      inside(open === '{%' ? '%}' : '}}')
    }
  }
  return tokens
}

function nextToken(text: string, at: number): Token {
  for (const [type, pattern] of PARTS) {
    const value = matchAt(pattern, text, at)?.[0]
    if (value) return { type, value }
  }
  throw new Error(at < text.length ? `a tag holds ${JSON.stringify(text.slice(at, at + 20))}` : 'a tag has no end')
}

const ESCAPES: Record<string, string> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f', v: '\v', a: '\x07', '\n': '' }

/** A string's text by Python's escapes; unknown ones stay as they are. */
function unescaped(text: string): string {
  return text.replace(/\\(x[\da-fA-F]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8}|[0-7]{1,3}|.)/gs, (all, code: string) => {
    if (code.length > 1 && /[xuU]/.test(code[0]!)) return String.fromCodePoint(Number.parseInt(code.slice(1), 16))
    if (/[0-7]/.test(code[0]!)) return String.fromCharCode(Number.parseInt(code, 8))
    return ESCAPES[code] ?? (/[\\'"]/.test(code) ? code : all)
  })
}
