// Buffers of one loaded model: made in one place, counted in bytes, freed together.
import { GlmError } from '../errors.ts'
import type { Gpu } from './device.ts'

export class Buffers {
  readonly #gpu: Pick<Gpu, 'device' | 'limits'>
  readonly #all = new Set<GPUBuffer>()

  constructor(gpu: Pick<Gpu, 'device' | 'limits'>) {
    this.#gpu = gpu
  }

  get bytes(): number {
    let sum = 0
    for (const buffer of this.#all) sum += buffer.size
    return sum
  }

  get count(): number {
    return this.#all.size
  }

  /** A zeroed buffer of at least `bytes`; `readable` makes one the host can map. */
  make(label: string, bytes: number, kind: 'storage' | 'readable' = 'storage'): GPUBuffer {
    const size = Math.max(16, Math.ceil(bytes / 16) * 16)
    if (kind === 'storage' && size > this.#gpu.limits.binding) {
      throw new GlmError(
        'out_of_memory',
        `${label} needs ${size} bytes in one binding, this GPU allows ${this.#gpu.limits.binding}: ask for a smaller context.`,
      )
    }
    const usage =
      kind === 'readable'
        ? GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST
        : GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST
    const buffer = this.#gpu.device.createBuffer({ label, size, usage })
    this.#all.add(buffer)
    return buffer
  }

  free(buffer: GPUBuffer): void {
    if (this.#all.delete(buffer)) buffer.destroy()
  }

  close(): void {
    for (const buffer of this.#all) buffer.destroy()
    this.#all.clear()
  }
}

/** Runs `work` and turns the GPU's out-of-memory report into an error that says what to do. */
export async function guardMemory<T>(gpu: Gpu, work: () => Promise<T> | T): Promise<T> {
  gpu.device.pushErrorScope('out-of-memory')
  let error: GPUError | null = null
  try {
    return await work()
  } finally {
    error = await gpu.device.popErrorScope().catch(() => null)
    if (error) {
      // biome-ignore lint/correctness/noUnsafeFinally: a buffer that was not given makes the result worthless
      throw new GlmError(
        'out_of_memory',
        'The GPU has too little memory for this model; close other pages, or ask for a smaller context or q4 weights.',
      )
    }
  }
}

/** Copies a buffer back to the host: for tests and `score`, never in the token loop. */
export async function readBack(device: GPUDevice, buffer: GPUBuffer, offset = 0, bytes = buffer.size): Promise<ArrayBuffer> {
  const staging = device.createBuffer({ size: bytes, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST })
  const encoder = device.createCommandEncoder()
  encoder.copyBufferToBuffer(buffer, offset, staging, 0, bytes)
  device.queue.submit([encoder.finish()])
  await staging.mapAsync(GPUMapMode.READ)
  const copy = staging.getMappedRange().slice(0)
  staging.destroy()
  return copy
}
