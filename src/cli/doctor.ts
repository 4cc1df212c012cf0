// `doctor`: what this machine offers, a sentence per line; and whether a model fits it.
import { freemem, totalmem } from 'node:os'
import { readModel } from '../engine/checkpoint.ts'
import { asGlmError } from '../errors.ts'
import { openGpu } from '../gpu/device.ts'
import type { Call } from './arguments.ts'
import { type Fit, fitModel } from './fit.ts'
import { findGpu } from './gpu.ts'
import { type Setting, sourceOf } from './model.ts'
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
  const { terminal, home, signal } = setting
  const source = model === undefined ? undefined : sourceOf(model, home)
  const say = (sentences: string[]) => terminal.print(sentences.map((sentence) => `${sentence}\n`).join(''))
  const machine = await examine()
  const memory = { total: totalmem(), free: freemem() }
  say([...machineSentences(machine), ...surroundings(memory)])
  const fitted =
    source &&
    fitModel(await readModel(source, signal), {
      name: source.name,
      weights: values.weights,
      binding: machine.limits.maxStorageBufferBindingSize ?? guaranteedBinding,
    })
  if (fitted) say(modelSentences(fitted, machine))
  if (values.json) {
    const { adapter, features, limits, reason } = machine
    const rest = { memory, node: process.version, cache: null, ...(reason ? { reason } : {}), ...(fitted ? { model: fitted } : {}) }
    terminal.print(`${JSON.stringify({ adapter, features, limits, ...rest })}\n`)
  }
  return machine.adapter && fitted?.fits !== false ? 0 : 1
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

function modelSentences({ name, family, format, bytes, kvBytes, tensors, faults, fits, formats }: Fit, { adapter }: Machine): string[] {
  const split = tensors.filter(({ parts }) => parts > 1)
  const where = adapter ? 'this GPU' : 'any GPU with WebGPU'
  if (faults.length > 0)
    return [`${name} cannot be loaded: ${faults[0]!}${faults.length > 1 ? ` There are ${faults.length - 1} more like this.` : ''}`]
  const unfit = tensors.filter(({ parts }) => parts === 0).map((tensor) => tensor.name)
  return [
    `${name} is a ${family} model; as ${format} its weights take ${size(bytes)}, and keys and values ${size(kvBytes)} per position.`,
    fits
      ? `Every one of its ${tensors.length} tensors fits ${where} as ${format}${split.length > 0 ? `, ${split.length} of them split by rows` : ''}.`
      : `${unfit[0]} does not fit ${where} as ${format}; load it with weights q4.`,
    formats.length > 0 ? `Formats whose tensors all fit: ${formats.join(', ')}.` : 'Its tensors fit in no format.',
  ]
}
