// The Jinja library's values: made from plain data (its classes are not exported), and written the way Python writes them.
import { Environment, type Interpreter } from '@huggingface/jinja'
import type { Plain } from './python.ts'
import type { Taint } from './taint.ts'

export type Value = ReturnType<Interpreter['evaluate']>

type Maker<T> = new (value: T) => Value
const samples = new Environment()
const classOf = <T>(value: unknown) => samples.set(`sample${samples.variables.size}`, value).constructor as Maker<T>
const classes = {
  string: classOf<string>(''),
  integer: classOf<number>(1),
  float: classOf<number>(0.5),
  boolean: classOf<boolean>(true),
  none: classOf<null>(null),
  undefined: classOf<undefined>(undefined),
  list: classOf<Value[]>([]),
  dict: classOf<Map<string, Value>>({}),
}

/** Makes a value from plain data. */
export function toValue(data: unknown): Value {
  if (typeof data === 'string') return new classes.string(data)
  if (typeof data === 'number') return new (Number.isInteger(data) ? classes.integer : classes.float)(data)
  if (typeof data === 'boolean') return new classes.boolean(data)
  if (data === null) return new classes.none(null)
  if (data === undefined) return new classes.undefined(undefined)
  if (Array.isArray(data)) return new classes.list(data.map(toValue))
  if (typeof data !== 'object') throw new Error(`a ${typeof data} cannot be given to a template`)
  return new classes.dict(new Map(Object.entries(data).map(([key, item]) => [key, toValue(item)])))
}

export const listOf = (items: Value[]): Value => new classes.list(items)
export const dictOf = (entries: Map<string, Value>): Value => new classes.dict(entries)

export const isString = (value: Value) => typeof value.value === 'string'
export const isList = (value: Value) => Array.isArray(value.value)
export const isMap = (value: Value) => value.value instanceof Map
export const isNone = (value: Value) => value.type === 'NullValue'
export const isUndefined = (value: Value) => value.type === 'UndefinedValue'

/** Plain data of strings, numbers, truth values, None and lists of them. */
export function toPlain(value: Value): Plain {
  if (isList(value)) return (value.value as Value[]).map(toPlain)
  if (isMap(value) || typeof value.value === 'function') throw new Error('a string, number or list was expected here')
  // The library's None holds undefined.
  return isNone(value) ? null : (value.value as Plain)
}

/** A dict whose marked keys are found by the text they stand for. */
export class Dict extends Map<string, Value> {
  #keys = new Map<string, string>()
  #taint: Taint

  constructor(entries: Iterable<[string, Value]>, taint: Taint) {
    super()
    this.#taint = taint
    for (const [key, value] of entries) {
      this.#keys.set(taint.restore(key), key)
      super.set(key, value)
    }
  }

  override get(key: string): Value | undefined {
    return super.get(this.#keys.get(this.#taint.restore(key)) ?? key)
  }

  override has(key: string): boolean {
    return super.has(this.#keys.get(this.#taint.restore(key)) ?? key)
  }
}

type Spend = (work: number) => void

/** Python's `str(value)`. */
export function str(value: Value, spend: Spend): string {
  spend(1)
  if (isString(value)) return value.value as string
  if (isUndefined(value)) return ''
  if (isNone(value)) return 'None'
  if (typeof value.value === 'boolean') return value.value ? 'True' : 'False'
  const inner = (item: Value) => (isString(item) ? quoted(item.value as string) : isUndefined(item) ? 'Undefined' : str(item, spend))
  if (isList(value)) {
    const items = (value.value as Value[]).map(inner)
    return value.type !== 'TupleValue' ? `[${items.join(', ')}]` : items.length === 1 ? `(${items[0]},)` : `(${items.join(', ')})`
  }
  if (isMap(value)) return `{${[...(value.value as Map<string, Value>)].map(([key, item]) => `${quoted(key)}: ${inner(item)}`).join(', ')}}`
  if (typeof value.value === 'function') throw new Error('a function cannot be printed')
  return value.toString()
}

function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'"
  const names: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\', [quote]: `\\${quote}` }
  const escaped = (unit: string) => names[unit] ?? `\\x${unit.charCodeAt(0).toString(16).padStart(2, '0')}`
  return quote + text.replace(new RegExp(`[\\u0000-\\u001f\\u007f\\\\${quote}]`, 'g'), escaped) + quote
}

export interface JsonOptions {
  indent?: number | null
  ensureAscii?: boolean
  separators?: [string, string] | null
  sortKeys?: boolean
}

/** Python's `json.dumps`, with transformers' default of `ensure_ascii=False`. */
export function json(value: Value, options: JsonOptions, taint: Taint, spend: Spend, depth = 0): string {
  spend(1)
  if (isString(value)) return jsonString(value.value as string, options, taint)
  const [comma, colon] = options.separators ?? [options.indent == null ? ', ' : ',', ': ']
  const pad = (level: number) => (options.indent == null ? '' : `\n${' '.repeat(options.indent * level)}`)
  const wrap = (open: string, items: string[], close: string) => {
    if (!items.length) return open + close
    spend((items.length * pad(depth + 1).length) / 64)
    return open + pad(depth + 1) + items.join(comma + pad(depth + 1)) + pad(depth) + close
  }
  if (isList(value))
    return wrap(
      '[',
      (value.value as Value[]).map((item) => json(item, options, taint, spend, depth + 1)),
      ']',
    )
  if (isMap(value)) {
    const entries = [...(value.value as Map<string, Value>)]
    if (options.sortKeys) entries.sort(([a], [b]) => (taint.restore(a) < taint.restore(b) ? -1 : 1))
    const items = entries.map(([key, item]) => jsonString(key, options, taint) + colon + json(item, options, taint, spend, depth + 1))
    return wrap('{', items, '}')
  }
  if (isNone(value)) return 'null'
  if (value.value === undefined || typeof value.value === 'function') throw new Error('tojson of something undefined')
  return value.type === 'FloatValue' ? value.toString() : JSON.stringify(value.value)
}

function jsonString(text: string, options: JsonOptions, taint: Taint): string {
  const quotedText = JSON.stringify(text)
  if (!options.ensureAscii) return quotedText
  // A stand-in is escaped only if the character it stands for is.
  return quotedText.replace(/[\x7f-\uffff]/g, (unit) => {
    const code = taint.restore(unit).charCodeAt(0)
    return code < 0x7f ? unit : `\\u${code.toString(16).padStart(4, '0')}`
  })
}

/** Python's `==`; strings are compared by the text they stand for. */
export function equal(a: Value, b: Value, taint: Taint, spend: Spend): boolean {
  spend(1)
  if (isString(a) && isString(b)) return taint.restore(a.value as string) === taint.restore(b.value as string)
  if (isList(a) && isList(b)) {
    const [left, right] = [a.value as Value[], b.value as Value[]]
    return left.length === right.length && left.every((item, index) => equal(item, right[index]!, taint, spend))
  }
  if (isMap(a) && isMap(b)) {
    const [left, right] = [a.value as Map<string, Value>, b.value as Map<string, Value>]
    return left.size === right.size && [...left].every(([key, item]) => right.has(key) && equal(item, right.get(key)!, taint, spend))
  }
  const number = (value: Value) => (typeof value.value === 'boolean' ? Number(value.value) : value.value)
  return isNone(a) || isUndefined(a) ? a.type === b.type : number(a) === number(b)
}

export interface SortOptions {
  /** What an item is sorted by. */
  by: (item: Value) => Value
  caseSensitive: boolean
  reverse: boolean
}

/** Jinja's sorting of strings or numbers: stable, by default without regard to case. */
export function sorted(items: Value[], { by, caseSensitive, reverse }: SortOptions, taint: Taint): Value[] {
  const keys = items.map((item) => {
    const key = by(item)
    if (!isString(key) && typeof key.value !== 'number') throw new Error('only strings and numbers can be sorted')
    const text = isString(key) ? taint.restore(key.value as string) : ''
    return { item, key: isString(key) ? (caseSensitive ? text : text.toLowerCase()) : (key.value as number) }
  })
  keys.sort((a, b) => (a.key === b.key ? 0 : a.key < b.key !== reverse ? -1 : 1))
  return keys.map(({ item }) => item)
}
