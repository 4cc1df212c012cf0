// A matrix on the GPU: its format, its padded shape, and the parts it is split into where it is larger than one binding.
import type { ShaderName } from './files.ts'

export type Format = 'f32' | 'f16' | 'q8' | 'q4'

/** How values are kept. value = code * scale + centre, with an f16 scale and, where `centred`, an f16 centre for `group` columns of a row. */
export interface Coding {
  format: Format
  /** Dense formats have none and say 32. */
  group: 16 | 32 | 64 | 128
  centred: boolean
  /**
   * Scales and minima are whole numbers times two f16 of 256 values, as GGUF's K types have them: value = code * scale - minimum. Nothing is rounded,
   * and less is read than with f16 for each.
   */
  super?: boolean
}

/** The coding that a format means where nothing else is said. */
export const plain = (format: Format): Coding => ({ format, group: 32, centred: false })

/** 16-byte vectors that 32 weights of one row take, without scales. */
const vectors: Record<Format, number> = { f32: 8, f16: 4, q8: 2, q4: 1 }

export interface MatrixPart {
  buffer: GPUBuffer
  /** First row of the whole matrix that stands here, and how many do. */
  offset: number
  rows: number
}

/** W: [rows, columns], eight rows interleaved, columns padded to groups of 32 with zeros. */
export interface Matrix extends Coding {
  name: string
  rows: number
  columns: number
  /** Groups of 32 along the columns. */
  groups: number
  parts: MatrixPart[]
  /** Column k stands for input order[k], u32. */
  order?: GPUBuffer
}

export const scaled = (format: Format): boolean => format === 'q4' || format === 'q8'

/** Scales along a row, and as many centres. */
export const scaleGroups = ({ format, group }: Coding, groups: number): number => (scaled(format) ? Math.ceil((groups * 32) / group) : 0)

/** Vectors behind the scales of a block of eight rows: centres, or the two f16 of 256 values. */
const behind = (coding: Coding, groups: number): number =>
  coding.super ? superGroups(groups) * 2 : coding.centred ? scaleGroups(coding, groups) : 0

export const superGroups = (groups: number): number => Math.ceil(groups / 8)

/** Bytes of one block of eight rows. */
const blockBytes = (coding: Coding, groups: number): number =>
  (groups * vectors[coding.format] * 8 + scaleGroups(coding, groups) + behind(coding, groups)) * 16

/** Offset of the scales of a part, in vec4<u32>. */
export const scalesAt = ({ format }: Coding, groups: number, rows: number): number => Math.ceil(rows / 8) * groups * vectors[format] * 8

/** Offset of what stands behind the scales of a part: its centres. */
export const centresAt = (coding: Coding, groups: number, rows: number): number =>
  scalesAt(coding, groups, rows) + Math.ceil(rows / 8) * scaleGroups(coding, groups)

/** Rows of each part of a matrix, in multiples of eight, so that none is larger than one binding. */
export function splitRows(
  coding: Coding,
  rows: number,
  columns: number,
  bindingLimit: number,
): { offset: number; rows: number; bytes: number }[] {
  const bytes = blockBytes(coding, Math.ceil(columns / 32))
  const most = Math.floor(bindingLimit / bytes) * 8
  const parts = []
  for (let offset = 0; offset < rows && most > 0; offset += most) {
    const own = Math.min(most, rows - offset)
    parts.push({ offset, rows: own, bytes: Math.ceil(own / 8) * bytes })
  }
  return parts
}

/** The WGSL files that read a part of a matrix, their constants, and whether they need `enable f16`. */
export function reader(
  matrix: Matrix,
  part: MatrixPart,
  f16: boolean,
): { files: ShaderName[]; f16: boolean; constants: Record<string, number> } {
  const { format, group, centred, groups } = matrix
  const constants = { GROUPS: groups, ROWS_OUT: part.rows, ROW_OFFSET: part.offset }
  if (!scaled(format)) {
    const native = format === 'f16' && f16
    return { files: ['weights/eight', format === 'f32' || native ? 'weights/dense' : 'weights/half'], f16: native, constants }
  }
  const files: ShaderName[] = [
    'weights/eight',
    'weights/coded',
    `weights/${format as 'q4' | 'q8'}`,
    group === 16 ? 'weights/span/halves' : 'weights/span/whole',
    matrix.super ? 'weights/centre/super' : centred ? 'weights/centre/own' : 'weights/centre/none',
  ]
  const scales = { SCALES: scalesAt(matrix, groups, part.rows), SCALE_GROUPS: scaleGroups(matrix, groups) }
  return {
    files,
    f16: false,
    constants: {
      ...constants,
      ...scales,
      ...(group === 16 ? {} : { PER_SCALE: group / 32 }),
      ...(matrix.super ? { SUPERS: superGroups(groups), PER_SUPER: 256 / group } : {}),
      ...(centred || matrix.super ? { CENTRES: centresAt(matrix, groups, part.rows) } : {}),
    },
  }
}

/** Whether codes of `from` stand in `to` as they are. */
export const holds = (to: Coding, from: Coding): boolean =>
  scaled(to.format) &&
  scaled(from.format) &&
  bits[to.format] >= bits[from.format] &&
  to.group <= from.group &&
  (to.super ? from.super === true : to.centred || !from.centred)

/** The narrowest coding that loses nothing of either. */
export function widest(one: Coding, other: Coding): Coding {
  const format = bits[one.format] >= bits[other.format] ? one.format : other.format
  if (!scaled(format)) return plain(format)
  const both = one.super && other.super
  return {
    format,
    group: Math.min(one.group, other.group) as Coding['group'],
    centred: one.centred || other.centred,
    ...(both ? { super: true } : {}),
  }
}

const bits: Record<Format, number> = { f32: 32, f16: 16, q8: 8, q4: 4 }
