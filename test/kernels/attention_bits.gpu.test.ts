// What may not change a row's attention, to the bit: how a prompt is cut into chunks, rows beside it, page numbers, and how a sequence is split.
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { AttentionOptions } from '../../src/kernels/attention.ts'
import type { KvFormat } from '../../src/kernels/linear.ts'
import { type At, attend, pool, sequence } from './attended.ts'
import { Bench, numbers } from './run.ts'

let bench: Bench
beforeAll(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clear())

const shape = { rows: 20, logits: 1, slots: 2, pages: 18, ring: 1 }
const sizes = { heads: 8, kvHeads: 2, headDim: 32, kvPages: 40, stride: 8 * 32 }
const forward = [Array.from({ length: 18 }, (_, index) => index), Array.from({ length: 18 }, (_, index) => 18 + index)]
const backward = forward.map((own) => own.map((page) => 39 - page))

function world(kv: KvFormat, length: number) {
  const poolShape = { kvHeads: sizes.kvHeads, headDim: sizes.headDim, kv, pages: sizes.kvPages }
  const random = numbers(7)
  const sequences = [sequence(random, poolShape, length), sequence(random, poolShape, length)]
  /** Queries by slot and position, so that a row has the same wherever it stands. */
  const queries = sequences.map(() => random.array(length * sizes.stride))
  const xOf = (list: readonly At[]) => {
    const x = new Float32Array(shape.rows * sizes.stride).fill(Number.NaN)
    list.forEach(([slot, position], row) => {
      x.set(queries[slot]!.subarray(position * sizes.stride, (position + 1) * sizes.stride), row * sizes.stride)
    })
    return x
  }
  const run = async (list: readonly At[], own: Partial<AttentionOptions>, lists = forward) => {
    const { heads, kvHeads, headDim, stride, kvPages: pages } = sizes
    const options = { heads, kvHeads, headDim, stride, kv, pages, tile: 1, split: false, shape, rolled: true, ...own }
    const words = await attend(bench, { options, capacity: shape.rows, list, lists, kv: pool(poolShape, sequences, lists), x: xOf(list) })
    return list.map((_, row) => Array.from(words.subarray(row * stride, (row + 1) * stride)))
  }
  return { run }
}

const rowsFrom = (from: number, count: number): At[] => Array.from({ length: count }, (_, index) => [0, from + index])

describe.each([true, false])('rolled %s', (rolled) => {
  it('a prompt comes out the same in chunks of any size, and as rows that decode', async () => {
    const { run } = world('f32', 80)
    const inChunks = async (from: number, size: number, own: Partial<AttentionOptions>) => {
      const all: number[][] = []
      for (let at = from; at < 80; at += size) all.push(...(await run(rowsFrom(at, Math.min(size, 80 - at)), { rolled, ...own })))
      return all
    }
    const wanted = await inChunks(0, 16, { tile: 8 })
    expect(wanted.flat().every((word) => Number.isFinite(new Float32Array(Uint32Array.of(word).buffer)[0]))).toBe(true)
    for (const size of [5, 8]) expect(await inChunks(0, size, { tile: 8 })).toEqual(wanted)
    expect(await inChunks(56, 1, { tile: 8 })).toEqual(wanted.slice(56))
    expect(await inChunks(0, 20, { tile: 1 })).toEqual(wanted)
  })
})

it.each(['f32', 'f16', 'q8'] as const)('in %s a row of the first stretch is the same unsplit and split', async (kv) => {
  const { run } = world(kv, 1024)
  const list: At[] = [0, 63, 64, 700, 1023].flatMap((position): At[] => [
    [0, position],
    [1, position],
  ])
  expect(await run(list, { split: true })).toEqual(await run(list, { split: false }))
})

it('a row past the first stretch is the same whatever rows stand beside it, and whatever its pages', async () => {
  const { run } = world('f32', 1100)
  const alone = await run([[0, 1099]], { split: true })
  const beside = await run(
    [
      [1, 30],
      [1, 1050],
      [0, 1099],
    ],
    { split: true },
  )
  expect(beside[2]).toEqual(alone[0])
  expect(beside[1]).not.toEqual(alone[0])
  expect(await run([[0, 1099]], { split: true }, backward)).toEqual(alone)
})
