// Runs a chat template as transformers would: Jinja with Python's semantics, origins of characters respected (taint.ts), and a budget,
// for the template of a downloaded repository may loop for ever. Ours, for size; what it does not know throws by its name.
import { GlmError } from '../errors.ts'
import { Scope } from './expressions.ts'
import { tokenize } from './lexer.ts'
import { strftime, stringMethods } from './python.ts'
import { capture, compile, type Statement } from './statements.ts'
import type { Taint } from './taint.ts'
import { type Callable, Dict, Fields, type Run, type Value, whole } from './values.ts'
import { str } from './written.ts'

export type Program = Statement

/** What a template says with `raise_exception`. */
export class Raised extends Error {}

/** Parses a template with transformers' whitespace rules. Throws for what is malformed or too long. */
export function parseTemplate(source: string): Program {
  if (source.length > 300_000) throw new GlmError('template_invalid', 'The chat template is too long.')
  return compile(tokenize(source))
}

/** Runs a parsed template. `budget` is the work allowed, about one per expression, per 16 characters and per item that it looks at; it may write as many characters. */
export function runTemplate(program: Program, variables: Iterable<[string, Value]>, taint: Taint, budget: number, lenient = false): string {
  let left = budget
  const spend = (work: number) => {
    left -= work
    if (!(left >= 0)) throw new GlmError('template_invalid', 'The chat template does too much work; take another template.')
  }
  const run: Run = { taint, spend, lenient, methods: stringMethods(taint, spend) }
  const scope = new Scope(run)
  for (const [name, value] of [...globals(run), ...variables]) scope.names.set(name, value)
  const text = capture(program, scope)
  if (text.length > budget) throw new GlmError('template_invalid', 'The chat template writes too much; take another template.')
  return text
}

function globals(run: Run): [string, Callable][] {
  return [
    [
      'raise_exception',
      ([message]) => {
        throw new Raised(run.taint.restore(str(message, run)))
      },
    ],
    [
      'strftime_now',
      ([format]) => {
        run.spend(10_000) // names of days come from tables that are slow to ask
        return strftime(new Date(), run.taint.restore(str(format, run)))
      },
    ],
    ['range', (numbers) => range(numbers, run)],
    ['namespace', ([from], named) => new Fields(new Map([...(entries(from, run) as Iterable<[string, Value]>), ...named]))],
    ['dict', ([from], named) => new Dict([...entries(from, run), ...named], run.taint)],
  ]
}

function entries(from: Value, run: Run): Iterable<[Value, Value]> {
  if (!(from instanceof Dict)) return []
  run.spend(from.size)
  return from
}

function range(numbers: Value[], run: Run): Value[] {
  const [start, stop, step] = (numbers.length > 1 ? [numbers[0], numbers[1], numbers[2] ?? 1] : [0, numbers[0], 1]).map(whole)
  if (!step) throw new Error('range() needs a step')
  const length = Math.max(0, Math.ceil((stop! - start!) / step))
  run.spend(length)
  return Array.from({ length }, (_, index) => start! + index * step)
}
