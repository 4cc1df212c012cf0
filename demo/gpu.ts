// The GPU line: what it is, whether it is a real one, and whether the chosen model fits.
import { type AdapterInfo, type CatalogEntry, GlmError, gpuInfo, type ModelInfo, type WeightsFormat } from 'glm-webgpu'
import { inEveryLanguage, joined, say } from './language.ts'
import { bytes, part } from './view.ts'

/** Bits of a weight on the GPU, scales among them; files of the catalog hold 16. */
const bits: Record<WeightsFormat, number> = { file: 4.5, q4: 4.5, q8: 8.5, f16: 16, f32: 32 }
/** Below this every GPU with WebGPU has room. */
const small = 128e6

let adapter: AdapterInfo | undefined
let failure: GlmError | undefined

/** Looks for a GPU; true when there is one. */
export async function findGpu(): Promise<boolean> {
  inEveryLanguage(writeGpu)
  await ask()
  return adapter !== undefined
}

/** A driver can come back, or be gone: asks again. */
export async function ask(): Promise<void> {
  try {
    adapter = await gpuInfo()
    failure = undefined
  } catch (error) {
    adapter = undefined
    failure = error instanceof GlmError ? error : new GlmError('internal', String(error))
  }
  writeGpu()
}

/** True until the first answer is there. */
export const isLooking = (): boolean => !adapter && !failure

/** Why no model can run here, if so. */
export const gpuProblem = (): string | undefined => (failure ? explain(failure) : undefined)

export function writeFit(model: ModelInfo | undefined, entry: CatalogEntry | undefined, format: WeightsFormat): void {
  part('fit').textContent = model ? measured(model) : entry && adapter ? estimated(entry, format, adapter) : ''
}

function writeGpu(): void {
  const line = part('gpu')
  line.textContent = adapter ? describe(adapter) : failure ? explain(failure) : say('gpuLooking')
  line.dataset.state = adapter ? (adapter.software ? 'software' : 'hardware') : failure ? failure.code : 'looking'
}

function describe({ vendor, architecture, description, software, f16 }: AdapterInfo): string {
  const made = [vendor, architecture].filter(Boolean).join(' ')
  const name = [description, made].filter(Boolean).join(' · ') || say('gpuUnnamed')
  return joined(say(software ? 'gpuSoftware' : 'gpuHardware', { name }), say(f16 ? 'gpuF16' : 'gpuNoF16'))
}

function explain(error: GlmError): string {
  if (error.code === 'gpu_missing') return say(isSecureContext ? 'gpuMissing' : 'gpuInsecure')
  return error.code === 'adapter_missing' ? say('gpuNoAdapter') : error.message
}

function measured({ bytes: { weights, kv, scratch } }: ModelInfo): string {
  return say('fits', { total: bytes(weights + kv + scratch), weights: bytes(weights), kv: bytes(kv), scratch: bytes(scratch) })
}

/** WebGPU tells no memory size; the largest buffer an adapter offers is the best hint there is. */
function estimated(entry: CatalogEntry, format: WeightsFormat, { maxBufferSize }: AdapterInfo): string {
  const needed = (entry.bytes * bits[format]) / 16
  const slots = { bytes: bytes(needed), limit: bytes(maxBufferSize) }
  if (needed <= small) return say('fitSmall', slots)
  if (needed <= maxBufferSize) return say('fitLikely', slots)
  return say(needed <= 4 * maxBufferSize ? 'fitUnsure' : 'fitUnlikely', slots)
}
