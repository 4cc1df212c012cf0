// What an engine is put together by: its settings checked, and its name for the same bits.
import type { AdapterInfo, KvFormat, ModelInfo, WeightsFormat } from '../api/types.ts'
import { GlmError } from '../errors.ts'
import type { Buffers } from '../gpu/buffers.ts'
import type { Gpu } from '../gpu/device.ts'
import type { Pipelines } from '../gpu/pipeline.ts'
import { defaultContext } from '../model/sizes.ts'
import type { ModelFiles } from './checkpoint.ts'
import type { EngineOptions } from './engine.ts'

export type Assembly = EngineOptions & {
  files: ModelFiles
  device: Gpu
  buffers: Buffers
  pipelines: Pipelines
  asked: WeightsFormat
  wanted: number
}

export function kvFormatFor({ kv, exact, asked }: Assembly, { headDim }: ModelFiles['config']): KvFormat {
  const formats: readonly KvFormat[] = ['f32', 'f16', 'q8']
  if (kv !== undefined && !formats.includes(kv)) throw new GlmError('request_invalid', `kv is ${JSON.stringify(kv)}; use f32, f16 or q8.`)
  if (kv === 'q8' && headDim % 32 !== 0)
    throw new GlmError('request_invalid', `kv q8 needs heads of a multiple of 32, and this model has ${headDim}; use f16.`)
  return kv ?? (exact || asked === 'f32' ? 'f32' : 'f16')
}

export function contextOf(context: number | undefined): number {
  if (context === undefined) return defaultContext
  if (!Number.isInteger(context) || context < 2)
    throw new GlmError('request_invalid', `context is ${context}; use a whole number of positions from 2.`)
  return context
}

export function fingerprintOf(info: ModelInfo, variants: string): string {
  const { vendor, architecture, description, f16 }: AdapterInfo = info.adapter
  const text = [vendor, architecture, description, f16, info.weights, info.id, variants].join('|')
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return `fp_${(hash >>> 0).toString(16).padStart(8, '0')}`
}
