// Jinja's filters and tests, as far as chat templates use them; any other throws by its name.
import { join, member, operators, sorted } from './operators.ts'
import {
  arrange,
  type Callable,
  Dict,
  equal,
  Fields,
  Float,
  itemsOf as itemsIn,
  type Named,
  numberOf,
  type Run,
  truth,
  tuple,
  type Value,
  whole,
} from './values.ts'
import { json, str } from './written.ts'

type Filter = (run: Run, value: Value, ...args: Value[]) => Value
type Test = (run: Run, value: Value, ...args: Value[]) => boolean

const none: Named = new Map()

/** What a filter goes through, paid for every time: a list may hold one long list over and over. */
function itemsOf(value: Value, run: Run): Value[] {
  const items = itemsIn(value, run)
  run.spend(items.length / 8)
  return items
}

/** A string method as a filter: what is no string is made one. */
const byMethod =
  (name: string): Filter =>
  (run, value, ...args) =>
    (member(str(value, run), name, run) as Callable)(args, none)

/** What `attribute='a.b'` finds in an item. */
function attribute(run: Run, value: Value, path: Value): Value {
  if (path === undefined || path === null) return value
  run.spend(typeof path === 'string' ? path.length / 8 : 1)
  const parts = typeof path === 'string' ? run.taint.restore(path).split('.') : [whole(path)]
  return parts.reduce((one: Value, part) => member(one, /^\d+$/.test(String(part)) ? Number(part) : part, run), value)
}

const end =
  (place: number): Filter =>
  (run, value) =>
    itemsOf(value, run).at(place)

function dictsort(run: Run, value: Value, caseSensitive: Value, by: Value, reverse: Value): Value {
  if (!(value instanceof Dict)) throw new Error('dictsort needs a dict')
  const place = by === 'value' ? 1 : 0
  return sorted(
    Array.from(value, ([key, one]) => tuple(key, one)),
    (pair) => (pair as Value[])[place],
    caseSensitive,
    reverse,
    run,
  )
}

function indent(run: Run, value: Value, width: Value = 4, first?: Value, blank?: Value): Value {
  const size = typeof width === 'string' ? width.length : whole(width)
  const lines = byMethod('splitlines')(run, `${str(value, run)}\n`) as string[]
  run.spend((lines.length * size) / 16)
  const pad = typeof width === 'string' ? width : ' '.repeat(Math.max(0, size))
  return lines.map((line, index) => ((index ? line || truth(blank) : truth(first)) ? pad + line : line)).join('\n')
}

function number(run: Run, value: Value): number {
  if (typeof value !== 'string') return numberOf(value) ?? Number.NaN
  run.spend(value.length / 16)
  const text = run.taint.restore(value).trim()
  // No two parts take the same character: else a long number that is none would cost its square.
  return /^[-+]?(\d[\d_]*(\.\d*)?|\.\d+)(e[-+]?\d+)?$/i.test(text) ? Number(text.replaceAll('_', '')) : Number.NaN
}

function unique(run: Run, value: Value, caseSensitive: Value, path: Value): Value {
  const seen = new Set<Value>()
  return itemsOf(value, run).filter((one) => {
    const found = attribute(run, one, path)
    run.spend(typeof found === 'string' ? found.length / 16 : 1)
    const key = typeof found === 'string' && !truth(caseSensitive) ? run.taint.restore(found).toLowerCase() : found
    if (typeof key === 'object' && key) throw new Error('unique needs strings or whole numbers')
    return !seen.has(key) && seen.add(key)
  })
}

const filters: Record<string, [names: string, how: Filter]> = {
  abs: ['', (_, value) => (value instanceof Float ? new Float(Math.abs(value.number)) : Math.abs(whole(value)))],
  capitalize: ['', byMethod('capitalize')],
  count: ['', length],
  d: ['default_value boolean', fallback],
  default: ['default_value boolean', fallback],
  dictsort: ['case_sensitive by reverse', dictsort],
  first: ['', end(0)],
  float: ['default', (run, value, other = new Float(0)) => (Number.isNaN(number(run, value)) ? other : new Float(number(run, value)))],
  indent: ['width first blank', indent],
  int: ['default', (run, value, other = 0) => (Number.isFinite(number(run, value)) ? whole(Math.trunc(number(run, value)) + 0) : other)],
  items: ['', (run, value) => (value === undefined ? [] : (member(value, 'items', run, false) as Callable)([], none))],
  join: [
    'd attribute',
    (run, value, separator = '', path) => {
      const items = itemsOf(value, run)
      return join(path === undefined ? items : items.map((one) => attribute(run, one, path)), str(separator, run), run)
    },
  ],
  last: ['', end(-1)],
  length: ['', length],
  list: ['', (run, value) => Array.from(itemsOf(value, run))],
  lower: ['', byMethod('lower')],
  replace: ['old new count', byMethod('replace')],
  reverse: ['', (run, value) => (typeof value === 'string' ? [...value].reverse().join('') : [...itemsOf(value, run)].reverse())],
  safe: ['', (run, value) => str(value, run)],
  sort: [
    'reverse case_sensitive attribute',
    (run, value, reverse, caseSensitive, path) =>
      sorted(itemsOf(value, run), (one) => attribute(run, one, path), caseSensitive, reverse, run),
  ],
  string: ['', (run, value) => str(value, run)],
  title: ['', (run, value) => str(value, run).replace(/[^-\s({[<]+/g, (word) => byMethod('capitalize')(run, word) as string)],
  tojson: [
    'ensure_ascii indent separators sort_keys',
    (run, value, ...options) => {
      const separators = (options[2] ?? []) as Value[]
      if (![...separators].every((one) => typeof one === 'string' && one.length < 9)) throw new Error('tojson takes short separators')
      return json(value, options, run)
    },
  ],
  trim: ['chars', byMethod('strip')],
  unique: ['case_sensitive attribute', unique],
  upper: ['', byMethod('upper')],
}

function length(run: Run, value: Value): Value {
  if (value === undefined || value instanceof Dict) return value?.size ?? 0
  return itemsOf(value, run).length
}

function fallback(_: Run, value: Value, other: Value = '', boolean?: Value): Value {
  return value === undefined || (truth(boolean) && !truth(value)) ? other : value
}

/** Filters of filters and tests: `map`, `select`, `rejectattr` and the like. */
function lift(run: Run, name: string, value: Value, args: Value[], named: Named): Value {
  const items = itemsOf(value, run)
  run.spend(items.length)
  if (name === 'map' && named.has('attribute')) {
    const [path, other] = arrange('map', 'attribute default', [], named)
    return items.map((one) => attribute(run, one, path) ?? other)
  }
  const rest = args.slice()
  const path = name.endsWith('attr') ? rest.shift() : undefined
  const inner = rest.length ? run.taint.restore(str(rest.shift(), run)) : ''
  if (name === 'map') return items.map((one) => filter(run, inner, one, rest, named))
  if (named.size) throw new Error(`${name} takes no named arguments`)
  const wanted = name.startsWith('select')
  return items.filter((one) => {
    const subject = attribute(run, one, path)
    return (inner ? test(run, inner, subject, rest) : truth(subject)) === wanted
  })
}

export function filter(run: Run, name: string, value: Value, args: Value[], named: Named): Value {
  if (/^(map|(select|reject)(attr)?)$/.test(name)) return lift(run, name, value, args, named)
  if (!Object.hasOwn(filters, name)) throw new Error(`the filter "${name}" is not supported`)
  const [names, how] = filters[name]!
  return how(run, value, ...arrange(`the filter "${name}"`, names, args, named))
}

const isIterable = (value: Value) => value === undefined || typeof value === 'string' || Array.isArray(value) || value instanceof Dict
const plain = (run: Run, value: Value) => run.taint.restore(str(value, run))
const ordered =
  (symbol: string): Test =>
  (run, a, b) =>
    truth(operators[symbol]!(a, b, run))
/** Whether a text has letters, and none that `how` would change. */
const inCase =
  (how: 'toLowerCase' | 'toUpperCase'): Test =>
  (run, value) => {
    const text = plain(run, value)
    return text[how]() === text && text.toLowerCase() !== text.toUpperCase()
  }

const tests: Record<string, Test> = {
  boolean: (_, value) => typeof value === 'boolean',
  callable: (_, value) => typeof value === 'function' || (value instanceof Fields && !!value.call),
  defined: (_, value) => value !== undefined,
  even: (_, value) => whole(value) % 2 === 0,
  false: (_, value) => value === false,
  float: (_, value) => value instanceof Float,
  in: ordered('in'),
  integer: (_, value) => typeof value === 'number',
  iterable: (_, value) => isIterable(value),
  lower: inCase('toLowerCase'),
  mapping: (_, value) => value instanceof Dict,
  none: (_, value) => value === null,
  number: (_, value) => numberOf(value) !== undefined,
  odd: (_, value) => whole(value) % 2 !== 0,
  sameas: (run, a, b) => a === b || (typeof a === 'string' && equal(a, b, run)),
  sequence: (_, value) => isIterable(value),
  string: (_, value) => typeof value === 'string',
  true: (_, value) => value === true,
  undefined: (_, value) => value === undefined,
  upper: inCase('toUpperCase'),
}
const orders = { eq: '==', equalto: '==', ne: '!=', lt: '<', lessthan: '<', le: '<=', gt: '>', greaterthan: '>', ge: '>=' }
for (const [name, symbol] of Object.entries(orders)) tests[name] = tests[symbol] = ordered(symbol)

export function test(run: Run, name: string, value: Value, args: Value[]): boolean {
  if (!Object.hasOwn(tests, name)) throw new Error(`the test "${name}" is not supported`)
  const how = tests[name]!
  if (args.length > how.length - 2 && how.length <= 2) throw new Error(`the test "${name}" takes no argument`)
  return how(run, value, ...args)
}
