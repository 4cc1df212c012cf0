// Jinja's statements, compiled to functions that write into a list of pieces.
import { createExpressions, createStream, type Expression, Scope } from './expressions.ts'
import type { Token } from './lexer.ts'
import { type Callable, Fields, itemsOf, truth, type Value } from './values.ts'
import { str } from './written.ts'

/** How a statement ended: a jump is on its way to its loop. */
type Jump = 'break' | 'continue' | undefined
export type Statement = (scope: Scope, out: string[]) => Jump
/** Gives a value the name or names that stand there. */
type Target = (scope: Scope, value: Value) => void

/** A pass of a loop in expressions: it makes a scope and a `loop` variable. */
const PASS = 16

/** The text that a body writes. */
export function capture(body: Statement, scope: Scope): string {
  const out: string[] = []
  if (body(scope, out)) throw new Error('a break or continue outside a loop')
  const text = out.join('')
  scope.run.spend(text.length / 16)
  return text
}

/** Throws for what is malformed or not known. */
export function compile(tokens: Token[]): Statement {
  const stream = createStream(tokens)
  const { take, expect, read, series } = stream
  const { expression, tuple, filters, named, args } = createExpressions(stream)
  /** The word that ended the last block. */
  let ended = ''

  /** Statements up to `{% word`, for one of the words. */
  const block = (...words: string[]): Statement => {
    const all: Statement[] = []
    let end = ''
    while (stream.token && !end) {
      if (stream.token.type === 'text') all.push(written(read('text')))
      else if (take('{{')) {
        all.push(print(tuple()))
        expect('}}')
      } else {
        expect('{%')
        end = take(...words) ?? ''
        if (!end) all.push(statement())
      }
    }
    ended = end
    if (words.length && !end) throw new Error(`{% ${words.at(-1)} %} is missing`)
    return (scope, out) => {
      for (const one of all) {
        scope.run.spend(1)
        const jump = one(scope, out)
        if (jump) return jump
      }
      return undefined
    }
  }
  const body = (...words: string[]) => {
    expect('%}')
    return block(...words)
  }
  /** A body to the end of its statement. */
  const whole = (word: string) => {
    const inner = body(word)
    expect('%}')
    return inner
  }

  const target = (): Target => {
    const one = (): Target => {
      if (take('(')) {
        const inner = target()
        expect(')')
        return inner
      }
      const name = read('name')
      if (!take('.')) return (scope, value) => scope.names.set(name, value)
      const field = read('name')
      return (scope, value) => {
        const space = scope.get(name)
        if (!(space instanceof Fields)) throw new Error(`"${name}" is no namespace`)
        space.names.set(field, value)
      }
    }
    const all = [one()]
    const comma = take(',')
    if (!comma) return all[0]!
    do all.push(one())
    while (take(','))
    return (scope, value) => {
      const items = itemsOf(value, scope.run)
      if (items.length !== all.length) throw new Error('a list does not fit the names it is given')
      for (const [index, give] of all.entries()) give(scope, items[index])
    }
  }

  const branch = (): Statement => {
    const arms: [Expression | undefined, Statement][] = []
    do arms.push([expression(), body('elif', 'else', 'endif')])
    while (ended === 'elif')
    if (ended === 'else') arms.push([undefined, body('endif')])
    expect('%}')
    return (scope, out) => arms.find(([test]) => !test || truth(test(scope)))?.[1](scope, out)
  }

  const loop = (): Statement => {
    const bind = target()
    expect('in')
    const all = tuple(false)
    const test = take('if') && expression()
    const recursive = !!take('recursive')
    const inner = body('else', 'endfor')
    const otherwise = ended === 'else' ? body('endfor') : undefined
    expect('%}')

    const bound = (outer: Scope, item: Value) => {
      const scope = new Scope(outer.run, outer)
      bind(scope, item)
      return scope
    }
    const pass = (list: Value, outer: Scope, out: string[], depth: number): Jump => {
      const every = itemsOf(list, outer.run)
      const items = test ? every.filter((item) => truth(test(bound(outer, item)))) : every
      outer.run.spend(every.length)
      const again: Callable | undefined = recursive
        ? ([below]) => capture((scope, text) => pass(below, scope, text, depth + 1), outer)
        : undefined
      for (const [index, item] of items.entries()) {
        outer.run.spend(PASS)
        const scope = bound(outer, item)
        scope.names.set('loop', loopVariable(items, index, depth, again))
        if (inner(scope, out) === 'break') break
      }
      return items.length ? undefined : otherwise?.(outer, out)
    }
    return (scope, out) => pass(all(scope), scope, out, 1)
  }

  const set = (): Statement => {
    const give = target()
    if (take('=')) {
      const value = tuple()
      expect('%}')
      return (scope) => void give(scope, value(scope))
    }
    const { made, value } = filtered(filters)
    const inner = whole('endset')
    return (scope) => void give(scope, value(made(scope, inner)))
  }

  /** Filters of what a body will write. */
  const filtered = (read: (value: Expression) => Expression) => {
    const value = read((scope) => scope.get(''))
    const made = (outer: Scope, inner: Statement) => {
      const scope = new Scope(outer.run, outer)
      scope.names.set('', capture(inner, new Scope(outer.run, outer)))
      return scope
    }
    return { made, value }
  }

  const filterBlock = (): Statement => {
    const { made, value } = filtered((text) => filters(named(text)))
    const inner = whole('endfilter')
    return (scope, out) => void out.push(str(value(made(scope, inner)), scope.run))
  }

  type Parameter = [name: string, fallback: Expression | undefined]
  const parameters = () => series(')', (): Parameter => [read('name'), take('=') ? expression() : undefined])

  /** A macro from its parameters on. */
  const macro = (name: string, known: Parameter[], inner: Statement) => (outer: Scope) => {
    const how: Callable = (args, given) => {
      outer.run.spend(known.length * (1 + given.size))
      const extra = [...given.keys()].find((key) => key !== 'caller' && known.findIndex(([one]) => one === key) < args.length)
      if (extra !== undefined || args.length > known.length) throw new Error(`${name}() takes other arguments`)
      const scope = new Scope(outer.run, outer)
      scope.names.set('caller', given.get('caller'))
      for (const [index, [one, fallback]] of known.entries()) {
        scope.names.set(one, index < args.length ? args[index] : given.has(one) ? given.get(one) : fallback?.(scope))
      }
      return capture(inner, scope)
    }
    return how
  }

  const macroStatement = (): Statement => {
    const name = read('name')
    expect('(')
    const make = macro(name, parameters(), whole('endmacro'))
    return (scope) => void scope.names.set(name, make(scope))
  }

  const callStatement = (): Statement => {
    const known = take('(') ? parameters() : []
    const name = read('name')
    expect('(')
    const given = args()
    const make = macro('caller', known, whole('endcall'))
    return (scope, out) => {
      const called = scope.get(name)
      if (typeof called !== 'function') throw new Error(`"${name}" cannot be called`)
      const [placed, byName] = given(scope)
      out.push(str(called(placed, byName.set('caller', make(scope))), scope.run))
      return undefined
    }
  }

  const jump = (how: Jump) => (): Statement => {
    expect('%}')
    return () => how
  }

  const statements: Record<string, () => Statement> = {
    if: branch,
    for: loop,
    set,
    filter: filterBlock,
    macro: macroStatement,
    call: callStatement,
    break: jump('break'),
    continue: jump('continue'),
    // transformers' mark for the text that is trained on
    generation: () => whole('endgeneration'),
  }
  const statement = () => {
    const name = read('name')
    if (!Object.hasOwn(statements, name)) throw new Error(`{% ${name} %} is not supported here`)
    return statements[name]!()
  }

  return block()
}

const written =
  (text: string): Statement =>
  (scope, out) => {
    scope.run.spend(text.length / 16)
    out.push(text)
    return undefined
  }

const print =
  (value: Expression): Statement =>
  (scope, out) => {
    out.push(str(value(scope), scope.run))
    return undefined
  }

function loopVariable(items: Value[], index: number, depth: number, again: Callable | undefined): Fields {
  const { length } = items
  const names: Record<string, Value> = {
    index: index + 1,
    index0: index,
    revindex: length - index,
    revindex0: length - index - 1,
    length,
    depth,
    depth0: depth - 1,
    first: index === 0,
    last: index === length - 1,
    previtem: items[index - 1],
    nextitem: items[index + 1],
    cycle: (args) => args[index % args.length],
  }
  return new Fields(new Map(Object.entries(names)), again)
}
