// Rows normed (RMS, or LayerNorm with mean and bias) and activated: what towers do between layers.
import type { Kernel } from '../gpu/pipeline.ts'
import { float } from '../gpu/shader.ts'
import { seeFiles, seeLoops } from './vision_files.ts'

export interface LayerNorm {
  /** Real width of a row, a multiple of 4; rows are padded to groups of 32. */
  width: number
  eps: number
  /** Offsets in aux, in f32, multiples of 4; without beta it is an RMS norm. */
  gamma: number
  beta?: number | undefined
  activation?: 'gelu'
  rolled: boolean
}

/** y = activated(norm(x)), both [rows, padded width]. Workgroups: [1, rows]. */
export function layerNorm({ width, eps, gamma, beta, activation, rolled }: LayerNorm): Kernel {
  return {
    name: 'layernorm',
    files: seeFiles('layernorm', seeLoops(rolled), activation ? `vision/${activation}` : 'vision/same'),
    bindings: { x: 'read', y: 'write', aux: 'read', rows: 'read' },
    constants: {
      QUADS: Math.ceil(width / 32) * 8,
      REAL: width / 4,
      EPS: float(eps),
      CENTRED: beta === undefined ? 0 : 1,
      GAMMA: gamma / 4,
      BETA: (beta ?? 0) / 4,
    },
  }
}
