// A matrix on the GPU → rows as files have them: eight rows that stand interleaved are taken apart on the host, a bounded stretch at a time.
import { readBack } from '../gpu/buffers.ts'
import { centresAt, type Matrix, type MatrixPart, scaled, scaleGroups, scalesAt } from '../kernels/matrix.ts'
import { codeWords } from './packed.ts'

/** Rows `from`.. of a tensor are rows `offset + i * step` of the matrix. */
export interface Lay {
  offset: number
  step: number
}

/** Bytes that are read back at once. */
const stretchBytes = 2 * 2 ** 20

/** 16-byte vectors that 32 values of a row take. */
const vectors = { f32: 8, q8: 2, q4: 1 }

/** What is read of a matrix: words of codes (or of f32) with what pads a row, or f16 scales or centres. */
export type Field = 'codes' | 'scales' | 'centres'

/** Rows that stand in one part of a matrix, told to `onRows` in their order; bytes are only good until it returns. */
export async function unlay(
  device: GPUDevice,
  matrix: Matrix,
  { offset, step }: Lay,
  first: number,
  rows: number,
  field: Field,
  onRows: (bytes: Uint8Array<ArrayBuffer>) => Promise<void> | void,
): Promise<void> {
  for (const part of matrix.parts) {
    const from = Math.max(first, Math.ceil((part.offset - offset) / step))
    const to = Math.min(first + rows, Math.ceil((part.offset + part.rows - offset) / step))
    const most = Math.max(1, Math.floor((stretchBytes / blockBytes(matrix, field) / step) * 8) - 8)
    for (let row = from; row < to; row += most) {
      const count = Math.min(most, to - row)
      const start = offset + row * step - part.offset
      await onRows(await readRows(device, matrix, part, start, step, count, field))
    }
  }
}

/** Bytes of eight rows of a field on the GPU. */
const blockBytes = (matrix: Matrix, field: Field): number =>
  field === 'codes' ? matrix.groups * wide(matrix) * 128 : scaleGroups(matrix, matrix.groups) * 16

const wide = ({ format }: Matrix): number => vectors[format as keyof typeof vectors]

async function readRows(
  device: GPUDevice,
  matrix: Matrix,
  part: MatrixPart,
  start: number,
  step: number,
  count: number,
  field: Field,
): Promise<Uint8Array<ArrayBuffer>> {
  const block = blockBytes(matrix, field)
  const begin = start >> 3
  const blocks = ((start + (count - 1) * step) >> 3) + 1 - begin
  const at = { codes: 0, scales: scalesAt(matrix, matrix.groups, part.rows), centres: centresAt(matrix, matrix.groups, part.rows) }[field]
  const read = await readBack(device, part.buffer, at * 16 + begin * block, blocks * block)
  return field === 'codes' ? codeRows(matrix, read, start & 7, step, count) : spanRows(matrix, read, start & 7, step, count)
}

/** Vectors of four words: [block][group, vector][8 rows]. */
function codeRows(matrix: Matrix, read: ArrayBuffer, start: number, step: number, count: number): Uint8Array<ArrayBuffer> {
  const from = new Int32Array(read)
  const across = matrix.groups * wide(matrix)
  const words = scaled(matrix.format) ? codeWords(matrix.columns, matrix) : across * 4
  const whole = Math.min(across, words / 4)
  const to = new Int32Array(count * words)
  // Codes of 0 fill the last scale.
  if (whole * 4 < words && matrix.format === 'q4') to.fill(0x88888888 | 0)
  for (let index = 0; index < count; index++) {
    const row = start + index * step
    let source = ((row >> 3) * across * 8 + (row & 7)) * 4
    let place = index * words
    for (let vector = 0; vector < whole; vector++) {
      to[place] = from[source]!
      to[place + 1] = from[source + 1]!
      to[place + 2] = from[source + 2]!
      to[place + 3] = from[source + 3]!
      place += 4
      source += 32
    }
  }
  return new Uint8Array(to.buffer)
}

/** f16: [block][scale][8 rows]. */
function spanRows(matrix: Matrix, read: ArrayBuffer, start: number, step: number, count: number): Uint8Array<ArrayBuffer> {
  const from = new Uint16Array(read)
  const across = scaleGroups(matrix, matrix.groups)
  const own = Math.ceil(matrix.columns / matrix.group)
  const to = new Uint16Array(count * own)
  for (let index = 0; index < count; index++) {
    const row = start + index * step
    const source = (row >> 3) * across * 8 + (row & 7)
    for (let span = 0; span < own; span++) to[index * own + span] = from[source + span * 8]!
  }
  return new Uint8Array(to.buffer)
}
