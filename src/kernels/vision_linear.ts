// y = W x over a chunk of patches or tokens: the matmuls of prompts with what towers want before and behind them (patches as they come, biases, GELU).
import type { Kernel } from '../gpu/pipeline.ts'
import { float } from '../gpu/shader.ts'
import { type Matrix, type MatrixPart, reader } from './matrix.ts'
import { seeFiles, seeLoops } from './vision_files.ts'

/** Rows of x and of weights of a workgroup: tiles pay on GPUs; CPU adapters compile for 3 s for each of them, and for 0.7 s for the other. */
const shapes = {
  gemm: { files: ['gemm'], constants: { TILE: 32, OUT: 64, WG: 64 } },
  matmul: {
    files: ['matmul', 'lanes', 'squares/shared', 'squares/parts', 'dot/rolled'],
    constants: { TILE: 8, WG: 64, LANES: 1, STRIPES: 1 },
  },
}
const out = 64

/** What a layer reads: rows padded to groups of 32, rows still to be normed (RMS), or patches as they were prepared, tight. */
export type SeeInput =
  | { kind: 'plain' }
  | { kind: 'norm'; width: number; eps: number; gamma: number }
  | { kind: 'patches'; values: number; order: 'blocks' | 'rows'; merge: number }

/** What becomes of its totals; `stride`: f32 of a row of y. */
export type SeeOutput =
  | { kind: 'store'; stride: number; activation?: 'gelu_tanh' }
  | { kind: 'add' | 'swiglu'; stride: number }
  | { kind: 'qkv'; stride: number }

export interface SeeLinear {
  kernel: keyof typeof shapes
  matrix: Matrix
  part: MatrixPart
  input: SeeInput
  output: SeeOutput
  /** Offset of the biases in aux, in f32, a multiple of 4. */
  bias?: number | undefined
  f16: boolean
  rolled: boolean
}

export function visionLinear({ kernel, matrix, part, input, output, bias, f16, rolled }: SeeLinear): Kernel {
  const weights = reader(matrix, part, f16)
  const aux = bias !== undefined || input.kind === 'norm'
  const activation = output.kind === 'store' ? (output.activation ?? 'same') : undefined
  return {
    name: matrix.name,
    files: seeFiles(
      ...shapes[kernel].files,
      seeLoops(rolled),
      ...weights.files,
      ...inputFiles(input),
      ...(bias !== undefined && input.kind !== 'norm' ? ['vision/aux'] : []),
      bias === undefined ? 'vision/unbiased' : 'vision/bias',
      ...(activation ? [`vision/${activation}`] : []),
      'output/pairs',
      `vision/${output.kind}`,
    ),
    f16: weights.f16,
    bindings: {
      weights: 'read',
      x: 'read',
      y: 'write',
      rows: 'read',
      ...(aux ? { aux: 'read' } : {}),
      ...(output.kind === 'qkv' ? { kv: 'write', next: 'write' } : {}),
    },
    constants: {
      ...weights.constants,
      ...shapes[kernel].constants,
      Y_STRIDE: output.stride,
      Y_WIDTH: matrix.rows,
      ...(bias === undefined ? {} : { BIAS: bias }),
      ...(output.kind === 'qkv' ? { THIRD: matrix.rows / 3 } : {}),
      ...inputConstants(input),
    },
  }
}

function inputFiles(input: SeeInput): string[] {
  if (input.kind === 'plain') return ['input/plain', 'input/drop', 'rows/all']
  if (input.kind === 'norm') return ['input/norm', 'input/drop', 'rows/all']
  return ['vision/tight', 'input/drop', ...(input.order === 'blocks' ? ['vision/blocks'] : ['vision/plain', 'vision/place'])]
}

function inputConstants(input: SeeInput): Record<string, number | string> {
  if (input.kind === 'plain') return {}
  if (input.kind === 'norm') return { WIDTH: input.width, EPS: float(input.eps), GAMMA: input.gamma / 4 }
  return { X_QUADS: input.values / 4, MERGE: input.merge }
}

/** Workgroups over a part's rows and over `rows` of x. */
export const visionLinearGroups = (kernel: SeeLinear['kernel'], part: MatrixPart, rows: number): [number, number] => [
  Math.ceil(part.rows / out),
  Math.ceil(rows / shapes[kernel].constants.TILE),
]
