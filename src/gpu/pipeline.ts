// Pipelines: compiled once per linked source, asynchronously, and shared by every layer that has the same shapes.
import { GlmError } from '../errors.ts'
import type { Gpu } from './device.ts'
import { link, type ShaderFile } from './shader.ts'

/** Every buffer a kernel can name, with its fixed @binding number. */
export const slots = { weights: 0, x: 1, y: 2, aux: 3, rope: 4, rows: 5, kv: 6, source: 7, status: 8, next: 9 } as const
export type Slot = keyof typeof slots

/** A kernel is a value: files, bindings, constants. Its entry point is always `main`. */
export interface Kernel {
  name: string
  files: readonly ShaderFile[]
  bindings: Partial<Record<Slot, 'read' | 'write'>>
  constants: Record<string, number | string>
  f16?: boolean
  subgroups?: boolean
}

export interface Compiled {
  name: string
  pipeline: GPUComputePipeline
  layout: GPUBindGroupLayout
  slots: readonly Slot[]
}

export class Pipelines {
  readonly #gpu: Pick<Gpu, 'device'>
  readonly #compiled = new Map<string, Promise<Compiled>>()

  constructor(gpu: Pick<Gpu, 'device'>) {
    this.#gpu = gpu
  }

  get size(): number {
    return this.#compiled.size
  }

  clear(): void {
    this.#compiled.clear()
  }

  get(kernel: Kernel): Promise<Compiled> {
    const linked = link(kernel.files, kernel.constants, kernel)
    const found = this.#compiled.get(linked.code)
    if (found) return found
    const compiling = compile(this.#gpu.device, kernel, linked)
    this.#compiled.set(linked.code, compiling)
    return compiling
  }
}

async function compile(device: GPUDevice, kernel: Kernel, linked: ReturnType<typeof link>): Promise<Compiled> {
  const module = device.createShaderModule({ label: kernel.name, code: linked.code })
  const names = Object.keys(kernel.bindings) as Slot[]
  const layout = device.createBindGroupLayout({
    label: kernel.name,
    entries: names.map((name) => ({
      binding: slots[name],
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type: kernel.bindings[name] === 'write' ? 'storage' : 'read-only-storage' },
    })),
  })
  const pipelineLayout = device.createPipelineLayout({ bindGroupLayouts: [layout] })
  try {
    const pipeline = await device.createComputePipelineAsync({
      label: kernel.name,
      layout: pipelineLayout,
      compute: { module, entryPoint: 'main' },
    })
    return { name: kernel.name, pipeline, layout, slots: names }
  } catch (cause) {
    const info = await module.getCompilationInfo().catch(() => undefined)
    const lines = (info?.messages ?? []).map((message) => `${linked.locate(message.lineNum)} ${message.message}`)
    const text = lines.join('; ') || String(cause)
    throw new GlmError('internal', `The shader ${kernel.name} did not compile on this GPU; please report this: ${text}`, { cause })
  }
}
