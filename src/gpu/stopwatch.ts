// What one replay of a recording takes on the GPU. Bursts last 20 ms or more: timestamps come in steps of 100 µs, and a submit has a cost of its own.
import type { Gpu } from './device.ts'
import { play, type Recording } from './recorder.ts'

export interface Replay {
  /** Replays of one pass at most, and what is encoded before each such pass. */
  span?: number
  before?: (encoder: GPUCommandEncoder) => void
}

const leastBurst = 20
const rounds = 3

/** Milliseconds of one replay: the best burst by timestamps, or without them the slope of the wall clock between a burst and one twice as long. */
export async function replayTime({ device }: Gpu, recording: Recording, replay: Replay = {}): Promise<number> {
  const stamps = device.features.has('timestamp-query') ? createStamps(device) : undefined
  const burst = (times: number) => runBurst(device, recording, times, replay, stamps)
  const best = async (times: number) => {
    let least = Infinity
    for (let round = 0; round < rounds; round++) least = Math.min(least, await burst(times))
    return least
  }
  // Long enough twice: one long burst may have been a pause.
  const long = async (times: number) => {
    const ms = await burst(times)
    return ms < leastBurst ? ms : Math.min(ms, await burst(times))
  }
  try {
    await burst(1) // the first pays for what drivers do late
    let times = 1
    for (let ms = await long(1); ms < leastBurst; ms = await long(times)) times *= Math.ceil(Math.min(16, (1.25 * leastBurst) / ms))
    if (stamps) return (await best(times)) / times
    const [once, twice] = [await best(times), await best(2 * times)]
    return twice > once ? (twice - once) / times : twice / (2 * times)
  } finally {
    stamps?.close()
  }
}

type Stamps = ReturnType<typeof createStamps>

async function runBurst(device: GPUDevice, recording: Recording, times: number, { span = times, before }: Replay, stamps?: Stamps) {
  const encoder = device.createCommandEncoder()
  for (let done = 0; done < times; done += span) {
    before?.(encoder)
    const pass = encoder.beginComputePass(stamps?.at(done === 0, done + span >= times))
    for (let index = done; index < Math.min(times, done + span); index++) play(pass, recording)
    pass.end()
  }
  stamps?.resolve(encoder)
  const began = performance.now()
  device.queue.submit([encoder.finish()])
  await device.queue.onSubmittedWorkDone()
  const wall = performance.now() - began
  const measured = (await stamps?.read()) ?? 0
  // A driver may write zeros, or times that are none.
  return measured > 0 && (wall < 10 * leastBurst || measured > wall / 10) ? measured : wall
}

/** Two timestamps: the beginning of a burst's first pass, the end of its last. */
function createStamps(device: GPUDevice) {
  const querySet = device.createQuerySet({ type: 'timestamp', count: 2 })
  const resolved = device.createBuffer({ size: 16, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC })
  const readable = device.createBuffer({ size: 16, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ })
  return {
    at(first: boolean, last: boolean): GPUComputePassDescriptor {
      const writes = { querySet, ...(first ? { beginningOfPassWriteIndex: 0 } : {}), ...(last ? { endOfPassWriteIndex: 1 } : {}) }
      return first || last ? { timestampWrites: writes } : {}
    },
    resolve(encoder: GPUCommandEncoder) {
      encoder.resolveQuerySet(querySet, 0, 2, resolved, 0)
      encoder.copyBufferToBuffer(resolved, 0, readable, 0, 16)
    },
    async read(): Promise<number> {
      await readable.mapAsync(GPUMapMode.READ)
      const [began, ended] = new BigUint64Array(readable.getMappedRange())
      const milliseconds = Number(ended! - began!) / 1e6
      readable.unmap()
      return Math.max(0, milliseconds)
    },
    close() {
      querySet.destroy()
      resolved.destroy()
      readable.destroy()
    },
  }
}
