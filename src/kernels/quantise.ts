// From a file's dtype to the GPU's formats, made there while loading.
import type { Kernel } from '../gpu/pipeline.ts'
import { files, type ShaderName } from './files.ts'
import { type Format, scalesAt } from './matrix.ts'

export type SourceType = 'F32' | 'F16' | 'BF16'
export const sourceBytes: Record<SourceType, number> = { F32: 4, F16: 2, BF16: 2 }

/** One chunk of rows; aux is [rows, destination row, destination step, tensor number]. */
export function quantise(from: SourceType, to: Format, columns: number, partRows: number): Kernel {
  const groups = Math.ceil(columns / 32)
  const names: ShaderName[] = ['quantise', `quantise/from_${from.toLowerCase()}` as ShaderName, `quantise/to_${to}`]
  if (to !== 'f32') names.push('half')
  return {
    name: `quantise ${from} ${to}`,
    files: files(...names),
    bindings: { y: 'write', aux: 'read', source: 'read', status: 'write' },
    constants: { WIDTH: columns, GROUPS: groups, SCALES: scalesAt(to, groups, partRows) * 4 },
  }
}

export function quantiseGroups(rows: number, columns: number): [number, number, number] {
  const wanted = Math.ceil((rows * Math.ceil(columns / 32)) / 64)
  const x = Math.min(wanted, 65535)
  return [x, Math.ceil(wanted / x), 1]
}
