// Log-mel spectrograms: STFT and filter bank of one frame per workgroup, with what each frame's values come to. Few pages hear: not among files.ts.
import rolled from '../../shaders/loops/rolled.wgsl?raw'
import source from '../../shaders/mel.wgsl?raw'
import type { Kernel } from '../gpu/pipeline.ts'
import type { ShaderFile } from '../gpu/shader.ts'

/** Clips of one length that are prepared together. */
export interface MelShape {
  /** Frames and samples of a clip, its mirrored ends not counted. */
  span: number
  length: number
  /** Samples there are; those behind are zeros. */
  count: number
  /** log10 of what was heard before; -10, the lowest value there is, for nothing. */
  heard: number
}

/** The rows of all three kernels: frames, first frame, 0 (as shaders/loops wants), span, length, count, heard, 0. */
export function melRows(shape: MelShape, first: number, frames: number): Uint32Array<ArrayBuffer> {
  const rows = Uint32Array.of(frames, first, 0, shape.span, shape.length, shape.count, 0, 0)
  new Float32Array(rows.buffer)[6] = shape.heard
  return rows
}

/** Where aux has the window, the roots of 16 and 25 and the filters, in words. */
export interface MelTables {
  window: number
  roots16: number
  roots25: number
  filters: number
}

/** Trip counts stay hidden everywhere: a sound is heard in milliseconds, and CPU adapters would compile for seconds. */
export const hidden: ShaderFile = { name: 'loops/rolled.wgsl', source: rolled }

/** y [clips, mels, span] and the partials `status` of frames `first`… of all clips. Workgroups: [frames]. */
export function mel(mels: number, tables: MelTables): Kernel {
  return {
    name: `mel ${mels}`,
    files: [{ name: 'mel.wgsl', source }, hidden],
    bindings: { x: 'read', y: 'write', aux: 'read', rows: 'read', status: 'write' },
    constants: { MELS: mels, HANN: tables.window, ROOTS16: tables.roots16, ROOTS25: tables.roots25, FILTERS: tables.filters },
  }
}
