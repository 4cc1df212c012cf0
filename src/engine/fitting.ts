// Loads a model in a format that fits: the best one where nobody says which, and a smaller one when the GPU runs out of memory.
import type { WeightsFormat } from '../api/types.ts'
import { GlmError } from '../errors.ts'
import { openGpu } from '../gpu/device.ts'
import type { Formats, readModel } from './checkpoint.ts'
import type { Engine, EngineOptions } from './engine.ts'
import type { planModel } from './plan.ts'

export interface FittingOptions extends Omit<EngineOptions, 'weights' | 'formats'> {
  /** `auto`: 16 bits where there is room, else 8, else 4; and the next smaller one when the GPU has less than it seemed. */
  weights?: WeightsFormat | 'auto' | undefined
  /** Bytes of GPU memory that the model may take. */
  memory?: number | undefined
  formats: () => Promise<Formats>
  /** What tells which of them fits, for `auto` (src/tools.ts). */
  plan: () => Promise<{ planModel: typeof planModel }>
  onWarning?: ((warning: GlmError) => void) | undefined
  /** `Engine.load`: this file is fetched alone, without an engine. */
  load: (options: EngineOptions) => Promise<Engine>
  read: typeof readModel
}

/** From large to small. A quantised file as it is stands before what it can be made into. */
const formats: readonly WeightsFormat[] = ['f32', 'f16', 'q8', 'q4']

export async function loadFitting({ load, ...options }: FittingOptions): Promise<Engine> {
  const automatic = options.weights === 'auto'
  let weights = options.weights === 'auto' ? await chosen(options) : options.weights
  for (;;) {
    try {
      return await load({ ...options, weights })
    } catch (error) {
      const next = error instanceof GlmError && error.code === 'out_of_memory' ? smaller(weights) : undefined
      if (!next) throw error
      const { message } = error as GlmError
      if (!automatic) throw new GlmError('out_of_memory', `${message} Or load it with weights ${next}.`, { cause: error })
      options.onWarning?.(new GlmError('out_of_memory', `The GPU has no room for ${weights} weights; the model is loaded as ${next}.`))
      weights = next
    }
  }
}

const smaller = (weights: WeightsFormat | undefined): WeightsFormat | undefined =>
  weights === undefined || weights === 'file' ? 'q4' : formats[formats.indexOf(weights) + 1]

/** What the plan takes, of headers alone. */
async function chosen(options: Omit<FittingOptions, 'load'>): Promise<WeightsFormat> {
  const { formats, read, source, signal, context, kv, exact, memory, visionWeights } = options
  const gpu = await openGpu(options.gpu, options)
  gpu.close()
  const files = await read(source, { formats, signal })
  const { planModel } = await options.plan()
  const wanted = {
    weights: 'auto' as const,
    ...(context && { context }),
    ...(kv && { kv }),
    ...(exact && { exact }),
    ...(memory && { memory }),
    ...(visionWeights && { visionWeights }),
  }
  const { binding, buffer } = gpu.limits
  return planModel(options.id ?? source.name, files, wanted, { binding, buffer, software: gpu.info.software, ...machineMemory() }).weights
}

/** Browsers tell at most 8 GB; Node's own is told by the command line. */
export function machineMemory(): { memory?: number } {
  const { deviceMemory } = (globalThis.navigator ?? {}) as { deviceMemory?: number }
  return deviceMemory ? { memory: deviceMemory * 2 ** 30 } : {}
}
