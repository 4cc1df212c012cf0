// The stream kernel reads every word once, and only those: its sums are the twin's, bit by bit.
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { stream, streamGroups, streamLoads } from '../../src/kernels/stream.ts'
import { streamed } from '../reference/stream.ts'
import { Bench, numbers, POISON } from './run.ts'

let bench: Bench
beforeAll(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clear())

const shape = { rows: 1, logits: 1, slots: 1, pages: 1, ring: 1 }

/** Vectors read; the buffer goes on behind them, and nothing there may count. */
const cases = [1, 255, 4096, 4097, 3 * 4096 - 1, 65536, 65537, 150_000]
/** Both variants run everywhere: few loads of a thread, and many with hidden trip counts. */
const variants = [false, true]

async function sums(vectors: number, rolled: boolean, words: Uint32Array<ArrayBuffer>): Promise<Uint32Array> {
  const groups = streamGroups(vectors, rolled)
  const y = bench.poisoned('y', groups[0] + 4)
  const buffers = { x: bench.buffer('x', words), y, rows: bench.rows(shape).buffer }
  await bench.run(stream(vectors, rolled), buffers, groups)
  return bench.words(y)
}

describe.each(variants)('rolled %s', (rolled) => {
  const loads = streamLoads(rolled)

  it.each(cases)('%i vectors', async (vectors) => {
    const { uniform } = numbers(vectors)
    const words = Uint32Array.from({ length: (vectors + 7) * 4 }, () => uniform() * 2 ** 32)
    const [groups] = streamGroups(vectors, rolled)
    const own = await sums(vectors, rolled, words)
    expect(own.subarray(0, groups)).toEqual(streamed(words.subarray(0, vectors * 4), groups, loads))
    expect([...own.subarray(groups, groups + 4)]).toEqual([POISON, POISON, POISON, POISON])
  })

  it('misses no word: each one that changes shows', async () => {
    const share = 256 * loads
    const vectors = share + 1
    const words = new Uint32Array(vectors * 4)
    for (const at of [0, 3, 1023, share * 4 - 1, share * 4, vectors * 4 - 1]) {
      words.fill(0)[at] = 1
      expect([...(await sums(vectors, rolled, words)).subarray(0, 2)]).toEqual(at < share * 4 ? [1, 0] : [0, 1])
    }
  })
})
