// Our packed form, as the loader reads it: codes, f16 scales and, where centred, f16 centres, each [rows, …] with rows padded to whole groups.
import { packedFiles } from '../kernels/packed.ts'
import type { Blocks, ByteRange, TensorEntry, Window } from './tensor.ts'

export interface PackedOptions {
  bits: 4 | 8
  group: 16 | 32 | 64 | 128
  centred: boolean
}

/** `entry` holds the codes; parts: `scales` and, where centred, `centres`. Shape: [rows, columns]. */
export function packedBlocks({ bits, group, centred }: PackedOptions): Blocks {
  return {
    name: `packed q${bits}${centred ? ' centred' : ''} ${group}`,
    coding: { format: bits === 4 ? 'q4' : 'q8', group, centred },
    files: packedFiles,
    ranges(entry, window) {
      const groups = Math.ceil(entry.shape[1]! / group)
      const codes = rowsOf(entry, window, (groups * group * bits) / 8)
      const others = centred ? ['scales', 'centres'] : ['scales']
      return [codes, ...others.map((name) => rowsOf(entry.parts![name]!, window, groups * 2))]
    },
    constants: () => ({ SOURCE_GROUP: group, BITS: bits, HAS_CENTRES: centred ? 1 : 0 }),
  }
}

/** The rows of a window where each takes so many bytes. */
export const rowsOf = (part: TensorEntry, window: Pick<Window, 'row' | 'rows'>, rowBytes: number): ByteRange => ({
  file: part.file,
  start: part.start + window.row * rowBytes,
  end: part.start + (window.row + window.rows) * rowBytes,
})
