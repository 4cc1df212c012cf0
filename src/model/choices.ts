// Which variant of a kernel serves which matrix: what is known of the adapter decides, until the tuner has measured.
import type { AdapterInfo } from '../api/types.ts'
import type { Shape } from '../kernels/matmul.ts'
import { type Matrix, scaled } from '../kernels/matrix.ts'
import { soloShape } from '../kernels/solo.ts'

/** How a matrix is multiplied where rows are few. `dot8` rounds activations to 8 bits; `solo` is for CPU adapters. */
export interface Choice extends Shape {
  kernel: 'matmul' | 'dot8' | 'solo'
}

/**
 * How a matrix is multiplied where rows are many: as for few, in tiles, or in tiles of activations rounded to 8 bits, square or wide ones. Tiles of
 * subgroup matrices will be one more, once browsers ship them.
 */
export const prefillChoices = ['matmul', 'gemm', 'gemm8', 'gemm8 wide'] as const
export type PrefillChoice = (typeof prefillChoices)[number]

export interface Choices {
  /** Few rows: decode. */
  decode(matrix: Matrix): Choice
  /** Prompts. */
  prefill(matrix: Matrix): PrefillChoice
  /** Norms behind a layer's kernels are applied by the next kernel (5 dispatches a layer) or by kernels of their own (7). */
  fused: boolean
}

/** What matrices of one shape share. */
export const shapeKey = ({ format, group, centred, super: whole, rows, columns }: Matrix): string =>
  `${format}${group === 32 ? '' : `/${group}`}${whole ? '*' : centred ? '+' : ''} ${rows}x${columns}`

/** A choice as one word, and back: what the tuner keeps. */
export const choiceId = ({ kernel, threads, lanes, stripes, subgroups }: Choice): string =>
  [kernel, threads, lanes, stripes, ...(subgroups ? ['subgroups'] : [])].join(':')

export function parseChoice(id: string): Choice | undefined {
  const [kernel, ...numbers] = id.split(':')
  const [threads, lanes, stripes] = numbers.map(Number)
  if ((kernel !== 'matmul' && kernel !== 'dot8') || !threads || !lanes || !stripes) return undefined
  return { kernel, threads, lanes, stripes, ...(numbers[3] === 'subgroups' && { subgroups: true }) }
}

/** Codes that DP4A multiplies: a scale serves whole groups of 32. */
const rounds = ({ format, group, order }: Matrix, rounding: boolean): boolean => rounding && scaled(format) && group >= 32 && !order

/** Codes whose scales and centres eight rows have side by side, one for whole groups of 32. */
const alone = ({ format, group, super: whole }: Matrix): boolean => scaled(format) && group >= 32 && !whole

/** More lanes than groups would idle. */
const within = (lanes: number, matrix: Matrix): number => Math.min(lanes, 2 ** Math.floor(Math.log2(matrix.groups)))

/** On CPU adapters, where threads must share. */
export const together: Choice = { kernel: 'matmul', threads: 64, lanes: 1, stripes: 1 }

/** Before anything is measured. CPU adapters keep these: barriers and many lanes cost them, integer dot products pay. */
export function untuned(matrix: Matrix, info: Pick<AdapterInfo, 'software'>, rounding: boolean): Choice {
  if (info.software) {
    if (rounds(matrix, rounding)) return { kernel: 'dot8', threads: 64, lanes: 1, stripes: 2 }
    return alone(matrix) ? { kernel: 'solo', ...soloShape } : together
  }
  const lanes = within(matrix.rows <= 4096 ? 16 : 8, matrix)
  return { kernel: 'matmul', threads: Math.max(64, lanes * 8), lanes, stripes: 1 }
}

/** Every variant worth measuring for a matrix; `subgroups`: there are some, and its input is normed. */
export function candidates(matrix: Matrix, rounding: boolean, subgroups: boolean): Choice[] {
  const list: Choice[] = []
  for (const kernel of rounds(matrix, rounding) ? (['matmul', 'dot8'] as const) : (['matmul'] as const)) {
    for (const [lanes, stripes] of [
      [4, 1],
      [8, 1],
      [8, 2],
      [16, 1],
    ] as const) {
      const own = within(lanes, matrix)
      const choice = { kernel, threads: Math.max(64, own * 8), lanes: own, stripes }
      list.push(choice)
      if (subgroups && kernel === 'matmul' && lanes >= 8 && stripes === 1) list.push({ ...choice, subgroups })
    }
  }
  return list.filter((choice, index) => list.findIndex((other) => choiceId(other) === choiceId(choice)) === index)
}

/** Every variant worth measuring for prompts. */
export const prefillCandidates = (matrix: Matrix, rounding: boolean): PrefillChoice[] =>
  rounds(matrix, rounding) ? ['gemm', 'gemm8', 'gemm8 wide'] : ['gemm']

/** What prompts of one shape share. */
export const promptKey = (matrix: Matrix): string => `prompt ${shapeKey(matrix)}`

/** Tiles pay on GPUs; on CPU adapters only with rounding, and a small model would wait a second for each of them to compile. */
export function untunedPrefill(matrix: Matrix, info: Pick<AdapterInfo, 'software'>, rounding: boolean): PrefillChoice {
  if (!info.software) return 'gemm'
  return rounds(matrix, rounding) ? 'gemm8' : 'matmul'
}
