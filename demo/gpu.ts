// The GPU line: what it is, whether it is a real one, and what the loaded model takes of it.
import { type AdapterInfo, GlmError, gpuInfo, type ModelInfo } from 'glm-webgpu'
import { inEveryLanguage, joined, say } from './language.ts'
import { bytes, part } from './view.ts'

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

export function writeFit(model: ModelInfo | undefined): void {
  part('fit').textContent = model ? measured(model) : ''
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
