// The kernels that read weights: y = W x with what goes before (RMSNorm) and after (add, SwiGLU, bias + RoPE + KV write).
import type { Kernel } from '../gpu/pipeline.ts'
import { float } from '../gpu/shader.ts'
import { files, loops, type ShaderName } from './files.ts'
import { type Matrix, type MatrixPart, reader, scalesAt } from './matrix.ts'
import { type RowsShape, rowsConstants } from './rows.ts'

export interface Norm {
  /** Real width of x. */
  width: number
  eps: number
  /** Offset of gamma in aux, in f32; a multiple of 4. */
  gamma: number
}

export type Output =
  | { kind: 'store' | 'add' | 'swiglu'; stride: number }
  | { kind: 'qkv'; stride: number; heads: number; kvHeads: number; headDim: number; rotary: number; bias?: number; kv: 'f32' | 'f16' }

export interface MatmulOptions {
  matrix: Matrix
  part: MatrixPart
  /** Rows of x a workgroup takes at once: weights are read once for them. */
  tile: number
  /** Threads that share one weight row: 1, 2, 4 or 8. */
  lanes: number
  input: 'plain' | Norm
  rows: 'all' | 'logits'
  output: Output
  shape: RowsShape
  f16: boolean
  /** Keeps loops as loops: for CPU adapters, whose compilers choke on unrolled ones. */
  rolled: boolean
}

export function matmul(options: MatmulOptions): Kernel {
  const { matrix, part, input, output, shape } = options
  const weights = reader(matrix.format, options.f16)
  const names: ShaderName[] = [
    'matmul',
    loops(options.rolled),
    weights.file,
    input === 'plain' ? 'input/plain' : 'input/norm',
    'rows',
    `rows/${options.rows}`,
    `output/${output.kind}`,
  ]
  if (output.kind === 'qkv') names.push(`kv/${output.kv}_write`)
  return {
    name: `matmul ${matrix.name}`,
    files: files(...names),
    f16: weights.f16,
    bindings: {
      weights: 'read',
      x: 'read',
      y: 'write',
      rows: 'read',
      ...(input === 'plain' && output.kind !== 'qkv' ? {} : { aux: 'read' as const }),
      ...(output.kind === 'qkv' ? { rope: 'read' as const, kv: 'write' as const } : {}),
    },
    constants: {
      ...rowsConstants(shape),
      GROUPS: matrix.groups,
      SCALES: scalesAt(matrix.format, matrix.groups, part.rows),
      ROWS_OUT: part.rows,
      ROW_OFFSET: part.offset,
      LANES: options.lanes,
      TILE: options.tile,
      Y_STRIDE: output.stride,
      Y_WIDTH: matrix.rows,
      ...(input === 'plain' ? {} : { WIDTH: input.width, EPS: float(input.eps), GAMMA: input.gamma / 4 }),
      ...(output.kind === 'qkv'
        ? {
            HEADS: output.heads,
            KV_HEADS: output.kvHeads,
            HEAD_DIM: output.headDim,
            ROTARY: output.rotary,
            BIAS: output.bias ?? 0xffffffff,
          }
        : {}),
    },
  }
}

/** Workgroups of a matmul over up to `rows` rows; past 65,535 they fold into z. */
export function matmulGroups(part: MatrixPart, rows: number, tile: number, lanes: number): [number, number, number] {
  const wide = Math.ceil(part.rows / (64 / lanes))
  const folds = Math.ceil(wide / 65535)
  return [Math.ceil(wide / folds), Math.ceil(rows / tile), folds]
}
