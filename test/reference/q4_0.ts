// What llama.cpp's Q4_0 costs: blocks of 32, an f16 scale of largest / -8, codes rounded half up. As gguf-py does it (q4_0.test.ts holds it against that).
import { roundHalf } from './formats.ts'
import type { Values } from './kernels.ts'

const f32 = Math.fround

/** The relative error of rows of so many columns; the last block of a row may be shorter. */
export function errorOfQ4(values: Values, columns: number): number {
  let difference = 0
  let square = 0
  for (let at = 0; at < values.length; ) {
    const end = Math.min(at + 32, at - (at % columns) + columns)
    let largest = 0
    for (let index = at; index < end; index++) if (Math.abs(values[index]!) > Math.abs(largest)) largest = values[index]!
    const step = f32(largest / -8)
    const inverse = step === 0 ? 0 : f32(1 / step)
    for (; at < end; at++) {
      const code = Math.min(15, Math.max(0, Math.trunc(values[at]! * inverse + 8.5))) - 8
      difference += (values[at]! - code * roundHalf(step)) ** 2
      square += values[at]! ** 2
    }
  }
  return Math.sqrt(difference / square)
}
