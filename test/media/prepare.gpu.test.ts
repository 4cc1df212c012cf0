// Pictures prepared on the GPU against the real processors, and what a call costs: uploads, submits, buffers.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dawn } from '../../src/gpu/dawn.ts'
import { type Gpu, openGpu } from '../../src/gpu/device.ts'
import type { RgbaPixels } from '../../src/media/pixels.ts'
import { openPreparer, Preparer } from '../../src/media/prepare.ts'
import { difference, framesOf, preparedCases, valuesOf } from './prepared.ts'

// Dawn crashes when its objects are collected.
const held: unknown[] = []
let gpu: Gpu
let preparer: Preparer
beforeAll(async () => {
  gpu = await openGpu(await dawn())
  preparer = await openPreparer({ device: gpu.device })
  held.push(gpu, preparer)
})
afterAll(() => preparer.close())

const still = (width: number, height: number, value = 7): RgbaPixels => ({
  format: 'RGBA',
  width,
  height,
  data: new Uint8Array(width * height * 4).fill(value),
})

/** What `work` asks of the device. */
async function counted<T>(work: () => Promise<T>): Promise<{ result: T; submits: number; writes: number; buffers: number }> {
  const counts = { submits: 0, writes: 0, buffers: 0 }
  const { device } = gpu
  const { queue } = device
  const real = { submit: queue.submit, write: queue.writeBuffer, create: device.createBuffer }
  const count = (name: keyof typeof counts, owner: object, method: (...given: never[]) => unknown) =>
    function (this: unknown, ...given: never[]) {
      counts[name]++
      return method.apply(owner, given)
    }
  Object.assign(queue, { submit: count('submits', queue, real.submit), writeBuffer: count('writes', queue, real.write) })
  Object.assign(device, { createBuffer: count('buffers', device, real.create) })
  try {
    return { result: await work(), ...counts }
  } finally {
    Object.assign(queue, { submit: real.submit, writeBuffer: real.write })
    Object.assign(device, { createBuffer: real.create })
  }
}

describe('as the real processors', () => {
  const cases = preparedCases()

  it.each(cases.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    const { values, grid, shape } = await preparer.pictures(framesOf(one), one)
    const { max, mean } = difference(values, valuesOf(one))
    expect(grid).toEqual(one.grid)
    expect(shape.reduce((a, b) => a * b)).toBe(values.length)
    // Equal to the byte; the rest is the division in f32.
    expect(max).toBeLessThan(2e-6)
    expect(mean).toBeLessThan(2e-7)
  })

  it('a picture that differs by one level is told', async () => {
    const one = cases[0]!
    const { values } = await preparer.pictures(framesOf(one), one)
    const wanted = valuesOf({ ...one, levels: one.levels.map((level, i) => (i === 5 ? level ^ 1 : level)) })
    expect(difference(values, wanted).max).toBeGreaterThan(0.01)
  })
})

describe('a call', () => {
  it('uploads each frame once and submits once; the next one like it makes nothing', async () => {
    const clip = [still(70, 50), still(70, 50, 99), still(70, 50, 200)]
    const options = { profile: 'glm-4.6v', video: true } as const
    const first = await counted(() => preparer.pictures(clip, options))
    expect(first.submits).toBe(1)
    expect(first.writes).toBe(3 + 2)
    const second = await counted(() => preparer.pictures(clip, options))
    expect(second).toMatchObject({ submits: 1, writes: 3, buffers: 0 })
    expect(second.result).toEqual(first.result)
    const left = await counted(() => preparer.toBuffer(clip, options))
    expect(left).toMatchObject({ submits: 1, writes: 3, buffers: 1 })
    left.result.buffer.destroy()
  })

  it('leaves the same values on the GPU', async () => {
    const one = preparedCases().find(({ video }) => video)!
    const [host, left] = [await preparer.pictures(framesOf(one), one), await preparer.toBuffer(framesOf(one), one)]
    const staging = gpu.device.createBuffer({ size: left.buffer.size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST })
    const encoder = gpu.device.createCommandEncoder()
    encoder.copyBufferToBuffer(left.buffer, 0, staging, 0, left.buffer.size)
    gpu.device.queue.submit([encoder.finish()])
    await staging.mapAsync(GPUMapMode.READ)
    expect(new Float32Array(staging.getMappedRange())).toEqual(host.values)
    expect(left).toMatchObject({ grid: host.grid, tokens: host.tokens, shape: host.shape, resized: host.resized })
    staging.destroy()
    left.buffer.destroy()
  })

  it('calls at once take their turns', async () => {
    const calls = [10, 60, 110, 160].map((value, i) => preparer.pictures([still(30 + i, 40, value)], { profile: 'standard' }))
    const levels = (await Promise.all(calls)).map(({ values }) => Math.round(values[1000]! * 255))
    expect(levels).toEqual([10, 60, 110, 160])
  })

  it('pictures of several sizes and formats become one', async () => {
    const planes = [
      { offset: 0, stride: 5 },
      { offset: 25, stride: 3 },
      { offset: 34, stride: 3 },
    ]
    const data = new Uint8Array(43).fill(128)
    const yuv = { format: 'I420', width: 5, height: 5, data, planes, matrix: 'bt601', fullRange: true } as const
    const size = { width: 20, height: 10 }
    const { values, shape } = await preparer.pictures([still(40, 30, 10), { ...yuv, planes }, still(3, 9, 200)], {
      profile: 'standard',
      size,
    })
    expect(shape).toEqual([3, 3, 10, 20])
    expect([0, 1, 2].map((i) => Math.round(values[i * 600 + 333]! * 255))).toEqual([10, 128, 200])
  })
})

describe('refused', () => {
  const code = (name: string, text: string) =>
    expect.objectContaining({ name: 'GlmError', code: name, message: expect.stringContaining(text) })

  it('no pictures, and pictures that do not go together', async () => {
    await expect(preparer.pictures([], { profile: 'standard' })).rejects.toThrow(code('request_invalid', 'There are no pictures'))
    const mixed = [still(100, 50), still(50, 100)]
    await expect(preparer.pictures(mixed, { profile: 'glm-ocr' })).rejects.toThrow(code('request_invalid', 'one by one'))
    const clip = [still(100, 50), still(101, 50)]
    await expect(preparer.pictures(clip, { profile: 'glm-ocr', video: true })).rejects.toThrow(code('request_invalid', 'one by one'))
  })

  it('more than the GPU reads or writes at once', async () => {
    const small = new Preparer({ device: gpu.device, limits: { binding: 100_000, buffer: 100_000 }, close() {} })
    await expect(small.pictures([still(200, 200)], { profile: 'standard', size: { width: 2, height: 2 } })).rejects.toThrow(
      code('out_of_memory', 'A picture of 200 × 200 takes 160000 bytes'),
    )
    await expect(small.pictures([still(20, 20)], { profile: 'standard' })).rejects.toThrow(code('out_of_memory', 'become 602112 bytes'))
    expect((await small.pictures([still(20, 20)], { profile: 'standard', size: { width: 2, height: 2 } })).values.length).toBe(12)
    small.close()
  })

  it('anything after close; a borrowed device stays open', async () => {
    const own = await openPreparer({ gpu: await dawn() })
    held.push(own)
    const pending = own.pictures([still(20, 20)], { profile: 'standard' })
    own.close()
    await expect(pending).rejects.toThrow(code('closed', 'open another'))
    await expect(own.toBuffer([still(20, 20)], { profile: 'standard' })).rejects.toThrow(code('closed', 'open another'))
    own.close()
    const borrowed = await openPreparer({ device: gpu.device })
    borrowed.close()
    expect((await preparer.pictures([still(2, 2)], { profile: 'standard' })).shape).toEqual([1, 3, 224, 224])
  })
})
