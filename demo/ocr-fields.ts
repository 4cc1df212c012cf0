// Fields: what is asked for becomes the JSON that GLM-OCR wants filled in, and the JSON that it answers becomes a list of names and values.
import { unfenced } from './ocr-table.ts'

/** A value and how one comes to it: `address › city`. */
export interface Field {
  name: string
  value: string
}

const most = 1000
const deepest = 8

/** One name a line, or JSON as it is to be filled in; undefined where it is neither. */
export function fieldsJson(asked: string): string | undefined {
  const text = asked.trim()
  if (text.startsWith('{')) {
    const parsed = parse(text)
    return parsed && Object.keys(parsed).length > 0 ? JSON.stringify(parsed, null, 4) : undefined
  }
  const names = new Set(
    text
      .split(/[\n,，;；]/)
      .map((name) => name.trim())
      .filter(Boolean),
  )
  if (names.size === 0) return undefined
  return `{\n${[...names].map((name) => `    ${JSON.stringify(name)}: ""`).join(',\n')}\n}`
}

/** Undefined where the answer holds no JSON object. What was `asked` for and is not in it stands empty at the end. */
export function readFields(answer: string, asked = ''): { json: unknown; fields: Field[] } | undefined {
  const text = unfenced(answer)
  const json = parse(text) ?? parse(text.slice(Math.max(0, text.indexOf('{')), text.lastIndexOf('}') + 1))
  if (!json) return undefined
  const fields: Field[] = []
  collect(json, [], fields)
  const missing: Field[] = []
  collect(parse(fieldsJson(asked) ?? '') ?? {}, [], missing)
  const there = (name: string) => fields.some((one) => one.name === name || one.name.startsWith(`${name} › `))
  return { json, fields: [...fields, ...missing.filter(({ name }) => !there(name)).map(({ name }) => ({ name, value: '' }))] }
}

function parse(text: string): object | undefined {
  try {
    const value: unknown = isDeep(text) ? undefined : JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

/** Nested deeper than anything that is written out again. */
function isDeep(text: string): boolean {
  let depth = 0
  for (const character of text) {
    if (character === '{' || character === '[') depth++
    if (character === '}' || character === ']') depth--
    if (depth > 64) return true
  }
  return false
}

function collect(value: unknown, path: string[], fields: Field[]): void {
  if (fields.length >= most) return
  if (typeof value !== 'object' || value === null || path.length === deepest) {
    const text = typeof value === 'string' ? value : value === null ? '' : JSON.stringify(value)
    fields.push({ name: path.join(' › '), value: text })
    return
  }
  const list = Array.isArray(value)
  for (const [key, one] of Object.entries(value)) collect(one, [...path, list ? String(Number(key) + 1) : key], fields)
}
