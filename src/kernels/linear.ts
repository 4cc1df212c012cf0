// What every kernel that multiplies by weights has in common: what goes before (RMSNorm), what comes after (add, SwiGLU, bias + RoPE + KV write),
// and over which rows.
import type { KvFormat } from '../api/types.ts'
import type { Kernel } from '../gpu/pipeline.ts'
import { float } from '../gpu/shader.ts'
import { files, loops, type ShaderName } from './files.ts'
import { type Matrix, type MatrixPart, reader } from './matrix.ts'
import { type RowsShape, rowsConstants } from './rows.ts'

export interface Norm {
  /** Real width of x. */
  width: number
  eps: number
  /** Offset of gamma in aux, in f32; a multiple of 4. */
  gamma: number
  /** Where x is a sum that nobody has made yet: h + postGamma * raw / rms(raw). */
  sandwich?: {
    postGamma: number
    /** Offset of the raw rows behind those of h, in f32. */
    raw: number
    /** Writes the sum to `next`. */
    keep: boolean
  }
}

/** What a kernel reads: rows as they stand, rows that pack8 has rounded, or rows still to be normed. */
export type Input = 'plain' | 'packed' | Norm

export type { KvFormat }

export type Output =
  | { kind: 'store' | 'add'; stride: number; offset?: number }
  | { kind: 'swiglu'; stride: number }
  | {
      kind: 'qkv'
      stride: number
      heads: number
      kvHeads: number
      headDim: number
      rotary: number
      bias?: number
      kv: KvFormat
      /** Pages of the pool. */
      pages: number
    }

export interface LinearOptions {
  matrix: Matrix
  part: MatrixPart
  input: Input
  rows: 'all' | 'logits'
  output: Output
  shape: RowsShape
  f16: boolean
  /** Keeps loops as loops: for CPU adapters, whose compilers choke on unrolled ones. */
  rolled: boolean
}

/** Offset of the scales behind the codes of a q8 pool, in u32. */
export const kvScales = (pages: number, kvHeads: number, headDim: number): number => pages * 2 * kvHeads * 64 * (headDim / 4)

/** The kernel `name` over these options; it adds constants of its own (rows of a tile, threads, outputs of a workgroup). */
export function linear(
  name: 'matmul' | 'solo' | 'dot8' | 'gemm' | 'gemm8',
  options: LinearOptions & { subgroups?: boolean },
  own: Record<string, number>,
): Kernel {
  const { matrix, part, input, output, shape } = options
  const subgroups = name === 'matmul' && options.subgroups === true && typeof input === 'object'
  const weights = reader(matrix, part, options.f16)
  return {
    name: `${name} ${matrix.name}`,
    files: files(
      name,
      loops(options.rolled),
      ...ownFiles(name, options.rolled, subgroups),
      ...weights.files,
      ...inputFiles(input, name === 'solo'),
      'rows',
      `rows/${options.rows}`,
      ...outputFiles(output, name === 'solo'),
    ),
    f16: weights.f16,
    subgroups,
    bindings: {
      weights: 'read',
      x: 'read',
      y: 'write',
      rows: 'read',
      ...inputBindings(input),
      ...(output.kind === 'qkv' ? { aux: 'read', rope: 'read', kv: 'write' } : {}),
    },
    constants: {
      ...rowsConstants(shape),
      ...weights.constants,
      Y_STRIDE: output.stride,
      Y_WIDTH: matrix.rows,
      ...own,
      ...inputConstants(input),
      ...outputConstants(output),
    },
  }
}

/** How few rows are summed: lanes, products, and squares for a norm. */
function ownFiles(name: string, rolled: boolean, subgroups: boolean): ShaderName[] {
  if (name === 'dot8') return ['lanes', 'squares/parts']
  if (name !== 'matmul') return []
  const squares: ShaderName[] = subgroups ? ['squares/subgroups'] : ['squares/shared', 'squares/parts']
  return ['lanes', ...squares, rolled ? 'dot/rolled' : 'dot/unrolled']
}

/** `alone`: threads share nothing. */
export function inputFiles(input: Input, alone = false): ShaderName[] {
  if (input === 'plain') return ['input/plain', 'input/drop']
  if (input === 'packed') return ['input/packed']
  if (!input.sandwich) return ['input/norm', 'input/drop']
  return ['input/sandwich', alone ? 'input/raw/alone' : 'input/raw/shared', input.sandwich.keep ? 'input/keep' : 'input/drop']
}

/** Bindings beside x. */
export function inputBindings(input: Input): Kernel['bindings'] {
  if (typeof input === 'string') return {}
  return { aux: 'read', ...(input.sandwich?.keep ? { next: 'write' } : {}) }
}

export function inputConstants(input: Input): Record<string, number | string> {
  if (typeof input === 'string') return {}
  const { width, eps, gamma, sandwich } = input
  return {
    WIDTH: width,
    EPS: float(eps),
    GAMMA: gamma / 4,
    ...(sandwich ? { POST_GAMMA: sandwich.postGamma / 4, RAW: sandwich.raw / 4 } : {}),
  }
}

function outputFiles(output: Output, alone: boolean): ShaderName[] {
  const pairs: ShaderName[] = alone ? [] : ['output/pairs']
  if (output.kind !== 'qkv') return [...pairs, `output/${output.kind}`]
  if (output.kv === 'q8') return ['output/rotate', 'output/qkv_q8']
  return [...pairs, 'output/rotate', 'output/qkv', `kv/${output.kv}_write`]
}

function outputConstants(output: Output): Record<string, number> {
  if (output.kind === 'swiglu') return {}
  if (output.kind !== 'qkv') return { Y_OFFSET: output.offset ?? 0 }
  const { heads, kvHeads, headDim, rotary, bias, kv, pages } = output
  return {
    HEADS: heads,
    KV_HEADS: kvHeads,
    HEAD_DIM: headDim,
    ROTARY: rotary,
    BIAS: bias ?? 0xffffffff,
    ...(kv === 'q8' ? { KV_SCALES: kvScales(pages, kvHeads, headDim) } : {}),
  }
}

/** Workgroups over a part's rows, `out` each, and over rows of x by tiles; past 65,535 they fold into z. */
export function linearGroups(part: MatrixPart, rows: number, tile: number, out: number): [number, number, number] {
  const wide = Math.ceil(part.rows / out)
  const folds = Math.ceil(wide / 65535)
  return [Math.ceil(wide / folds), Math.ceil(rows / tile), folds]
}
