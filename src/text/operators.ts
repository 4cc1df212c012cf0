// What Python's operators, attributes, subscripts and slices do with a template's values.
import { arrange, Dict, equal, Fields, Float, itemsOf, numberOf, type Run, Tuple, truth, tuple, type Value, whole } from './values.ts'
import { str } from './written.ts'

type Operator = (a: Value, b: Value, run: Run) => Value

/** An operation on two numbers: whole if both are, unless it always gives a float. */
const arithmetic =
  (how: (a: number, b: number) => number, float = false): Operator =>
  (a, b) => {
    const [x, y] = [numberOf(a), numberOf(b)]
    if (x === undefined || y === undefined) throw new Error('an operator needs numbers or does not know these types')
    const result = how(x, y)
    if (float || a instanceof Float || b instanceof Float) return new Float(result)
    return Number.isInteger(result) ? whole(result) : new Float(result)
  }

const nonzero = (value: number) => {
  if (value === 0) throw new Error('a division by zero')
  return value
}
const sum = arithmetic((a, b) => a + b)
const product = arithmetic((a, b) => a * b)

/** Items as a list, or as a tuple where `like` is one. */
const alike = (like: Value[], items: Value[]): Value[] => (like instanceof Tuple ? Tuple.from(items) : items)

function add(a: Value, b: Value, run: Run): Value {
  if (typeof a === 'string' && typeof b === 'string') return a + b
  if (!Array.isArray(a) || !Array.isArray(b) || a instanceof Tuple !== b instanceof Tuple) return sum(a, b, run)
  run.spend((a.length + b.length) / 16)
  return alike(a, [...a, ...b])
}

function multiply(a: Value, b: Value, run: Run): Value {
  const [all, times] = typeof a === 'string' || Array.isArray(a) ? [a, b] : [b, a]
  if (typeof all !== 'string' && !Array.isArray(all)) return product(a, b, run)
  const count = Math.max(0, whole(times))
  run.spend((all.length * count) / (typeof all === 'string' ? 16 : 4) + count)
  if (typeof all === 'string') return all.repeat(count)
  return alike(
    all,
    Array<Value[]>(count)
      .fill([...all])
      .flat(),
  )
}

function compare(a: Value, b: Value, run: Run): number {
  if (typeof a === 'string' && typeof b === 'string') {
    run.spend((a.length + b.length) / 64)
    const [x, y] = [run.taint.restore(a), run.taint.restore(b)]
    return x < y ? -1 : Number(x > y)
  }
  const [x, y] = [numberOf(a), numberOf(b)]
  if (x === undefined || y === undefined) throw new Error('only strings or numbers can be put in order')
  return x - y
}

function contains(item: Value, all: Value, run: Run): boolean {
  if (all === undefined) return false
  if (Array.isArray(all)) return all.some((one) => equal(one, item, run))
  if (all instanceof Dict) return all.has(item)
  if (typeof all !== 'string' || typeof item !== 'string') throw new Error('"in" does not know these types')
  run.spend((all.length * item.length) / 1024 + (all.length + item.length) / 64)
  return run.taint.restore(all).includes(run.taint.restore(item))
}

export const operators: Record<string, Operator> = {
  '+': add,
  '-': arithmetic((a, b) => a - b),
  '*': multiply,
  '/': arithmetic((a, b) => a / nonzero(b), true),
  '//': arithmetic((a, b) => Math.floor(a / nonzero(b))),
  '%': arithmetic((a, b) => a - b * Math.floor(a / nonzero(b))),
  '**': arithmetic((a, b) => a ** b),
  '~': (a, b, run) => str(a, run) + str(b, run),
  '==': equal,
  '!=': (a, b, run) => !equal(a, b, run),
  '<': (a, b, run) => compare(a, b, run) < 0,
  '<=': (a, b, run) => compare(a, b, run) <= 0,
  '>': (a, b, run) => compare(a, b, run) > 0,
  '>=': (a, b, run) => compare(a, b, run) >= 0,
  in: contains,
  'not in': (a, b, run) => !contains(a, b, run),
}

function item(object: Value, key: Value, run: Run): Value {
  if (object instanceof Dict) return object.get(key)
  if (object instanceof Fields) return typeof key === 'string' ? object.names.get(run.taint.restore(key)) : undefined
  if (typeof key !== 'number' && typeof key !== 'boolean') return undefined
  if (Array.isArray(object)) return object.at(Number(key))
  if (typeof object !== 'string') return undefined
  run.spend(object.length / 8)
  return [...object].at(Number(key))
}

const dictMethods: Record<string, [names: string, how: (dict: Dict, ...args: Value[]) => Value]> = {
  items: ['', (dict) => Array.from(dict, ([key, value]) => tuple(key, value))],
  keys: ['', (dict) => [...dict.keys()]],
  values: ['', (dict) => [...dict.values()]],
  get: ['key default', (dict, key, fallback = null) => (dict.has(key) ? dict.get(key) : fallback)],
}

function method(object: Value, key: Value, run: Run): Value {
  const name = typeof key === 'string' ? run.taint.restore(key) : ''
  const listMethods: typeof dictMethods = {
    count: ['value', (_, value) => (object as Value[]).filter((one) => equal(one, value, run)).length],
    index: ['value', (_, value) => whole((object as Value[]).findIndex((one) => equal(one, value, run)))],
  }
  if (typeof object === 'string' && name === 'join') return ([items]) => join(itemsOf(items, run), object, run)
  const table = typeof object === 'string' ? run.methods : object instanceof Dict ? dictMethods : Array.isArray(object) ? listMethods : {}
  if (!Object.hasOwn(table, name)) return undefined
  const [names, how] = table[name]!
  return (args, named) => {
    run.spend(typeof object === 'string' ? object.length / 64 : (object as Dict).size / 8 || 0)
    return (how as (...all: unknown[]) => Value)(object, ...arrange(`${name}()`, names, args, named))
  }
}

/** Python's `between.join(items)`, of what is no string too. */
export function join(items: Value[], between: string, run: Run): string {
  run.spend(items.length * (1 + between.length / 16))
  return items.map((one) => str(one, run)).join(between)
}

/** `object.name`, or `object[key]`: a dict's methods come before its keys ("items" is a word of JSON Schema), or behind them. */
export function member(object: Value, key: Value, run: Run, subscript = true): Value {
  if (object === undefined) {
    if (run.lenient) return undefined
    throw new Error(`"${str(key, run)}" is looked up in something undefined`)
  }
  if (subscript) return item(object, key, run) ?? method(object, key, run)
  return method(object, key, run) ?? item(object, key, run)
}

/** `object[start:stop:step]`. */
export function slice(object: Value, [start, stop, step]: Value[], run: Run): Value {
  if (typeof object !== 'string' && !Array.isArray(object)) throw new Error('only strings and lists can be sliced')
  run.spend(object.length / 8)
  const items = [...object]
  const by = whole(step ?? 1)
  if (by === 0) throw new Error('a slice with a step of 0')
  const [low, high] = by < 0 ? [-1, items.length - 1] : [0, items.length]
  const place = (value: Value, fallback: number) => {
    const at = whole(value ?? fallback)
    return value === null || value === undefined ? at : Math.max(low, Math.min(high, at < 0 ? at + items.length : at))
  }
  const [from, to] = by < 0 ? [place(start, high), place(stop, low)] : [place(start, low), place(stop, high)]
  const chosen: Value[] = []
  for (let at = from; by < 0 ? at > to : at < to; at += by) chosen.push(items[at])
  return typeof object === 'string' ? chosen.join('') : alike(object, chosen)
}

/** Jinja's sorting of strings or numbers: stable, without regard to case unless told. */
export function sorted(items: Value[], by: (item: Value) => Value, caseSensitive: Value, reverse: Value, run: Run): Value[] {
  const fold = (key: Value) => {
    if (typeof key !== 'string' || truth(caseSensitive)) return key
    run.spend(key.length / 16)
    return run.taint.restore(key).toLowerCase()
  }
  run.spend(items.length * 4)
  const keys = items.map((one) => ({ one, key: fold(by(one)) }))
  const sign = truth(reverse) ? -1 : 1
  if (keys.length === 1) compare(keys[0]!.key, keys[0]!.key, run)
  return keys.sort((a, b) => sign * compare(a.key, b.key, run)).map(({ one }) => one)
}
