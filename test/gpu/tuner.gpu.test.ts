// The tuner on a real queue. Its runs are counted on the GPU itself; the clock is told what they cost, since a shared CPU tells no times apart.
import { afterEach, beforeAll, expect, it } from 'vitest'
import { readBack } from '../../src/gpu/buffers.ts'
import type { Kernel } from '../../src/gpu/pipeline.ts'
import { prepare } from '../../src/gpu/recorder.ts'
import { tunedKey } from '../../src/gpu/tuned.ts'
import { tune, type Variant } from '../../src/gpu/tuner.ts'
import { Bench } from '../kernels/run.ts'
import { shelf, task } from './shelf.ts'

let bench: Bench
beforeAll(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clear())

const outputs = 256
const columns = 64

/** y = W x + WRONG, one thread a row, PASSES times over; x begins with its length, so that no compiler can see it. Counts its runs. */
const source = `
@group(0) @binding(0) var<storage, read> weights: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(8) var<storage, read_write> runs: atomic<u32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x == 0u) { atomicAdd(&runs, 1u); }
  let columns = u32(x[0]);
  var sum = 0.0;
  for (var turn = 0u; turn < PASSES * u32(x[1]); turn++) {
    sum = WRONG;
    for (var column = 0u; column < columns; column++) { sum += weights[id.x * columns + column] * x[2u + column % 2u]; }
  }
  y[id.x] = sum;
}`

const kernel = (passes: number, wrong: string): Kernel => ({
  name: 'tuned',
  files: [{ name: 'tuned.wgsl', source }],
  bindings: { weights: 'read', x: 'read', y: 'write', status: 'write' },
  constants: { PASSES: passes, WRONG: wrong },
})

/** Four variants over three layers; `spent` is the ms that their encoded repetitions cost. */
function setting() {
  const { device } = bench.gpu
  const layers = [1, 2, 3].map((value) => bench.buffer('weights', new Float32Array(outputs * columns).fill(value)))
  const x = bench.buffer('x', new Float32Array([columns, 1, 1, 3]))
  const y = bench.poisoned('y', outputs)
  const status = bench.buffer('runs', new Uint32Array(4))
  const seen = { repeats: [0, 0, 0], probes: 0, spent: 0 }
  const variant = (id: string, passes: number, wrong = '0.0'): Variant => ({
    id,
    async prepare() {
      const compiled = await bench.compile(kernel(passes, wrong))
      const recordings = layers.map((weights) => [prepare(device, compiled, { weights, x, y, status }, [outputs / 64])])
      return {
        dispatches(repeat) {
          seen.repeats[repeat % 3]!++
          seen.spent += passes
          return recordings[repeat % 3]!
        },
        async probe() {
          seen.probes++
          await bench.run(kernel(passes, wrong), { weights: layers[1]!, x, y, status }, [outputs / 64])
          return new Float32Array(await readBack(device, y)).every((value) => value === 2 * 2 * columns)
        },
      }
    },
  })
  const variants = [variant('three', 3), variant('wrong', 1, '1.0'), variant('one', 1), variant('two', 2)]
  return { task: task('three', variants), seen, runs: async () => (await bench.words(status))[0] }
}

it('finds the variant that works least, never the wrong one, runs all it encodes, and believes the record', async () => {
  const { task, seen, runs } = setting()
  const { puts, store } = shelf()
  const key = await tunedKey(bench.gpu, [source])
  const { device, info } = bench.gpu
  let now = 0
  // The device as it is, but for the moment at which the clock moves.
  const queue = {
    submit(commands: GPUCommandBuffer[]) {
      device.queue.submit(commands)
      now += seen.spent
      seen.spent = 0
    },
    onSubmittedWorkDone: () => device.queue.onSubmittedWorkDone(),
  }
  const timed = { lost: device.lost, createCommandEncoder: () => device.createCommandEncoder(), queue } as unknown as GPUDevice
  const options = { device: timed, store, key, info: { ...info, software: false }, clock: () => now }
  expect(await tune([task], options)).toEqual({ shape: 'one' })
  const [first = 0, second = 0, third = 0] = seen.repeats
  expect(await runs()).toBe(first + second + third + seen.probes)
  expect([seen.probes, third > 0, first - third < first / 4]).toEqual([4, true, true]) // layers take turns
  const times = { three: 1, wrong: Infinity, one: expect.closeTo(1 / 3, 6), two: expect.closeTo(2 / 3, 6) }
  expect(puts.at(-1)).toEqual({ key, tasks: { shape: { best: 'one', times } } })
  expect(await tune([task], options)).toEqual({ shape: 'one' })
  expect(seen.probes).toBe(4)
})

it('with the clock of the wall never takes the wrong one, and comes to an end', async () => {
  const { task, seen } = setting()
  const { device, info } = bench.gpu
  const began = performance.now()
  const found = await tune([task], { device, info: { ...info, software: false }, store: shelf().store, key: 'k', budget: 1000 })
  expect(performance.now() - began).toBeLessThan(10_000)
  expect(seen.probes).toBeGreaterThan(0)
  expect([undefined, 'one', 'two']).toContain(found.shape)
})

it('leaves this adapter alone, as it is a CPU', async () => {
  const { task, seen } = setting()
  const { device, info } = bench.gpu
  expect(info.software).toBe(true)
  const { puts, store } = shelf()
  expect(await tune([task], { device, info, store, key: '' })).toEqual({})
  expect([seen.probes, puts]).toEqual([0, []])
})
