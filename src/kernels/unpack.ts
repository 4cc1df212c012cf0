// The first rows of a matrix as the format keeps them, on the host: what a kernel's answer is checked against.
import { readBack } from '../gpu/buffers.ts'
import { centresAt, type Matrix, scaled, scaleGroups, scalesAt, superGroups } from './matrix.ts'

const halves = new DataView(new ArrayBuffer(4))

/** The value of f16 bits; infinities and NaN do not occur in weights. */
function half(bits: number): number {
  const exponent = (bits >> 10) & 31
  if (exponent === 0) return (bits & 0x8000 ? -1 : 1) * (bits & 1023) * 2 ** -24
  halves.setUint32(0, ((bits & 0x8000) << 16) | ((exponent + 112) << 23) | ((bits & 1023) << 13))
  return halves.getFloat32(0)
}

const words = { f32: 32, f16: 16, q8: 8, q4: 4 }

/** [count, groups * 32]; `count` is a multiple of 8. */
export async function unpackRows(device: GPUDevice, matrix: Matrix, count: number): Promise<Float64Array> {
  const { format, group, centred, groups, parts } = matrix
  const { buffer, rows } = parts[0]!
  const perRow = words[format]
  const codes = new DataView(await readBack(device, buffer, 0, count * groups * perRow * 4))
  const spans = scaleGroups(matrix, groups)
  const halves = async (at: number) => new Uint16Array(await readBack(device, buffer, at * 16, count * spans * 2))
  const scales = scaled(format) ? await halves(scalesAt(matrix, groups, rows)) : undefined
  const centres = centred && !matrix.super ? await halves(centresAt(matrix, groups, rows)) : undefined
  const pairs = centresAt(matrix, groups, rows) * 16
  const supers = matrix.super ? new Uint16Array(await readBack(device, buffer, pairs, count * superGroups(groups) * 4)) : undefined
  /** Scale, and what a code of 0 stands for. */
  const spanOf = (at: number, row: number, column: number): [number, number] => {
    if (!scales) return [1, 0]
    if (!supers) return [half(scales[at]!), centres ? half(centres[at]!) : 0]
    const pair = ((row >> 3) * superGroups(groups) + Math.floor(column / 256)) * 16 + (row & 7) * 2
    const scale = half(supers[pair]!) * ((scales[at]! << 24) >> 24)
    // Four-bit codes are kept from 0 on, and read below as if from -8.
    return [scale, (format === 'q4' ? 8 * scale : 0) - half(supers[pair + 1]!) * (scales[at]! >> 8)]
  }
  // Vectors of eight rows stand side by side: of 4 words, but of 2 in f16.
  const wide = format === 'f16' ? 2 : 4
  const values = new Float64Array(count * groups * 32)
  for (let row = 0; row < count; row++) {
    for (let column = 0; column < groups * 32; column++) {
      const block = (row >> 3) * groups + (column >> 5)
      const index = column & 31
      const word = (index * perRow) >> 5
      const at = (block * perRow * 8 + Math.floor(word / wide) * wide * 8 + (row & 7) * wide + (word % wide)) * 4
      const span = ((row >> 3) * spans + Math.floor(column / group)) * 8 + (row & 7)
      const [scale, centre] = spanOf(span, row, column)
      const read = {
        f32: () => codes.getFloat32(at, true),
        f16: () => half(codes.getUint16(at + (index & 1) * 2, true)),
        q8: () => codes.getInt8(at + (index & 3)),
        q4: () => ((codes.getUint8(at + (index & 3)) >> (index & 4)) & 15) - 8,
      }[format]
      values[row * groups * 32 + column] = read() * scale + centre
    }
  }
  return values
}
