// From a file's codes to the GPU's: as they are where the format holds them (nothing rounded but scales and centres to f16), else coded anew.
import fromBlocks from '../../shaders/quantise/from_blocks.wgsl?raw'
import fromSorted from '../../shaders/quantise/from_sorted.wgsl?raw'
import spans from '../../shaders/repack/spans.wgsl?raw'
import supers from '../../shaders/repack/supers.wgsl?raw'
import toQ4 from '../../shaders/repack/to_q4.wgsl?raw'
import toQ8 from '../../shaders/repack/to_q8.wgsl?raw'
import main from '../../shaders/repack.wgsl?raw'
import type { Kernel } from '../gpu/pipeline.ts'
import type { ShaderFile } from '../gpu/shader.ts'
import { loadingFiles } from './loading_files.ts'
import { type Coding, holds } from './matrix.ts'
import { quantise, quantiseBindings } from './quantise.ts'

/** Codes of a file, as WGSL that defines block_code and block_span. */
export interface CodesSource {
  name: string
  files: readonly ShaderFile[]
  constants: Record<string, number>
  coding: Coding
  /** Columns stand sorted; values coded anew go back to their places. */
  sorted: boolean
}

const own = (name: string, source: string): ShaderFile => ({ name: `${name}.wgsl`, source })

/** Fits every shape (`windowParameters`). */
export function repack(from: CodesSource, to: Coding): Kernel {
  const { name, constants } = from
  if (!holds(to, from.coding)) {
    const values = from.sorted ? own('quantise/from_sorted', fromSorted) : own('quantise/from_blocks', fromBlocks)
    return quantise({ name, constants, files: [...from.files, values] }, to)
  }
  return {
    name: `repack ${name} ${to.format}${to.super ? ' super' : ''}`,
    files: [
      ...loadingFiles('window', 'bytes', 'codes', 'half'),
      own('repack', main),
      to.super ? own('repack/supers', supers) : own('repack/spans', spans),
      own(`repack/to_${to.format}`, to.format === 'q4' ? toQ4 : toQ8),
      ...from.files,
    ],
    bindings: quantiseBindings,
    constants: { SCALE_GROUP: to.group, CENTRED: to.centred ? 1 : 0, ...constants },
  }
}
