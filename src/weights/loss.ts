// What quantising costs: the relative root-mean-square error of codes against the values that they stand for, summed in f64.
import type { Coding } from '../kernels/matrix.ts'
import type { SourceType } from '../kernels/quantise.ts'

/** Rows of our packed form. */
export interface PackedRows {
  codes: Uint8Array<ArrayBuffer>
  scales: Uint8Array<ArrayBuffer>
  centres?: Uint8Array<ArrayBuffer> | undefined
}

export class ErrorSum {
  #difference = 0
  #square = 0

  /** `values` are [rows, columns]. */
  add({ format, group }: Coding, rows: number, { codes, scales, centres }: PackedRows, values: Float32Array): void {
    const columns = values.length / rows
    const across = Math.ceil(columns / group)
    const rowBytes = codes.length / rows
    const spans = new Uint16Array(scales.buffer, scales.byteOffset)
    const middles = centres && new Uint16Array(centres.buffer, centres.byteOffset)
    const signed = new Int8Array(codes.buffer, codes.byteOffset)
    const halves = halfValues()
    let difference = 0
    let square = 0
    for (let row = 0; row < rows; row++) {
      for (let span = 0; span < across; span++) {
        const scale = halves[spans[row * across + span]!]!
        const centre = middles ? halves[middles[row * across + span]!]! : 0
        const last = Math.min(columns, (span + 1) * group)
        for (let column = span * group; column < last; column++) {
          const code =
            format === 'q8'
              ? signed[row * rowBytes + column]!
              : // Byte b of a word holds columns b and b + 4.
                ((codes[row * rowBytes + (column >> 3) * 4 + (column & 3)]! >> (column & 4)) & 15) - 8
          const value = values[row * columns + column]!
          const away = value - (code * scale + centre)
          difference += away * away
          square += value * value
        }
      }
    }
    this.#difference += difference
    this.#square += square
  }

  /** 0 of zeros. */
  get relative(): number {
    return this.#difference === 0 ? 0 : Math.sqrt(this.#difference / this.#square)
  }
}

/** Values of plain numbers. */
export function decodeInto(values: Float32Array, dtype: SourceType, bytes: Uint8Array): void {
  const width = bytes.length / values.length
  const aligned = bytes.byteOffset % width === 0 ? bytes : bytes.slice()
  if (dtype === 'F32') {
    values.set(new Float32Array(aligned.buffer, aligned.byteOffset, values.length))
    return
  }
  const own = new Uint16Array(aligned.buffer, aligned.byteOffset, values.length)
  if (dtype === 'F16') {
    const halves = halfValues()
    for (let index = 0; index < own.length; index++) values[index] = halves[own[index]!]!
    return
  }
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  for (let index = 0; index < own.length; index++) bits[index] = own[index]! << 16
}

let table: Float32Array | undefined

/** The values of all f16. */
function halfValues(): Float32Array {
  table ??= Float32Array.from({ length: 65536 }, (_, bits) => {
    const exponent = (bits >> 10) & 31
    const mantissa = bits & 1023
    const size = exponent === 0 ? mantissa * 2 ** -24 : exponent === 31 ? Number.NaN : (1 + mantissa / 1024) * 2 ** (exponent - 15)
    return bits & 0x8000 ? -size : size
  })
  return table
}
