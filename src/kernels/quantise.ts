// From a file's dtype to the GPU's formats, made there while loading: values coded anew.
import type { Kernel } from '../gpu/pipeline.ts'
import type { ShaderFile } from '../gpu/shader.ts'
import { type LoadingName, loadingFiles } from './loading_files.ts'
import { type Coding, centresAt, scalesAt } from './matrix.ts'

export type SourceType = 'F32' | 'F16' | 'BF16'
export const sourceBytes: Record<SourceType, number> = { F32: 4, F16: 2, BF16: 2 }

/** Values that are no plain numbers: WGSL that defines read_value, and constants of its own. */
export interface ValuesSource {
  name: string
  files: readonly ShaderFile[]
  constants: Record<string, number>
}

export const quantiseBindings: Kernel['bindings'] = { y: 'write', aux: 'read', source: 'read', status: 'write' }

/** Fits every shape: the shape is in `windowParameters`. */
export function quantise(from: SourceType | ValuesSource, to: Coding): Kernel {
  const own = typeof from === 'string' ? { name: from, files: plainFiles(from), constants: {} } : from
  const names: LoadingName[] = ['window', 'bytes', 'quantise', `quantise/to_${to.format}`]
  if (to.format !== 'f32') names.push('half')
  if (to.format === 'q4' || to.format === 'q8') names.push('codes')
  return {
    name: `quantise ${own.name} ${to.format}`,
    files: [...loadingFiles(...names), ...own.files],
    bindings: quantiseBindings,
    constants: { SCALE_GROUP: to.group, ...own.constants },
  }
}

const plainFiles = (from: SourceType) => loadingFiles(`quantise/from_${from.toLowerCase()}` as LoadingName)

/** A window in staging, and where its rows go. */
export interface WindowChunk {
  /** Rows to write, the first of them within the window. */
  rows: number
  first: number
  /** Row i goes to row `destination + i * step` of the part. */
  destination: number
  step: number
  /** Where NaN is told. */
  tensor: number
  window: { row: number; rows: number; group: number; groups: number }
  /** Where each part of the window begins in staging, in bytes. */
  parts: readonly number[]
}

/** Parts a window may have. */
export const windowParts = 6

/** What stands in aux for one chunk that goes to a part of `partRows` rows: window.wgsl. */
export function windowParameters(chunk: WindowChunk, to: Coding, columns: number, partRows: number): Uint32Array<ArrayBuffer> {
  const groups = Math.ceil(columns / 32)
  const { row, rows, group, groups: wide } = chunk.window
  const words = new Uint32Array(14 + windowParts)
  words.set([chunk.rows, chunk.destination, chunk.step, chunk.tensor, columns])
  words.set([scalesAt(to, groups, partRows) * 4, 0, centresAt(to, groups, partRows) * 4, group, wide, row, rows, chunk.first], 5)
  words.set(chunk.parts, 14)
  return words
}

/** A thread for 32 values of a row; where one takes more, the others find nothing to do. */
export function windowGroups({ rows, window }: WindowChunk): [number, number, number] {
  const wanted = Math.ceil((rows * window.groups) / 64)
  const x = Math.min(wanted, 65535)
  return [x, Math.ceil(wanted / x), 1]
}

/** A chunk of whole rows of plain numbers. */
export const plainChunk = (chunk: Pick<WindowChunk, 'rows' | 'destination' | 'step' | 'tensor'>, columns: number): WindowChunk => ({
  ...chunk,
  first: 0,
  window: { row: 0, rows: chunk.rows, group: 0, groups: Math.ceil(columns / 32) },
  parts: [0],
})
