// A matrix on the GPU: its format, its padded shape, and the parts it is split into where it is larger than one binding.
import type { ShaderName } from './files.ts'

export type Format = 'f32' | 'f16' | 'q8' | 'q4'

/** 16-byte vectors that 32 weights of one row take, without scales. */
const vectors: Record<Format, number> = { f32: 8, f16: 4, q8: 2, q4: 1 }

export interface MatrixPart {
  buffer: GPUBuffer
  /** First row of the whole matrix that stands here, and how many do. */
  offset: number
  rows: number
}

/** W: [rows, columns], eight rows interleaved, columns padded to groups of 32 with zeros. */
export interface Matrix {
  name: string
  format: Format
  rows: number
  columns: number
  /** Groups of 32 along the columns. */
  groups: number
  parts: MatrixPart[]
}

export const scaled = (format: Format): boolean => format === 'q4' || format === 'q8'

/** Bytes of one block of eight rows. */
const blockBytes = (format: Format, groups: number): number => groups * (vectors[format] * 8 + (scaled(format) ? 1 : 0)) * 16

/** Offset of the scales of a part, in vec4<u32>. */
export const scalesAt = (format: Format, groups: number, rows: number): number => Math.ceil(rows / 8) * groups * vectors[format] * 8

/** Rows of each part of a matrix, in multiples of eight, so that none is larger than one binding. */
export function splitRows(
  format: Format,
  rows: number,
  columns: number,
  bindingLimit: number,
): { offset: number; rows: number; bytes: number }[] {
  const groups = Math.ceil(columns / 32)
  const most = Math.floor(bindingLimit / blockBytes(format, groups)) * 8
  const parts = []
  for (let offset = 0; offset < rows && most > 0; offset += most) {
    const own = Math.min(most, rows - offset)
    parts.push({ offset, rows: own, bytes: Math.ceil(own / 8) * blockBytes(format, groups) })
  }
  return parts
}

/** The WGSL files that read a format, and whether they need `enable f16`. */
export function reader(format: Format, f16: boolean): { files: ShaderName[]; f16: boolean } {
  if (scaled(format)) return { files: ['weights/eight', 'weights/coded', `weights/${format as 'q4' | 'q8'}`], f16: false }
  const native = format === 'f16' && f16
  return { files: ['weights/eight', format === 'f32' || native ? 'weights/dense' : 'weights/half'], f16: native }
}
