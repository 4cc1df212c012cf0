// Queries, keys and values out of the kernels for prompts: as matmul and dot8 make them (qkv.gpu.test.ts holds those against the twin).
import { afterEach, beforeAll, expect, it } from 'vitest'
import type { Kernel } from '../../src/gpu/pipeline.ts'
import { dot8 } from '../../src/kernels/dot8.ts'
import { gemm } from '../../src/kernels/gemm.ts'
import { gemm8 } from '../../src/kernels/gemm8.ts'
import { kvScales, type LinearOptions, linearGroups } from '../../src/kernels/linear.ts'
import { matmul } from '../../src/kernels/matmul.ts'
import { pack8, packedWords } from '../../src/kernels/pack8.ts'
import { Bench, numbers } from './run.ts'

let bench: Bench
beforeAll(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clear())

const [heads, kvHeads, headDim, k, count, pages] = [3, 1, 32, 70, 9, 2]
const shape = { rows: 11, logits: 1, slots: 1, pages, ring: 1 }
const n = (heads + 2 * kvHeads) * headDim
const few = { tile: 8, threads: 64, lanes: 1, stripes: 1 }

/** y and the pool after a kernel of 64 weight rows and 8 rows of x; gemm8 is given what pack8 makes of x. */
async function run(make: (options: LinearOptions) => Kernel, kv: 'f32' | 'q8', packs: boolean) {
  const random = numbers(7)
  const { matrix } = bench.matrix('q4', random.array(n * k), n, k)
  const width = matrix.groups * 32
  const x = new Float32Array(shape.rows * width)
  for (let row = 0; row < count; row++) x.set(random.array(k), row * width)
  const input = { width: k, eps: 1e-6, gamma: 0 }
  const rows = bench.rows(shape)
  rows.write(
    Array.from({ length: count }, (_, row) => ({ token: 0, position: 60 + row, slot: 0 })),
    [],
  )
  rows.writePages(0, [1, 0])
  const y = bench.buffer('y', new Float32Array(shape.rows * heads * headDim))
  const pool = bench.buffer('kv', new Float32Array(kvScales(pages, kvHeads, headDim) * 4))
  const buffers = {
    x: bench.buffer('x', x),
    y,
    aux: bench.buffer('aux', new Float32Array(random.array(width + n))),
    rope: bench.buffer('rope', new Float32Array(random.array(pages * 64 * headDim))),
    rows: rows.buffer,
    kv: pool,
  }
  const output = { kind: 'qkv', stride: heads * headDim, heads, kvHeads, headDim, rotary: 16, bias: width, kv, pages } as const
  if (packs) {
    const packed = bench.poisoned('packed', packedWords(shape.rows, matrix.groups))
    const kernel = pack8({ groups: matrix.groups, input, rows: 'all', shape, rolled: true })
    await bench.run(kernel, { ...buffers, y: packed }, [1, shape.rows])
    buffers.x = packed
  }
  const part = matrix.parts[0]!
  const kernel = make({ matrix, part, input, rows: 'all', output, shape, f16: false, rolled: true })
  await bench.run(kernel, { ...buffers, weights: part.buffer }, linearGroups(part, shape.rows, 8, 64))
  return { y: await bench.words(y), kv: await bench.words(pool) }
}

const floats = (words: Uint32Array<ArrayBuffer>) => new Float32Array(words.buffer)

/** Apart by no more than rounding; where nothing was written, not at all. */
function expectClose(words: Uint32Array<ArrayBuffer>, wanted: Uint32Array<ArrayBuffer>): void {
  const apart = floats(words).map((value, index) => Math.abs(value - floats(wanted)[index]!))
  expect(Math.max(...apart)).toBeLessThan(1e-4)
  expect(Math.max(...floats(wanted))).toBeGreaterThan(0.1)
}

const pairs = [
  ['gemm', (options: LinearOptions) => gemm({ ...options, tile: 8 }), (options: LinearOptions) => matmul({ ...options, ...few }), false],
  [
    'gemm8',
    (options: LinearOptions) => gemm8({ ...options, tile: 8, out: 64, across: 4 }),
    (options: LinearOptions) => dot8({ ...options, ...few }),
    true,
  ],
] as const

it.each(pairs)('%s, keys and values in f32', async (_, make, plain, packs) => {
  const own = await run(make, 'f32', packs)
  const wanted = await run(plain, 'f32', false)
  expectClose(own.y, wanted.y)
  expectClose(own.kv, wanted.kv)
})

it.each(pairs)('%s, keys and values in 8 bits', async (_, make, plain, packs) => {
  const own = await run(make, 'q8', packs)
  const wanted = await run(plain, 'q8', false)
  expectClose(own.y, wanted.y)
  const scales = kvScales(pages, kvHeads, headDim)
  expectClose(own.kv.slice(scales), wanted.kv.slice(scales))
  const [codes, others] = [own, wanted].map(({ kv }) => new Int8Array(kv.buffer, 0, scales * 4))
  // A value on the edge between two codes may fall to either side.
  expect(Math.max(...codes!.map((code, index) => Math.abs(code - others![index]!)))).toBeLessThanOrEqual(1)
})
