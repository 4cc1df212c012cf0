// Jinja's expressions, compiled to functions of a scope as they are read.
import { filter, test } from './filters.ts'
import type { Token } from './lexer.ts'
import { member, operators, slice } from './operators.ts'
import { Dict, Fields, Float, type Named, type Run, Tuple, truth, type Value } from './values.ts'

/** Names and their values, inside those of an outer scope. */
export class Scope {
  readonly names: Named = new Map()
  constructor(
    readonly run: Run,
    readonly outer?: Scope,
  ) {}

  get(name: string): Value {
    if (this.names.has(name) || !this.outer) return this.names.get(name)
    this.run.spend(1 / 8)
    return this.outer.get(name)
  }
}

export type Expression = (scope: Scope) => Value

/** The tokens, read one by one. */
export interface Stream {
  readonly token: Token | undefined
  /** The token, if it is one of these names or marks, and on behind it. */
  take(...values: string[]): string | undefined
  expect(value: string): void
  /** The value of the token, which must be of the type. */
  read(type: Token['type']): string
  /** What stands between commas up to a closing mark. */
  series<T>(close: string, one: () => T): T[]
}

export function createStream(tokens: Token[]): Stream {
  let at = 0
  const isSign = ({ type }: Token) => type === 'name' || type === 'operator'
  const fail = (wanted: string): never => {
    throw new Error(`${wanted} is missing before ${JSON.stringify(tokens[at]?.value.slice(0, 40) ?? 'the end')}`)
  }
  const take = (...values: string[]) => {
    const token = tokens[at]
    return token && isSign(token) && values.includes(token.value) ? tokens[at++]!.value : undefined
  }
  const expect = (value: string) => void (take(value) ?? fail(value))
  const series = <T>(close: string, one: () => T) => {
    const all: T[] = []
    while (!take(close)) {
      all.push(one())
      if (take(',')) continue
      expect(close)
      break
    }
    return all
  }
  return {
    get token() {
      return tokens[at]
    },
    take,
    expect,
    series,
    read: (type) => (tokens[at]?.type === type ? tokens[at++]!.value : fail(`a ${type}`)),
  }
}

/** An expression whose work is paid for. */
const paid =
  (how: Expression): Expression =>
  (scope) => {
    const value = how(scope)
    scope.run.spend(1 + (typeof value === 'string' ? value.length / 16 : Array.isArray(value) ? value.length / 64 : 0))
    return value
  }

const CONSTANTS: Record<string, Value> = { true: true, false: false, none: null, True: true, False: false, None: null }
const NO_ARGUMENT = ['else', 'or', 'and', 'if', 'is', 'in', 'not']

export type Arguments = (scope: Scope) => [Value[], Named]
const noArguments: Arguments = () => [[], new Map()]

export interface Expressions {
  /** An expression; without `ternary`, an `if` behind it is left to the caller. */
  expression(ternary?: boolean): Expression
  /** An expression, or several with commas between: a tuple. */
  tuple(ternary?: boolean): Expression
  /** `| filter` and so on, behind a value. */
  filters(value: Expression): Expression
  /** A filter from its name on. */
  named(value: Expression): Expression
  /** Arguments of a call, behind its bracket. */
  args(): Arguments
}

export function createExpressions(stream: Stream): Expressions {
  const { take, expect, read, series } = stream
  const level = (symbols: string[], next: () => Expression) => () => {
    let left = next()
    for (let symbol = take(...symbols); symbol; symbol = take(...symbols)) {
      const [a, b, how] = [left, next(), operators[symbol]!]
      left = paid((scope) => how(a(scope), b(scope), scope.run))
    }
    return left
  }

  const dict = (): Expression => {
    const entries = series('}', () => {
      const key = expression()
      expect(':')
      return [key, expression()] as const
    })
    return (scope) =>
      new Dict(
        entries.map(([key, value]) => [key(scope), value(scope)]),
        scope.run.taint,
      )
  }

  const primary = (): Expression => {
    const { type, value } = stream.token ?? { type: 'text', value: '' }
    if (type === 'string') {
      let text = ''
      while (stream.token?.type === 'string') text += read('string')
      return () => text
    }
    if (type === 'int' || type === 'float') {
      const number = Number(read(type).replaceAll('_', ''))
      return () => (type === 'int' ? number : new Float(number))
    }
    if (type === 'name') {
      read('name')
      if (Object.hasOwn(CONSTANTS, value)) return () => CONSTANTS[value]
      return (scope) => scope.get(value)
    }
    if (take('(')) {
      if (take(')')) return () => new Tuple()
      const inner = tupled()
      expect(')')
      return inner
    }
    if (take('[')) {
      const items = series(']', () => expression())
      return (scope) => items.map((item) => item(scope))
    }
    expect('{')
    return dict()
  }

  const args = (): Arguments => {
    const placed: Expression[] = []
    const named: [string, Expression][] = []
    series(')', () => {
      const { type, value } = stream.token!
      const one = expression()
      if (type === 'name' && take('=')) named.push([value, expression()])
      else placed.push(one)
    })
    return (scope) => [placed.map((one) => one(scope)), new Map(named.map(([name, one]) => [name, one(scope)]))]
  }

  const subscript = (object: Expression): Expression => {
    const parts: (Expression | undefined)[] = [undefined]
    while (!take(']')) {
      if (take(':')) parts.push(undefined)
      else if (parts.at(-1)) expect(']')
      else parts[parts.length - 1] = expression()
    }
    if (parts.length > 1) {
      return (scope) =>
        slice(
          object(scope),
          parts.map((part) => part?.(scope)),
          scope.run,
        )
    }
    const [key] = parts
    if (!key) throw new Error('a subscript is empty')
    return (scope) => member(object(scope), key(scope), scope.run)
  }

  const call = (callee: Expression, name: string): Expression => {
    const given = args()
    return (scope) => {
      const found = callee(scope)
      const how = found instanceof Fields ? found.call : found
      if (typeof how !== 'function') throw new Error(`"${name}" cannot be called`)
      return how(...given(scope))
    }
  }

  const postfix = (first: Expression, name = ''): Expression => {
    let value = paid(first)
    for (;;) {
      const object = value
      if (take('.')) {
        const key = stream.token?.type === 'int' ? Number(read('int')) : read('name')
        name = String(key)
        value = paid((scope) => member(object(scope), key, scope.run, typeof key === 'number'))
      } else if (take('[')) value = paid(subscript(object))
      else if (take('(')) value = paid(call(object, name))
      else return value
    }
  }

  const simple = () => {
    const name = stream.token?.value
    return postfix(primary(), name)
  }

  const named = (value: Expression): Expression => {
    const name = read('name')
    const given = take('(') ? args() : noArguments
    return paid((scope) => filter(scope.run, name, value(scope), ...given(scope)))
  }

  const tested = (value: Expression): Expression => {
    const wanted = !take('not')
    const name = read('name')
    const { token } = stream
    let given = noArguments
    if (take('(')) given = args()
    else if (
      token &&
      (token.type === 'operator' ? '[{'.includes(token.value) : !NO_ARGUMENT.includes(token.value) && token.type !== 'text')
    ) {
      const one = simple()
      given = (scope) => [[one(scope)], new Map()]
    }
    return paid((scope) => {
      const [placed, byName] = given(scope)
      return test(scope.run, name, value(scope), [...placed, ...byName.values()]) === wanted
    })
  }

  const filters = (value: Expression): Expression => {
    let all = value
    for (;;) {
      if (take('|')) all = named(all)
      else if (take('is')) all = tested(all)
      else if (take('(')) all = paid(call(all, 'a filtered value'))
      else return all
    }
  }

  const unary = (filtered = true): Expression => {
    const sign = take('-', '+')
    const inner = sign && unary(false)
    const value = inner ? postfix((scope) => operators[sign]!(0, inner(scope), scope.run)) : simple()
    return filtered ? filters(value) : value
  }

  const factor = level(
    ['*', '/', '//', '%'],
    level(['**'], () => unary()),
  )
  const sum = level(['+', '-'], level(['~'], factor))

  const compared = (): Expression => {
    const first = sum()
    const chain: [string, Expression][] = []
    for (;;) {
      let symbol = take('==', '!=', '<', '<=', '>', '>=', 'in', 'not')
      if (symbol === 'not') {
        expect('in')
        symbol = 'not in'
      }
      if (!symbol) break
      chain.push([symbol, sum()])
    }
    if (!chain.length) return first
    return paid((scope) => {
      let left = first(scope)
      return chain.every(([symbol, next]) => {
        const right = next(scope)
        const holds = truth(operators[symbol]!(left, right, scope.run))
        left = right
        return holds
      })
    })
  }

  const negated = (): Expression => {
    if (!take('not')) return compared()
    const inner = negated()
    return (scope) => !truth(inner(scope))
  }

  const either = (word: string, stop: boolean, next: () => Expression) => () => {
    let left = next()
    while (take(word)) {
      const [a, b] = [left, next()]
      left = (scope) => {
        const value = a(scope)
        return truth(value) === stop ? value : b(scope)
      }
    }
    return left
  }
  const any = either('or', true, either('and', false, negated))

  const expression = (ternary = true): Expression => {
    let value = any()
    while (ternary && take('if')) {
      const [yes, condition] = [value, any()]
      const no = take('else') && expression()
      value = (scope) => (truth(condition(scope)) ? yes(scope) : no ? no(scope) : undefined)
    }
    return value
  }

  const tupled = (ternary = true): Expression => {
    const first = expression(ternary)
    if (!take(',')) return first
    const all = [first]
    while (stream.token && !['%}', '}}', ')', '=', 'in', 'recursive'].includes(stream.token.value)) {
      all.push(expression(ternary))
      if (!take(',')) break
    }
    return paid((scope) => Tuple.from(all, (one) => one(scope)))
  }

  return { expression, tuple: tupled, filters, named, args }
}
