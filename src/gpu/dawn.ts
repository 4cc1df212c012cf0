// WebGPU in Node: Dawn, from the optional peer `webgpu`. Never part of a browser bundle.
import { GlmError } from '../errors.ts'

// Dawn crashes the process when its GPU object is collected while anything made by it lives: hold it for good.
const held = globalThis as { glmDawn?: GPU }

export async function dawn(): Promise<GPU> {
  if (held.glmDawn) return held.glmDawn
  const package_ = await import('webgpu').catch((cause) => {
    throw new GlmError('gpu_missing', 'Node has no WebGPU of its own: run `npm install webgpu` beside this package.', { cause })
  })
  Object.assign(globalThis, package_.globals)
  held.glmDawn = package_.create([])
  return held.glmDawn
}
