// The patterns of tokenizer.json are written for Onigmo (Rust and Python use it); here they become JavaScript's.
// Only constructs known to mean the same are let through: a pattern that splits a little differently would go unnoticed.
import { GlmError } from '../errors.ts'

const ESCAPE = String.raw`\\(?:[pP]\{\w+\}|x\{[\da-fA-F]+\}|x[0-7][\da-fA-F]|u[\da-fA-F]{4}|[^])`
const part = new RegExp(String.raw`${ESCAPE}|\[(?:\\[^]|[^\\\]])+\]|\((?:\?(?:i:|[:=!>]))?|[*+?][+?]?|\{\d+(?:,\d*)?\}|[^]`, 'gu')
const item = new RegExp(`${ESCAPE}|[^]`, 'gu')
const CONTROLS: Record<string, number> = { t: 9, n: 10, v: 11, f: 12, r: 13 }
/** JavaScript's own `\s` has U+FEFF and lacks U+0085; its own `\d` is ASCII. */
const SETS: Record<string, string> = { s: '\\p{White_Space}', S: '\\P{White_Space}', d: '\\p{Nd}', D: '\\P{Nd}' }
/** The two letters outside ASCII that fold to one inside; Onigmo's `(?i:s)` matches them. */
const FOLDED: Record<string, string> = { s: 'ſ', k: '\u212a' }

/** Compiles a pattern of tokenizer.json; throws `template_invalid` when it cannot be used here. */
export function compilePattern(source: string): RegExp {
  try {
    if (source.length > 4096) throw new Error('it is longer than 4096 characters')
    const pattern = new RegExp(translate(source), 'gu')
    // Engines compile at the first use, once for each width of characters; what is too large shows only then.
    for (const text of ['', 'a', '\u4e00']) text.match(pattern)
    return pattern
  } catch (error) {
    const message = `The pattern ${source.slice(0, 100)} in "pre_tokenizer" of tokenizer.json cannot be used: ${(error as Error).message}.`
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
      const group = open.pop()
      if (!group) throw new Error('a bracket is closed that was never opened')
      const inner = out.splice(group.at).join('')
      const lookahead = group.kind === '(?=' || group.kind === '(?!'
      out.push(group.kind === '(?>' ? atomic(inner) : `${lookahead ? group.kind : '(?:'}${inner})`)
      fold = group.fold
      repeatable = !lookahead
    } else if (/^(?:[*+?]|\{\d)/.test(text)) {
      if (!repeatable) throw new Error(`${text} repeats nothing`)
      const atom = out.pop()!
      // No pattern in use has these, and they are what makes matching exponential.
      if (atom[0] === '(' && text[0] !== '?') throw new Error('a repeated group is not supported')
      if ((text.match(/\d+/g) ?? []).some((count) => Number(count) > 1000)) throw new Error(`${text} repeats too often`)
      out.push(text[1] === '+' ? atomic(atom + text[0]) : atom + text)
      repeatable = false
    } else {
      out.push(
        text === '|' ? text : text === '.' ? '[^\\n]' : text.length > 1 && text[0] === '[' ? charClass(text, fold) : atom(text, fold),
      )
      repeatable = text !== '|'
    }
  }
  if (open.length) throw new Error('a bracket is never closed')
  return out.join('')
}

function atom(text: string, fold: boolean): string {
  const code = literal(text)
  if (code === undefined) return set(text, fold)
  if ('[]{}^$'.includes(text)) throw new Error(`${text} is not supported here`)
  const all = variants(code, fold)
  return all.length > 1 ? `[${all.map(quote).join('')}]` : quote(code)
}

function charClass(text: string, fold: boolean): string {
  const [, not = '', body = ''] = /^\[(\^?)([^]*)\]$/.exec(text)!
  const items = body.match(item) ?? []
  if (!items.length || items.includes('[') || body.includes('&&')) throw new Error(`the class ${text} is not supported`)
  let out = ''
  for (let i = 0; i < items.length; i++) {
    const first = literal(items[i]!)
    if (items[i + 1] !== '-' || i + 2 >= items.length) {
      out += first === undefined ? set(items[i]!, fold) : variants(first, fold).map(quote).join('')
      continue
    }
    const last = literal(items[i + 2]!)
    if (first === undefined || last === undefined) throw new Error(`the class ${text} has a range of classes`)
    out += `${quote(first)}-${quote(last)}`
    if (fold && last - first > 1000) throw new Error(`the class ${text} is too wide to ignore case`)
    if (fold) for (let code = first; code <= last; code++) out += variants(code, fold).slice(1).map(quote).join('')
    i += 2
  }
  return `[${not}${out}]`
}

/** The character a part stands for, if it is not a set of them. */
function literal(text: string): number | undefined {
  if (text[0] !== '\\') return text.codePointAt(0)
  const kind = text[1] ?? ''
  if (text.length > 2 && /[xu]/.test(kind)) return Number.parseInt(text.replace(/[^\da-f]/gi, ''), 16)
  return CONTROLS[kind] ?? (/^\\[^\da-z]/i.test(text) ? text.codePointAt(1) : undefined)
}

function set(text: string, fold: boolean): string {
  if (text.length === 2 && SETS[text[1]!]) return SETS[text[1]!]!
  const name = /^\\[pP]\{(\w+)\}$/.exec(text)?.[1]
  // A category of one letter is the same in both cases; `\p{Lu}` is not.
  if (!name || (fold && name.length > 1)) throw new Error(`${text} is not supported here`)
  const script = `${text.slice(0, 3)}Script=${name}}`
  return [text, script].find(compiles) ?? text
}

const quote = (code: number) => `\\u{${code.toString(16)}}`

function variants(code: number, fold: boolean): number[] {
  if (!fold) return [code]
  const text = String.fromCodePoint(code)
  const lower = text.toLowerCase()
  const all = [text, lower, text.toUpperCase(), FOLDED[lower] ?? text].filter((one) => [...one].length === 1)
  return [...new Set(all)].map((one) => one.codePointAt(0)!)
}

function compiles(source: string): boolean {
  try {
    return Boolean(new RegExp(source, 'u'))
  } catch {
    return false
  }
}
