// Adapter and device: what is asked of them, what they are, and how their loss is told.
import type { AdapterInfo } from '../api/types.ts'
import { asGlmError, GlmError } from '../errors.ts'

export interface Gpu {
  device: GPUDevice
  info: AdapterInfo
  limits: { binding: number; buffer: number }
  /** Resolves when the device is gone for a reason other than `close()`, or can no longer be trusted. */
  lost: Promise<GlmError>
  close(): void
}

export interface GpuOptions {
  powerPreference?: GPUPowerPreference
  /** Lowers the limits asked for, so that a test can meet small ones on any adapter. */
  limits?: { binding?: number; buffer?: number }
  /** Optional features left alone, so that a test can run the plain variants anywhere. */
  without?: ('shader-f16' | 'subgroups')[]
}

const held = new Set<unknown>()

const optionalFeatures = ['shader-f16', 'subgroups', 'timestamp-query'] as const

/** Opens the adapter with its own limits. `gpu` is `navigator.gpu`, or Dawn's in Node. */
export async function openGpu(gpu: GPU | undefined, options: GpuOptions = {}): Promise<Gpu> {
  if (!gpu)
    throw new GlmError(
      'gpu_missing',
      'This browser has no WebGPU: use Chrome or Edge 125 or later, and open the page over https or localhost.',
    )
  const adapter = await gpu.requestAdapter({ powerPreference: options.powerPreference ?? 'high-performance' }).catch(() => null)
  if (!adapter) {
    throw new GlmError(
      'adapter_missing',
      'WebGPU gave no adapter: switch on hardware acceleration in the browser, or update the graphics driver.',
    )
  }
  const limits = {
    binding: Math.min(adapter.limits.maxStorageBufferBindingSize, options.limits?.binding ?? Infinity),
    buffer: Math.min(adapter.limits.maxBufferSize, options.limits?.buffer ?? Infinity),
  }
  const without: readonly string[] = options.without ?? []
  const device = await adapter
    .requestDevice({
      requiredFeatures: optionalFeatures.filter((feature) => adapter.features.has(feature) && !without.includes(feature)),
      requiredLimits: { maxStorageBufferBindingSize: limits.binding, maxBufferSize: limits.buffer },
    })
    .catch((error) => {
      throw asGlmError(error, 'adapter_missing', 'The GPU could not be opened; close other pages that use it and load again: ')
    })
  // Dawn in Node crashes when the adapter or the device is collected while the other works.
  const objects = [adapter, device]
  held.add(objects)
  let closed = false
  const lost = new Promise<GlmError>((resolve) => {
    // An error nobody caught means that a dispatch or a buffer is missing: what follows would be silently wrong.
    device.addEventListener('uncapturederror', ({ error }) => {
      const memory = error instanceof GPUOutOfMemoryError
      resolve(
        memory
          ? new GlmError('out_of_memory', 'The GPU ran out of memory; close other pages and load again, with a smaller context.')
          : new GlmError('internal', `The GPU refused a command; please report this: ${error.message}`),
      )
    })
    device.lost.then((reason) => {
      if (!closed) resolve(new GlmError('device_lost', `The GPU was lost (${reason.message || reason.reason}); load the model again.`))
    })
  })
  return {
    device,
    info: describe(adapter, device, limits),
    limits,
    lost,
    close() {
      closed = true
      held.delete(objects)
      device.destroy()
    },
  }
}

/** Whether it computes on the processor. */
export function isSoftware({ info }: GPUAdapter): boolean {
  const name = `${info.vendor} ${info.architecture} ${info.description}`.toLowerCase()
  return (
    (info as { isFallbackAdapter?: boolean }).isFallbackAdapter === true || /swiftshader|llvmpipe|lavapipe|software|basic render/.test(name)
  )
}

function describe(adapter: GPUAdapter, device: GPUDevice, limits: Gpu['limits']): AdapterInfo {
  const { vendor, architecture, description } = adapter.info
  return {
    vendor,
    architecture,
    description,
    software: isSoftware(adapter),
    f16: device.features.has('shader-f16'),
    subgroups: device.features.has('subgroups'),
    maxBufferSize: limits.buffer,
    maxStorageBufferBindingSize: limits.binding,
  }
}
