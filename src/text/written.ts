// Values the way Python writes them: str(), repr() and json.dumps().
import { Dict, Float, type Run, Tuple, truth, type Value, whole } from './values.ts'

/** Python's `str(value)`. */
export function str(value: Value, run: Run): string {
  if (value === undefined) return ''
  if (typeof value !== 'string') return repr(value, run)
  run.spend(1 + value.length / 16)
  return value
}

function repr(value: Value, run: Run): string {
  run.spend(1)
  if (value === undefined) return 'Undefined'
  if (value === null) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (typeof value === 'number' || value instanceof Float) return String(value)
  if (typeof value === 'string') return quoted(value, run)
  // What stands deep is copied again for every list around it.
  const inner = (item: Value) => {
    const text = repr(item, run)
    run.spend(text.length / 64)
    return text
  }
  if (value instanceof Tuple) return `(${Array.from(value, inner).join(', ')}${value.length === 1 ? ',' : ''})`
  if (Array.isArray(value)) return `[${value.map(inner).join(', ')}]`
  if (!(value instanceof Dict)) throw new Error('a function or namespace cannot be printed')
  return `{${Array.from(value, ([key, item]) => `${inner(key)}: ${inner(item)}`).join(', ')}}`
}

const hex = (unit: string, digits: number) => unit.codePointAt(0)!.toString(16).padStart(digits, '0')

function quoted(text: string, { taint, spend }: Run): string {
  spend(text.length / 16)
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'"
  const names: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\', [quote]: `\\${quote}` }
  const escaped = (unit: string) => {
    if (names[unit] || taint.isMarked(unit)) return names[unit] ?? unit
    return unit < '\u0100' ? `\\x${hex(unit, 2)}` : unit.length === 1 ? `\\u${hex(unit, 4)}` : `\\U${hex(unit, 8)}`
  }
  return quote + text.replace(new RegExp(`(?! )[\\p{C}\\p{Z}\\\\${quote}]`, 'gu'), escaped) + quote
}

/** Python's `json.dumps`, its options in transformers' order; `ensure_ascii` is false by default. */
export function json(value: Value, [ascii, indent, separators, sortKeys]: Value[], run: Run): string {
  const width = indent === undefined || indent === null ? undefined : whole(indent)
  if (width !== undefined && !(width >= 0 && width <= 64)) throw new Error('tojson indents by 0 to 64')
  const [comma, colon] = (separators as [string, string] | null | undefined) ?? [width === undefined ? ', ' : ',', ': ']
  const plain = run.taint.restore

  const string = (text: string) => {
    run.spend(text.length / 16)
    const all = JSON.stringify(text)
    // A stand-in is escaped only if the character it stands for is.
    return truth(ascii) ? all.replace(/[\x7f-\uffff]/g, (unit) => (plain(unit) < '\x7f' ? unit : `\\u${hex(plain(unit), 4)}`)) : all
  }
  const write = (item: Value, depth: number): string => {
    run.spend(1)
    const pad = (level: number) => (width === undefined ? '' : `\n${' '.repeat(width * level)}`)
    const wrap = (open: string, items: string[], close: string) => {
      if (!items.length) return open + close
      run.spend(items.reduce((sum, one) => sum + one.length, items.length * pad(depth + 1).length) / 64)
      return open + pad(depth + 1) + items.join(comma + pad(depth + 1)) + pad(depth) + close
    }
    const inner = (one: Value) => write(one, depth + 1)
    if (typeof item === 'string') return string(item)
    if (Array.isArray(item)) return wrap('[', Array.from(item, inner), ']')
    if (item instanceof Dict) {
      const entries = Array.from(item, ([key, one]) => [typeof key === 'string' ? key : write(key, 0), one] as const)
      if (truth(sortKeys)) entries.sort(([a], [b]) => (plain(a) < plain(b) ? -1 : 1))
      return wrap(
        '{',
        entries.map(([key, one]) => string(key) + colon + inner(one)),
        '}',
      )
    }
    if (item === undefined || (typeof item === 'object' && item && !(item instanceof Float)) || typeof item === 'function') {
      throw new Error('tojson of something undefined')
    }
    return String(item)
  }
  return write(value, 0)
}
