// `doctor`: what this machine offers, a sentence per line; and what a model takes of it, told from headers alone.
import { freemem, totalmem } from 'node:os'
import type { ModelPlan, PlanOptions } from '../api/plan.ts'
import { readModel } from '../engine/checkpoint.ts'
import { planModel } from '../engine/plan.ts'
import { asGlmError } from '../errors.ts'
import { openGpu } from '../gpu/device.ts'
import type { Source } from '../weights/source.ts'
import type { Call } from './arguments.ts'
import { findGpu } from './gpu.ts'
import { formats, type Setting, sourceOf } from './model.ts'
import { size } from './terminal.ts'

/** Limits that the shaders and the weights meet. */
const limitNames = [
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
] as const

/** What every WebGPU device binds at least. */
const guaranteedBinding = 128 * 2 ** 20

interface Machine {
  adapter: { vendor: string; architecture: string; description: string; software: boolean } | null
  features: string[]
  limits: Partial<Record<(typeof limitNames)[number], number>>
  /** Why there is no adapter. */
  reason?: string
}

/** 0 where all is well, 1 where there is no GPU or the model cannot run on it. */
export async function doctor({ model, values }: Call<'doctor'>, setting: Setting): Promise<number> {
  const { terminal } = setting
  const memory = values.memory === undefined ? undefined : values.memory * 1e9
  const auto = values.weights === 'auto'
  const source =
    model === undefined ? undefined : await sourceOf(model, setting, { headers: true, hub: values.hub, ...(auto ? { memory } : {}) })
  const say = (sentences: string[]) => terminal.print(sentences.map((sentence) => `${sentence}\n`).join(''))
  const machine = await examine()
  const own = { total: totalmem(), free: freemem() }
  say([...machineSentences(machine), ...surroundings(own)])
  const plan = source && (await planOf(source, machine, { ...values, memory }, setting))
  if (plan) say(modelSentences(plan))
  if (values.json) {
    const { adapter, features, limits, reason } = machine
    const rest = { memory: own, node: process.version, cache: null, ...(reason ? { reason } : {}), ...(plan ? { model: plan } : {}) }
    terminal.print(`${JSON.stringify({ adapter, features, limits, ...rest })}\n`)
  }
  return machine.adapter && plan?.fits !== false ? 0 : 1
}

async function planOf(
  source: Source,
  machine: Machine,
  values: { weights?: string; 'vision-weights'?: PlanOptions['visionWeights']; context?: number; memory?: number },
  { signal }: Setting,
) {
  const { weights, 'vision-weights': visionWeights, context, memory } = values
  const options: PlanOptions = {
    // The plan refuses what is no format.
    ...(weights === undefined ? {} : { weights: weights as NonNullable<PlanOptions['weights']> }),
    ...(visionWeights && { visionWeights }),
    ...(context === undefined ? {} : { context }),
    ...(memory === undefined ? {} : { memory }),
  }
  return planModel(source.name, await readModel(source, { formats, signal }), options, {
    binding: machine.limits.maxStorageBufferBindingSize ?? guaranteedBinding,
    ...(machine.limits.maxBufferSize === undefined ? {} : { buffer: machine.limits.maxBufferSize }),
    software: machine.adapter?.software ?? false,
    memory: totalmem(),
  })
}

async function examine(): Promise<Machine> {
  try {
    const gpu = await openGpu(await findGpu())
    const { vendor, architecture, description, software } = gpu.info
    const features = [...gpu.device.features].sort()
    const limits = Object.fromEntries(limitNames.map((name) => [name, gpu.device.limits[name]]))
    gpu.close()
    return { adapter: { vendor, architecture, description, software }, features, limits }
  } catch (error) {
    return { adapter: null, features: [], limits: {}, reason: asGlmError(error).message }
  }
}

function machineSentences({ adapter, features, limits, reason }: Machine): string[] {
  if (!adapter) return [`There is no WebGPU here. ${reason}`]
  const name = [adapter.description, adapter.architecture, adapter.vendor].filter(Boolean).join(', ')
  const has = (feature: string) => features.includes(feature)
  return [
    `WebGPU runs on ${name}${adapter.software ? '; this is software on the CPU: right, but slow' : ''}.`,
    `It ${has('shader-f16') ? 'computes' : 'does not compute'} in f16 and ${has('subgroups') ? 'has' : 'has no'} subgroups; models run with and without both.`,
    `One binding holds ${size(limits.maxStorageBufferBindingSize!)} and one buffer ${size(limits.maxBufferSize!)}; larger matrices are split by rows.`,
  ]
}

function surroundings({ total, free }: { total: number; free: number }): string[] {
  return [
    `This machine has ${size(total)} of memory, ${size(free)} of it free; WebGPU does not tell how much the GPU has.`,
    `Node is ${process.version} on ${process.platform} ${process.arch}.`,
    'Node keeps no cache: a folder is read where it lies, and an address is fetched at every load.',
  ]
}

function modelSentences(plan: ModelPlan): string[] {
  const { name, family, parameters, download, gpu, context, weights, tensors, formats, faults, verdict } = plan
  if (faults.length > 0) return [verdict]
  const split = tensors.filter(({ parts }) => parts > 1)
  const largest = split.reduce((most, one) => (one.bytes > most.bytes ? one : most), split[0]!)
  const kinds = formats.map((one) => `${one.weights} ${size(one.bytes)}${one.fits ? '' : ' (does not fit)'}`)
  return [
    `${name} is a ${family} model of ${(parameters / 1e6).toFixed(1)} million parameters; its weight files have ${size(download)}.`,
    `With weights ${weights} and ${context} positions it takes ${size(gpu.total)} of the GPU: weights ${size(gpu.weights)}, keys and values ${size(gpu.kv)}, activations ${size(gpu.scratch)}${gpu.seeing === undefined ? '' : `, pictures and videos ${size(gpu.seeing)}`}.`,
    ...(split.length > 0
      ? [`Larger than one binding, and split by rows: ${split.length}, of them ${largest.name} into ${largest.parts}.`]
      : []),
    `All together, by format of the weights: ${kinds.join(', ')}.`,
    verdict,
  ]
}
