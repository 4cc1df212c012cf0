// What a model's sight takes of a GPU: its tower's weights, and what it works in and keeps when it is shown something.
import type { PlanOptions } from '../api/plan.ts'
import type { WeightsFormat } from '../api/types.ts'
import { GlmError } from '../errors.ts'
import type { Coding } from '../kernels/matrix.ts'
import { seeTiles } from '../kernels/see_attention.ts'
import { usual } from '../media/shown_size.ts'
import { codingOf } from '../model/codings.ts'
import { parseVision, type VisionConfig } from '../model/vision_config.ts'
import { planVision, type VisionPlan } from '../model/vision_layout.ts'
import { roomValues, towerLimits } from '../model/vision_room.ts'
import type { MatrixPlan } from '../weights/load.ts'
import type { Checkpoint } from '../weights/tensor.ts'

/** Bytes of embeddings that are kept, so that a picture is seen once. */
export const keptBytes = 2 ** 27
/** Bytes of pixels and patches that are on the GPU at once. */
export const passingBytes = 2 ** 26
const towerFormats: readonly unknown[] = ['f32', 'f16', 'q8', 'q4']

/** How a tower stands on the GPU. Throws `request_invalid`. */
export function towerFormat(weights: WeightsFormat | undefined, asked: PlanOptions['visionWeights']): Exclude<WeightsFormat, 'file'> {
  if (asked !== undefined && !towerFormats.includes(asked))
    throw new GlmError('request_invalid', `visionWeights is ${JSON.stringify(asked)}; use f32, f16, q8 or q4.`)
  return asked ?? (weights === 'f32' || weights === 'f16' ? weights : 'q8')
}

export interface SightPlan {
  config: VisionConfig
  plan: VisionPlan
}

/** Throws `config_unsupported` or `tensor_invalid`. */
export function planSight(json: Record<string, unknown>, checkpoint: Checkpoint): SightPlan {
  const config = parseVision(json)
  return { config, plan: planVision(config, checkpoint) }
}

/** Its matrices with their codings, and bytes of vectors. */
export function sightWeights({ plan }: SightPlan, format: Exclude<WeightsFormat, 'file'>) {
  const named = (layer: string, matrices: Record<string, MatrixPlan>) =>
    Object.values(matrices).map((matrix) => ({ name: `${layer}${matrix.name}`, plan: matrix }))
  const { patch, blocks, downsample, proj, gateUp, down, vectors, table } = plan
  const matrices = [
    ...named('', { patch, downsample, proj, gateUp, down }),
    ...blocks.flatMap(({ qkv, o, up, down }, layer) => named(`vision.${layer}.`, { qkv, o, up, down })),
  ].map((one): { name: string; plan: MatrixPlan; coding: Coding } => ({ ...one, coding: codingOf(one.plan, plan.checkpoint, format) }))
  const lengths = [vectors, ...blocks.map((block) => block.vectors)].reduce((sum, { length }) => sum + length, table?.length ?? 0)
  return { matrices, vectorBytes: lengths * 4 }
}

/** Bytes of what it works in for a picture of the usual size, and of what it keeps. */
export function sightScratch({ config }: SightPlan, software: boolean): number {
  const { chunk, batch } = towerLimits[software ? 'software' : 'hardware']
  const patches = config.positions === 'learned' ? config.side ** 2 : usual.picture * config.merge ** 2
  const rows = Math.ceil(Math.max(patches, batch) / chunk) * chunk
  const size = { rows, chunk, tiles: seeTiles(1, rows), side: Math.ceil(2 * Math.sqrt(patches)) }
  const values = Object.values(roomValues(size, config)).reduce((sum, own) => sum + own, 0)
  return values * 4 + passingBytes + keptBytes
}
