// The GPU of a Node process, or a sentence that a person at a command line can use.
import { GlmError } from '../errors.ts'
import { dawn } from '../gpu/dawn.ts'
import { isSoftware } from '../gpu/device.ts'
import { waitPatiently } from './patient.ts'

// Dawn crashes when an adapter is collected while its device lives: hold them for good.
const held = globalThis as { glmAdapters?: GPUAdapter[] }

/** A `GPU` that begins with the adapter found here: each makes one device. Throws `gpu_missing` or `adapter_missing`. */
export async function findGpu(): Promise<GPU> {
  const gpu = await dawn()
  const request = async (options: GPURequestAdapterOptions = { powerPreference: 'high-performance' }) => {
    const adapter = await gpu.requestAdapter(options).catch(() => null)
    held.glmAdapters = [...(held.glmAdapters ?? []), ...(adapter ? [adapter] : [])]
    return adapter
  }
  const found = [await request()]
  if (!found[0]) {
    throw new GlmError(
      'adapter_missing',
      'No GPU was found: install its Vulkan driver (or Mesa, which also has one for the CPU), then try again.',
    )
  }
  if (isSoftware(found[0])) waitPatiently()
  return { requestAdapter: async (options?: GPURequestAdapterOptions) => found.pop() ?? request(options) } as unknown as GPU
}
