// Where a character came from, kept through a template's string work. In the caller's strings every character that occurs in a control
// string is swapped, one code unit for one, for a private-use stand-in: concatenation and slicing carry it along, searching looks
// through it (`restore` keeps indices), and a control string in the rendered text can only be one that the template wrote.
import { GlmError } from '../errors.ts'

export interface Taint {
  /** Marks a text as the caller's. */
  mark(text: string): string
  /** The text as it was meant, of the same length. */
  restore(text: string): string
  isMarked(text: string): boolean
}

/** Characters to be marked: all of the control strings', but for whitespace, what JSON escapes and what is longer than one unit. */
export function alphabetOf(controls: Iterable<string>): string[] {
  return [...new Set([...controls].join(''))].filter((unit) => unit.length === 1 && /^[^\s"\\\p{C}]$/u.test(unit))
}

/** Chooses stand-ins that occur in none of `texts`. Throws `messages_invalid` when these use up the whole private area. */
export function createTaint(alphabet: string[], texts: Iterable<string>): Taint {
  const used = new Set(alphabet)
  for (const text of texts) for (const unit of text.match(/[\uE000-\uF8FF]/g) ?? []) used.add(unit)
  const there = new Map<string, string>()
  const back = new Map<string, string>()
  let code = 0xe000
  for (const unit of alphabet) {
    while (used.has(String.fromCharCode(code))) code++
    if (code > 0xf8ff) throw new GlmError('messages_invalid', 'The messages use every private-use character of Unicode; leave some out.')
    const standIn = String.fromCharCode(code++)
    there.set(unit, standIn)
    back.set(standIn, unit)
  }
  const standIns = new RegExp(charactersOf(back.keys()), 'g')
  const units = new RegExp(charactersOf(there.keys()), 'g')
  return {
    mark: (text) => text.replace(units, (unit) => there.get(unit)!),
    restore: (text) => text.replace(standIns, (unit) => back.get(unit)!),
    isMarked: (text) => text.search(standIns) >= 0,
  }
}

function charactersOf(units: Iterable<string>): string {
  const escaped = Array.from(units, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')
  return escaped ? `[${escaped}]` : '(?!)'
}
