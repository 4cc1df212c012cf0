// One tensor of a model: where its bytes lie, and how they become values.
import type { Kernel } from '../gpu/pipeline.ts'
import type { ShaderFile } from '../gpu/shader.ts'
import type { Coding } from '../kernels/matrix.ts'

export interface ByteRange {
  file: string
  /** Absolute bytes, end excluded. */
  start: number
  end: number
}

export interface TensorEntry extends ByteRange {
  name: string
  /** As in the file: `F32`, `F16`, `BF16`, `I32`, …, `Q4_K`, … */
  dtype: string
  /** Row-major, outermost dimension first. */
  shape: number[]
  /** How codes are read; absent for plain numbers. */
  blocks?: Blocks
  /** Where a tensor is stored as several (codes, scales, zeros, order): the others. */
  parts?: Readonly<Record<string, TensorEntry>>
  /** Rows that a window does not cross: the tensor stands in several stretches. Ascending, without 0 and the end. */
  cuts?: readonly number[]
  /** Column k of what blocks read is input order[k]. */
  order?: Uint32Array<ArrayBuffer>
}

/** A cut of a matrix: rows, and columns in groups of 32. */
export interface Window {
  row: number
  rows: number
  group: number
  groups: number
}

/** A type whose values are codes: how its bytes are cut and read on the GPU. */
export interface Blocks {
  /** `Q4_K`, `gptq`, … */
  name: string
  /** What holds it without loss. */
  coding: Coding
  /** WGSL that defines block_code and block_span (shaders/README.md). */
  files: readonly ShaderFile[]
  /** A window is so many groups of 32 wide, or a multiple; absent: rows stand one behind the other, and a window holds them whole. */
  step?: number
  /** The bytes of a window, in the order in which the shader expects them: each part begins at a multiple of 16 bytes. */
  ranges(entry: TensorEntry, window: Window): ByteRange[]
  /** u32 that the shader reads behind its window, such as the group of a scale. */
  constants?(entry: TensorEntry): Record<string, number>
}

export interface Checkpoint {
  tensors: Map<string, TensorEntry>
  /** Bytes of all weight files together: what there is to download. */
  bytes: number
  /** Whether values are kept as the file has them unless another format is asked for; else they become q4. */
  quantised?: boolean
  /** The kernel that brings codes into a coding (kernels/repack.ts); there where a tensor has blocks. */
  convert?(entry: TensorEntry, to: Coding): Kernel
  /** The kernel that brings inputs into a tensor's own order (kernels/gather.ts); there where a tensor has one. */
  gather?(columns: number): Kernel
}
