// What the adapter can read: bytes per millisecond of the stream kernel, the yardstick of everything that is bound by memory.
import { guardMemory } from '../gpu/buffers.ts'
import { prepare } from '../gpu/recorder.ts'
import { replayTime } from '../gpu/stopwatch.ts'
import { stream, streamGroups } from '../kernels/stream.ts'
import type { Engine } from './engine.ts'

/** Bytes that the stream kernel reads in one replay: more than any cache holds; a CPU adapter would take too long. */
const streamed = (software: boolean) => (software ? 64 : 256) * 2 ** 20
const noiseBytes = 4 * 2 ** 20

/** Over buffers of noise: a driver may be clever about zeros. */
export async function timeStream({
  gpu,
  buffers,
  pipelines,
  runner,
}: Pick<Engine, 'gpu' | 'buffers' | 'pipelines' | 'runner'>): Promise<number> {
  const { device, info, limits } = gpu
  const wanted = streamed(info.software)
  const size = Math.floor(Math.min(wanted, limits.binding, limits.buffer, 128 * 2 ** 20) / noiseBytes) * noiseBytes
  const made: GPUBuffer[] = []
  const make = (label: string, bytes: number) => made[made.push(buffers.make(label, bytes)) - 1]!
  try {
    return await guardMemory(gpu, async () => {
      const noise = make('noise', noiseBytes)
      const sums = make('sums', streamGroups(size / 16, info.software)[0] * 4)
      device.queue.writeBuffer(
        noise,
        0,
        Uint32Array.from({ length: noiseBytes / 4 }, () => Math.random() * 2 ** 32),
      )
      const compiled = await pipelines.get(stream(size / 16, info.software))
      const encoder = device.createCommandEncoder()
      const recording = Array.from({ length: Math.ceil(wanted / size) }, () => {
        const x = make('stream', size)
        for (let at = 0; at < size; at += noiseBytes) encoder.copyBufferToBuffer(noise, 0, x, at, noiseBytes)
        return prepare(device, compiled, { x, y: sums, rows: runner.decodeRows.buffer }, streamGroups(size / 16, info.software))
      })
      device.queue.submit([encoder.finish()])
      return (recording.length * size) / (await replayTime(gpu, recording))
    })
  } finally {
    for (const buffer of made) buffers.free(buffer)
  }
}
