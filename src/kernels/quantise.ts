// From a file's dtype to the GPU's formats, made there while loading.
import type { Kernel } from '../gpu/pipeline.ts'
import { files, type ShaderName } from './files.ts'
import { type Format, scalesAt } from './matrix.ts'

export type SourceType = 'F32' | 'F16' | 'BF16'
export const sourceBytes: Record<SourceType, number> = { F32: 4, F16: 2, BF16: 2 }

/** Fits every shape: the shape is in `quantiseParameters`. */
export function quantise(from: SourceType, to: Format): Kernel {
  const names: ShaderName[] = ['quantise', `quantise/from_${from.toLowerCase()}` as ShaderName, `quantise/to_${to}`]
  if (to !== 'f32') names.push('half')
  return {
    name: `quantise ${from} ${to}`,
    files: files(...names),
    bindings: { y: 'write', aux: 'read', source: 'read', status: 'write' },
    constants: {},
  }
}

export interface QuantiseChunk {
  rows: number
  /** Source row i goes to row `destination + i * step` of the part. */
  destination: number
  step: number
  /** Where NaN is told. */
  tensor: number
}

/** What stands in aux for one chunk of rows of a part of `partRows` rows. */
export function quantiseParameters(chunk: QuantiseChunk, to: Format, columns: number, partRows: number): Uint32Array<ArrayBuffer> {
  const scales = scalesAt(to, Math.ceil(columns / 32), partRows) * 4
  return Uint32Array.of(chunk.rows, chunk.destination, chunk.step, chunk.tensor, columns, scales, 0, 0)
}

export function quantiseGroups(rows: number, columns: number): [number, number, number] {
  const wanted = Math.ceil((rows * Math.ceil(columns / 32)) / 64)
  const x = Math.min(wanted, 65535)
  return [x, Math.ceil(wanted / x), 1]
}
