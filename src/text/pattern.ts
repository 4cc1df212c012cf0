// The patterns of tokenizer.json are written for Onigmo (Rust and Python use it); here they become JavaScript's.
// Only what is known to mean the same is let through: a pattern that splits a little differently would go unnoticed.
import { GlmError } from '../errors.ts'

const part = /\\(?:[pP]\{\w+\}|.)|\[(?:\\.|[^\\\]])+\]|\((?:\?(?:i:|[:=!>]))?|[*+?][+?]?|\{\d+(?:,\d*)?\}|./gsu
const element = /\\(?:[pP]\{\w+\}|.)|./gsu
/** JavaScript's own `\s` has U+FEFF and lacks U+0085; its own `\d` is ASCII. */
const SETS: Record<string, string> = { '\\s': '\\p{White_Space}', '\\S': '\\P{White_Space}', '\\d': '\\p{Nd}', '\\D': '\\P{Nd}' }
/** The two letters outside ASCII that are a case of one inside. Onigmo also takes `ß` for `ss` and the like, which no pattern has. */
const FOLDED: Record<string, string> = { s: 'ſ', k: '\u212a' }

/** Compiles a pattern of tokenizer.json; throws `template_invalid` when it cannot be used here. */
export function compilePattern(source: string): RegExp {
  try {
    if (source.length > 4096) fail('its length')
    const pattern = new RegExp(translate(source), 'gu')
    // Engines compile at the first use, once for each width of characters; what is too large shows only then.
    for (const text of ['a', '\u4e00']) text.match(pattern)
    return pattern
  } catch (error) {
    const message = `The pattern ${source.slice(0, 100)} of "pre_tokenizer" in tokenizer.json cannot be used: ${(error as Error).message}.`
    throw new GlmError('template_invalid', message, { cause: error })
  }
}

function translate(source: string): string {
  const out: string[] = []
  const open: { at: number; kind: string; fold: boolean }[] = []
  let fold = false
  let repeatable = false
  let names = 0
  /** JavaScript never gives back what a lookahead took: this makes `(?>…)` and the possessive quantifiers. */
  const atomic = (text: string) => `(?:(?=(?<a${++names}>${text}))\\k<a${names}>)`
  for (const text of source.match(part) ?? []) {
    if (text[0] === '(') {
      open.push({ at: out.length, kind: text, fold })
      fold ||= text === '(?i:'
      repeatable = false
    } else if (text === ')') {
      const { at, kind, fold: before } = open.pop() ?? fail(text)
      const inner = out.splice(at).join('')
      const looks = kind === '(?=' || kind === '(?!'
      out.push(kind === '(?>' ? atomic(inner) : `${looks ? kind : '(?:'}${inner})`)
      fold = before
      repeatable = !looks
    } else if (/^[*+?]|^\{./.test(text)) {
      const atom = (repeatable && out.pop()) || fail(text)
      // No pattern in use repeats a group, and that is what makes matching exponential.
      if ((atom[0] === '(' && text[0] !== '?') || /\d{4}/.test(text)) fail(text)
      out.push(text[1] === '+' ? atomic(atom + text[0]) : atom + text)
      repeatable = false
    } else {
      out.push(text === '|' ? text : text === '.' ? '[^\\n]' : text[0] === '[' ? charClass(text, fold) : single(text, fold))
      repeatable = text !== '|'
    }
  }
  if (open.length) fail('(')
  return out.join('')
}

/** In JavaScript `[` and `&&` are plain inside a class, an empty class is allowed, and a range has no cases. */
function charClass(text: string, fold: boolean): string {
  const start = text[1] === '^' ? 2 : 1
  const elements: string[] = text.slice(start, -1).match(element) ?? []
  if (!elements.length || elements.includes('[') || text.includes('&&') || (fold && elements.slice(1, -1).includes('-'))) fail(text)
  return `${text.slice(0, start)}${elements.map((one) => (one[0] === '\\' ? escaped(one, fold) : cases(one, fold))).join('')}]`
}

function single(text: string, fold: boolean): string {
  if (text[0] === '\\') return escaped(text, fold)
  if ('[]{}^$'.includes(text)) fail(text)
  const all = cases(text, fold)
  return all === text ? text : `[${all}]`
}

function cases(text: string, fold: boolean): string {
  const lower = text.toLowerCase()
  if (!fold || lower === text.toUpperCase()) return text
  return text > '\x7f' ? fail(`${text} in any case`) : lower + lower.toUpperCase() + (FOLDED[lower] ?? '')
}

function escaped(text: string, fold: boolean): string {
  // A category of one letter is the same in any case; `\p{Lu}` is not.
  if (fold && (text.length > 5 || text > '\\\x7f')) fail(`${text} in any case`)
  if (text.length > 3) {
    const script = `${text.slice(0, 3)}Script=${text.slice(3)}`
    return [text, script].find(compiles) ?? fail(text)
  }
  if (/[a-z\d]/i.test(text)) return SETS[text] ?? (/[tnvfr]/.test(text) ? text : fail(text))
  return `\\u{${text.codePointAt(1)!.toString(16)}}`
}

function compiles(source: string): boolean {
  try {
    return Boolean(new RegExp(source, 'u'))
  } catch {
    return false
  }
}

function fail(text: string): never {
  throw new Error(`${text} is not supported there`)
}
