// Types of other people's files whose values are codes: GGUF's blocks, GPTQ, AWQ and compressed-tensors. Shapes of entries are [out, in] for all.
import { type BlockName, blockFiles } from '../kernels/blocks.ts'
import type { Coding } from '../kernels/matrix.ts'
import { rowsOf } from './packed_blocks.ts'
import type { Blocks, ByteRange, TensorEntry, Window } from './tensor.ts'

interface GgufBlock {
  /** Values and bytes of a block. */
  values: number
  bytes: number
  coding: Coding
  files: BlockName[]
}

const q4: Coding = { format: 'q4', group: 32, centred: false }
const q8: Coding = { format: 'q8', group: 32, centred: false }

const ggufTypes: Record<string, GgufBlock> = {
  Q4_0: { values: 32, bytes: 18, coding: q4, files: ['q4_0'] },
  Q4_1: { values: 32, bytes: 20, coding: { ...q4, centred: true }, files: ['q4_1'] },
  Q5_0: { values: 32, bytes: 22, coding: q8, files: ['q5_0'] },
  Q5_1: { values: 32, bytes: 24, coding: { ...q8, centred: true }, files: ['q5_1'] },
  Q8_0: { values: 32, bytes: 34, coding: q8, files: ['q8_0'] },
  Q4_K: { values: 256, bytes: 144, coding: { ...q4, centred: true, super: true }, files: ['k_scales', 'q4_k'] },
  Q5_K: { values: 256, bytes: 176, coding: { ...q8, centred: true, super: true }, files: ['k_scales', 'q5_k'] },
  Q6_K: { values: 256, bytes: 210, coding: { ...q8, group: 16, super: true }, files: ['q6_k'] },
}

/** By the name of the type; a row is whole blocks. */
export const ggufBlocks: Readonly<Record<string, Blocks>> = Object.fromEntries(
  Object.entries(ggufTypes).map(([name, { values, bytes, coding, files }]): [string, Blocks] => [
    name,
    {
      name,
      coding,
      files: blockFiles(...files),
      ranges: (entry, window) => [rowsOf(entry, window, (entry.shape[1]! / values) * bytes)],
    },
  ]),
)

export interface GptqOptions {
  /** Columns of one scale: a multiple of 32; all columns where a row has one. */
  group: number
  /** All zeros are 8, and are not read. */
  symmetric: boolean
  /** Zeros are stored as they are, not less one. */
  v2?: boolean
}

/** `entry` is qweight; parts: `scales` and, unless symmetric, `qzeros`. With an order its columns stand sorted by group, each group but the last full. */
export function gptqBlocks({ group, symmetric, v2 = false }: GptqOptions): Blocks {
  return {
    name: `gptq${v2 ? ' v2' : ''}${symmetric ? '' : ' centred'} ${group}`,
    coding: { ...q4, group: codingGroup(group), centred: !symmetric },
    files: blockFiles('gptq'),
    step: codingGroup(group) / 32,
    ranges(entry, window) {
      const [rows] = entry.shape as [number, number]
      const codes = columnsOf(entry, entry, window, 8, rows * 4)
      const scales = columnsOf(entry, entry.parts!.scales!, window, group, rows * 2)
      if (symmetric) return [codes, scales]
      return [codes, scales, columnsOf(entry, entry.parts!.qzeros!, window, group, Math.ceil(rows / 8) * 4)]
    },
    constants: ({ order }) => ({ SOURCE_GROUP: group, HAS_ZERO: symmetric ? 0 : 1, ZERO_ADD: v2 ? 0 : 1, HAS_ORDER: order ? 1 : 0 }),
  }
}

/** AWQ as its gemm kernels want it. `entry` is qweight; parts: `scales`, `qzeros`. Rows are a multiple of eight. */
export function awqBlocks({ group }: { group: number }): Blocks {
  return {
    name: `awq ${group}`,
    coding: { ...q4, group: codingGroup(group), centred: true },
    files: blockFiles('awq'),
    step: codingGroup(group) / 32,
    ranges(entry, window) {
      const [rows] = entry.shape as [number, number]
      return [
        columnsOf(entry, entry, window, 1, rows / 2),
        columnsOf(entry, entry.parts!.scales!, window, group, rows * 2),
        columnsOf(entry, entry.parts!.qzeros!, window, group, rows / 2),
      ]
    },
    constants: () => ({ SOURCE_GROUP: group }),
  }
}

export interface CompressedOptions {
  /** Columns of one scale: a multiple of 32; all columns where a row has one. */
  group: number
  /** All zeros are 8, and none are stored. */
  symmetric: boolean
  /** Scales are BF16, else F16. */
  bf16: boolean
}

/** compressed-tensors, pack-quantized. `entry` is weight_packed; parts: `scale` and, unless symmetric, `zero`. With an order as for GPTQ. */
export function compressedBlocks({ group, symmetric, bf16 }: CompressedOptions): Blocks {
  return {
    name: `compressed${bf16 ? ' bf16' : ''}${symmetric ? '' : ' centred'} ${group}`,
    coding: { ...q4, group: codingGroup(group), centred: !symmetric },
    files: blockFiles('compressed'),
    ranges(entry, window) {
      const columns = entry.shape[1]!
      const groups = Math.ceil(columns / group)
      const codes = rowsOf(entry, window, Math.ceil(columns / 8) * 4)
      const scales = rowsOf(entry.parts!.scale!, window, groups * 2)
      if (symmetric) return [codes, scales]
      // Zeros of eight rows share a word.
      const row = Math.floor(window.row / 8)
      const eights = { row, rows: Math.ceil((window.row + window.rows) / 8) - row }
      return [codes, scales, rowsOf(entry.parts!.zero!, eights, groups * 4)]
    },
    constants: ({ order }) => ({
      SOURCE_GROUP: group,
      HAS_ZERO: symmetric ? 0 : 1,
      SCALE_BF16: bf16 ? 1 : 0,
      HAS_ORDER: order ? 1 : 0,
    }),
  }
}

/** The widest group of ours in which a file's groups begin and end. */
const codingGroup = (group: number): 32 | 64 | 128 => ([128, 64] as const).find((own) => group % own === 0) ?? 32

/** A part stored by columns: what holds the columns of a window, `each` of them in `bytes`. */
function columnsOf(entry: TensorEntry, part: TensorEntry, { group, groups }: Window, each: number, bytes: number): ByteRange {
  const first = Math.floor((group * 32) / each)
  const last = Math.ceil(Math.min((group + groups) * 32, entry.shape[1]!) / each)
  return { file: part.file, start: part.start + first * bytes, end: part.start + last * bytes }
}
