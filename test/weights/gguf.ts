// GGUF headers written by hand, and the fixtures of test/fixtures/gguf with what the oracle says of them.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { GlmError } from '../../src/errors.ts'
import type { Source } from '../../src/weights/source.ts'

export const folder = fileURLToPath(new URL('../fixtures/gguf', import.meta.url))

export interface Golden {
  name: string
  files: string[]
  type: string
  vocab: number
  config: Record<'rotary' | 'ffn' | 'eps' | 'hidden' | 'heads' | 'kvHeads' | 'headDim', number> & {
    tied: boolean
    bias: boolean
    family: string
  }
  /** Type, shape, first byte, bytes. */
  tensors: Record<string, [string, number[], number, number]>
  prompts: { ids: number[]; positions: number[]; offset: number; greedy: number[] }[]
  talk: { messages: unknown[]; text: string; ids: number[] }
  encoded: { text: string; ids: number[] }[]
}

export const goldens: Golden[] = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .map((name) => ({ name: name.slice(0, -5), ...JSON.parse(readFileSync(`${folder}/${name}`, 'utf8')) }))

/** A list as GGUF writes it. */
interface List {
  type: number
  values: unknown[]
}

export interface Written {
  version?: number
  /** Key, type, value; a list is a `List`. */
  keys?: [string, number, unknown][]
  /** Name, sizes (innermost first, as in the file), type by name or number, offset. */
  tensors?: [string, (number | bigint)[], string | number, number | bigint][]
  alignment?: number
  /** Zero bytes behind the header. */
  body?: number
}

const types: Record<string, number> = { F32: 0, F16: 1, Q4_0: 2, Q4_K: 12, IQ2_XXS: 16 }
const encoder = new TextEncoder()

export function gguf({ version = 3, keys = [], tensors = [], alignment = 32, body = 0 }: Written): Uint8Array<ArrayBuffer> {
  const out: number[] = []
  const put = (bytes: number, write: (view: DataView) => void) => {
    const view = new DataView(new ArrayBuffer(bytes))
    write(view)
    out.push(...new Uint8Array(view.buffer))
  }
  const u32 = (value: number) => put(4, (view) => view.setUint32(0, value, true))
  const u64 = (value: number | bigint) => put(8, (view) => view.setBigUint64(0, BigInt(value), true))
  const string = (text: string) => {
    const bytes = encoder.encode(text)
    u64(bytes.length)
    out.push(...bytes)
  }
  const scalars: Record<number, [number, (view: DataView, value: never) => void]> = {
    0: [1, (view, value) => view.setUint8(0, value)],
    1: [1, (view, value) => view.setInt8(0, value)],
    2: [2, (view, value) => view.setUint16(0, value, true)],
    3: [2, (view, value) => view.setInt16(0, value, true)],
    4: [4, (view, value) => view.setUint32(0, value, true)],
    5: [4, (view, value) => view.setInt32(0, value, true)],
    6: [4, (view, value) => view.setFloat32(0, value, true)],
    7: [1, (view, value) => view.setUint8(0, Number(value))],
    10: [8, (view, value) => view.setBigUint64(0, value, true)],
    11: [8, (view, value) => view.setBigInt64(0, value, true)],
    12: [8, (view, value) => view.setFloat64(0, value, true)],
  }
  const value = (type: number, what: unknown) => {
    if (type === 8) return string(what as string)
    if (type === 9) {
      const { type: inner, values } = what as List
      u32(inner)
      u64(values.length)
      for (const one of values) value(inner, one)
      return
    }
    const [bytes, write] = scalars[type]!
    put(bytes, (view) => write(view, what as never))
  }
  u32(0x46554747)
  u32(version)
  u64(tensors.length)
  u64(keys.length)
  for (const [key, type, what] of keys) {
    string(key)
    u32(type)
    value(type, what)
  }
  for (const [name, shape, type, offset] of tensors) {
    string(name)
    u32(shape.length)
    for (const size of shape) u64(size)
    u32(typeof type === 'number' ? type : types[type]!)
    u64(offset)
  }
  while (tensors.length > 0 && out.length % alignment !== 0) out.push(0)
  const bytes = new Uint8Array(out.length + body)
  bytes.set(out)
  return bytes
}

/** Files in memory, of the size that is said; what is behind a file's bytes reads as zeros. */
export function memory(files: Record<string, Uint8Array>, sizes: Record<string, number> = {}) {
  const seen = { bytes: 0, reads: 0 }
  const sizeOf = (path: string) => {
    if (!Object.hasOwn(files, path)) throw new GlmError('file_missing', path)
    return sizes[path] ?? files[path]!.length
  }
  const source: Source = {
    name: 'memory',
    size: async (path) => sizeOf(path),
    async read(path, start, end) {
      expect(end).toBeLessThanOrEqual(sizeOf(path))
      seen.bytes += end - start
      seen.reads++
      const bytes = new Uint8Array(end - start)
      bytes.set(files[path]!.subarray(start, Math.min(end, files[path]!.length)))
      return bytes
    },
  }
  return { source, seen }
}
