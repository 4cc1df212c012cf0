// What the attention tests share: sequences in a pool of keys and values that is poison everywhere else, and one run of attention over them.
import { type AttentionOptions, attention, attentionGroups, partialsLength, stretches } from '../../src/kernels/attention.ts'
import { attentionMerge, mergeGroups } from '../../src/kernels/attention_merge.ts'
import type { KvFormat } from '../../src/kernels/linear.ts'
import { quantiseKv } from '../reference/attention.ts'
import { halfBits, roundHalf } from '../reference.ts'
import { type Bench, type numbers, POISON } from './run.ts'

export interface PoolShape {
  kvHeads: number
  headDim: number
  kv: KvFormat
  /** Pages of the pool. */
  pages: number
}

/** [positions, kvHeads, headDim], as the format stores them. */
export interface Sequence {
  keys: Float64Array
  values: Float64Array
}

export function stored(kv: KvFormat, values: Float64Array): Float64Array {
  return kv === 'q8' ? quantiseKv(values).values : kv === 'f16' ? values.map(roundHalf) : values
}

export function sequence(random: ReturnType<typeof numbers>, shape: PoolShape, length: number, scale = 1): Sequence {
  const size = length * shape.kvHeads * shape.headDim
  return { keys: stored(shape.kv, random.array(size, scale)), values: stored(shape.kv, random.array(size)) }
}

/** The words of a pool that holds sequences in the pages listed for them. */
export function pool({ kvHeads, headDim, kv, pages }: PoolShape, sequences: readonly Sequence[], lists: readonly (readonly number[])[]) {
  const size = pages * 2 * kvHeads * 64 * headDim
  const codes = size / { f32: 1, f16: 2, q8: 4 }[kv]
  const words = new Uint32Array(codes + (kv === 'q8' ? size / 32 : 0)).fill(POISON)
  const floats = new Float32Array(words.buffer)
  const halves = new Uint16Array(words.buffer)
  const bytes = new Int8Array(words.buffer)
  const put = (at: number, values: Float64Array) => {
    if (kv === 'f32') return floats.set(values, at)
    if (kv === 'f16') return halves.set(values.map(halfBits), at)
    // Values that were quantised once quantise to themselves.
    const quantised = quantiseKv(values)
    bytes.set(quantised.codes, at)
    floats.set(quantised.scales, codes + at / 32)
  }
  sequences.forEach((own, slot) => {
    for (let line = 0; line < own.keys.length / headDim; line++) {
      const position = Math.floor(line / kvHeads)
      const page = lists[slot]![position >> 6]!
      const at = (which: number) => (((page * 2 + which) * kvHeads + (line % kvHeads)) * 64 + (position % 64)) * headDim
      put(at(0), own.keys.subarray(line * headDim, (line + 1) * headDim))
      put(at(1), own.values.subarray(line * headDim, (line + 1) * headDim))
    }
  })
  return words
}

/** A row as [slot, position]. */
export type At = readonly [number, number]

export interface Run {
  options: AttentionOptions
  /** Workgroups for so many rows are dispatched, whatever rows there are. */
  capacity: number
  list: readonly At[]
  lists: readonly (readonly number[])[]
  kv: Uint32Array<ArrayBuffer>
  x: Float32Array<ArrayBuffer>
}

/** The words of y, [shape.rows, outStride], after one pass over poison. */
export async function attend(bench: Bench, { options, capacity, list, lists, kv, x }: Run): Promise<Uint32Array<ArrayBuffer>> {
  const rows = bench.rows(options.shape)
  rows.write(
    list.map(([slot, position]) => ({ token: 0, position, slot })),
    [],
  )
  lists.forEach((own, slot) => {
    rows.writePages(slot, own)
  })
  const y = bench.poisoned('y', options.shape.rows * (options.outStride ?? options.stride))
  const bound = { x: bench.buffer('x', x), rows: rows.buffer, kv: bench.buffer('kv', kv) }
  if (options.split) {
    const partials = bench.poisoned('partials', partialsLength(options, capacity))
    const groups = attentionGroups(options, capacity, stretches(options.shape.pages * 64))
    await bench.run(attention(options), { ...bound, y: partials }, groups)
    await bench.run(attentionMerge(options), { x: partials, y, rows: rows.buffer }, mergeGroups(options, capacity))
  } else {
    await bench.run(attention(options), { ...bound, y }, attentionGroups(options, capacity))
  }
  return bench.words(y)
}
