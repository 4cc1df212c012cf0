// A template's values: JavaScript's own strings, truth values, null (None), undefined and lists; whole numbers are numbers. Strings may
// hold marked characters (taint.ts): they are compared and looked up as the plain text, and carried along as they are.
import type { Taint } from './taint.ts'

export type Value = string | number | boolean | null | undefined | Float | Value[] | Dict | Fields | Callable
export type Named = Map<string, Value>
export type Callable = (args: Value[], named: Named) => Value

/** What one rendering carries along. */
export interface Run {
  taint: Taint
  /** Pays for work out of the budget. */
  spend(work: number): void
  /** Whether names are looked up in what is undefined, too. */
  lenient: boolean
  methods: Record<string, [names: string, how: (text: string, ...rest: never[]) => unknown]>
}

/** Python's float, kept apart from whole numbers: it is printed with its point. */
export class Float {
  constructor(readonly number: number) {}

  toString(): string {
    const size = Math.abs(this.number)
    if (size && (size >= 1e16 || size < 1e-4)) return this.number.toExponential().replace(/(?<=e[-+])(?=\d$)/, '0')
    return Number.isInteger(this.number) ? `${this.number}.0` : String(this.number)
  }
}

/** A list that is printed with round brackets. */
export class Tuple extends Array<Value> {}
export const tuple = (...items: Value[]): Tuple => Tuple.from(items) as Tuple

/** A namespace or `loop`: what templates read by name, and may call. */
export class Fields {
  constructor(
    readonly names: Named,
    readonly call?: Callable,
  ) {}
}

/** A dict whose marked keys are found by the text they stand for. */
export class Dict extends Map<Value, Value> {
  #keys = new Map<Value, Value>()
  #taint: Taint | undefined

  constructor(entries: Iterable<[Value, Value]>, taint?: Taint) {
    super()
    this.#taint = taint
    for (const [key, value] of entries) {
      if (typeof key === 'object' && key !== null) throw new Error('a key must be a string or a whole number')
      const place = this.#place(key)
      this.#keys.set(this.#plain(key), place)
      super.set(place, value)
    }
  }

  #plain(key: Value) {
    return typeof key === 'string' && this.#taint ? this.#taint.restore(key) : key
  }

  #place(key: Value) {
    const plain = this.#plain(key)
    return this.#keys.has(plain) ? this.#keys.get(plain) : key
  }

  override get(key: Value): Value {
    return super.get(this.#place(key))
  }

  override has(key: Value): boolean {
    return super.has(this.#place(key))
  }
}

/** Makes a value from plain data. */
export function toValue(data: unknown): Value {
  if (typeof data === 'number') return Number.isSafeInteger(data) ? data : new Float(data)
  if (Array.isArray(data)) return data.map(toValue)
  if (typeof data !== 'object' || data === null) return data as Value
  return new Dict(Object.entries(data).map(([key, item]) => [key, toValue(item)]))
}

export const truth = (value: Value): boolean =>
  value instanceof Float ? value.number !== 0 : Array.isArray(value) ? value.length > 0 : value instanceof Dict ? value.size > 0 : !!value

/** What a loop over the value goes through. */
export function itemsOf(value: Value, run: Run): Value[] {
  if (value === undefined) return []
  if (Array.isArray(value)) return value
  if (value instanceof Dict) return [...value.keys()]
  if (typeof value !== 'string') throw new Error('a loop or list needs a list, a dict or a string')
  run.spend(value.length / 8)
  return [...value]
}

/** A number's or truth value's size; undefined for what is no number. */
export function numberOf(value: Value): number | undefined {
  if (value instanceof Float) return value.number
  return typeof value === 'number' || typeof value === 'boolean' ? Number(value) : undefined
}

/** The whole number that is needed here. */
export function whole(value: Value): number {
  if (value instanceof Float || !Number.isSafeInteger(numberOf(value))) throw new Error('a whole number is needed')
  return Number(value)
}

/** Python's `==`. */
export function equal(a: Value, b: Value, run: Run): boolean {
  run.spend(1)
  if (typeof a === 'string' && typeof b === 'string') {
    run.spend((a.length + b.length) / 64)
    return run.taint.restore(a) === run.taint.restore(b)
  }
  if (Array.isArray(a) && Array.isArray(b)) {
    const alike = a.length === b.length && a instanceof Tuple === b instanceof Tuple
    return alike && a.every((item, index) => equal(item, b[index], run))
  }
  if (a instanceof Dict && b instanceof Dict) {
    return a.size === b.size && [...a].every(([key, item]) => b.has(key) && equal(item, b.get(key), run))
  }
  return a === b || (numberOf(a) !== undefined && numberOf(a) === numberOf(b))
}

/** Arguments in the order of `names`, however they were given. Throws for those that are not known. */
export function arrange(what: string, names: string, args: Value[], named: Named): Value[] {
  const all = names ? names.split(' ') : []
  const arranged = args.slice()
  for (const [name, value] of named) {
    const place = all.indexOf(name)
    if (place < args.length) throw new Error(`${what} takes no argument "${name}" here`)
    arranged[place] = value
  }
  if (arranged.length > all.length) throw new Error(`${what} takes ${all.length} arguments here`)
  return arranged
}
