// The GPU of a Node process, or a sentence that a person at a command line can use.
import { GlmError } from '../errors.ts'
import { dawn } from '../gpu/dawn.ts'

// Dawn crashes when an adapter is collected while its device lives: hold it for good.
const held = globalThis as { glmAdapter?: GPUAdapter }

/** A `GPU` that gives the one adapter found. Throws `gpu_missing` or `adapter_missing`. */
export async function findGpu(): Promise<GPU> {
  const gpu = await dawn()
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' }).catch(() => null)
  if (!adapter) {
    throw new GlmError(
      'adapter_missing',
      'No GPU was found: install its Vulkan driver (or Mesa, which also has one for the CPU), then try again.',
    )
  }
  held.glmAdapter = adapter
  return { requestAdapter: async () => adapter } as unknown as GPU
}
