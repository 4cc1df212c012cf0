// What a plan says of a model before anything of it is downloaded but its headers.
import type { KvFormat, WeightsFormat } from './types.ts'

export interface PlanOptions {
  /** Default `file`. `auto`: the best that fits, 16-bit where there is room, else 8, else 4. */
  weights?: WeightsFormat | 'auto'
  /** How the tower of a model that sees stands. Default: `q8`, and f32 or f16 where the weights are. */
  visionWeights?: Exclude<WeightsFormat, 'file'>
  /** Positions of keys and values. Default: the model's own limit, at most 4096. */
  context?: number
  kv?: KvFormat
  exact?: boolean
  /** Bytes of GPU memory that the model may take. WebGPU tells none: without, half of this machine's memory is assumed, or 4 GB. */
  memory?: number
}

/** A tensor on the GPU, and the parts that it is split into by rows; 0: eight rows of it are larger than one binding. */
export interface PlannedTensor {
  name: string
  bytes: number
  parts: number
}

/** What a format of the weights comes to. */
export interface PlannedFormat {
  weights: Exclude<WeightsFormat, 'f32'>
  /** Weights, keys, values and activations together. */
  bytes: number
  fits: boolean
}

/** Of several models in one place, the one that was taken. */
export interface ModelChoice {
  file: string
  /** One sentence. */
  why: string
  /** All there are, best first. */
  variants: { label: string; files: string[]; bytes: number }[]
}

export interface ModelPlan {
  name: string
  family: string
  parameters: number
  /** Positions that the plan is for. */
  context: number
  /** Bytes of weight files. */
  download: number
  /** Bytes on the GPU. `weights` are those of a tower too; `seeing`: what it works in and keeps, in a model that has one. */
  gpu: { weights: number; kv: number; scratch: number; seeing?: number; total: number }
  /** Bytes that the model may take, and whether the caller said so. */
  memory: { bytes: number; given: boolean }
  /** Tensors that are split, and those that fit in no part. */
  tensors: PlannedTensor[]
  formats: PlannedFormat[]
  /** The format that the plan is for; with `auto` the one that was chosen. */
  weights: WeightsFormat
  /** Where there was something to choose. */
  choice?: ModelChoice
  /** What the files lack, as sentences. */
  faults: string[]
  fits: boolean
  /** One sentence. */
  verdict: string
}
