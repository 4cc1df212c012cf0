// The specification: a plain f64 twin of every GPU kernel, the weight formats, and a whole GLM decoder built from them.
import type { Values } from './reference/kernels.ts'

export * from './reference/checkpoint.ts'
export * from './reference/formats.ts'
export * from './reference/kernels.ts'
export * from './reference/model.ts'
export * from './reference/sampling.ts'

/** ‖a - b‖ / ‖b‖; b is what was expected. NaN wherever there is a NaN. */
export function relativeL2(a: Values, b: Values): number {
  if (a.length !== b.length) throw new Error(`${a.length} values against ${b.length}.`)
  let difference = 0
  let size = 0
  for (let i = 0; i < b.length; i++) {
    difference += (a[i]! - b[i]!) ** 2
    size += b[i]! ** 2
  }
  return difference === 0 ? 0 : Math.sqrt(difference / size)
}
