// The f64 twin of keys and values stored in 8 bits.
import type { Values } from './kernels.ts'

/** scale[g] = f32(max |x| / 127) of 32 neighbours, code = round-half-away(x / scale); a group of zeros has scale 0 and codes 0. */
export function quantiseKv(x: Values): { codes: Int8Array; scales: Float32Array<ArrayBuffer>; values: Float64Array } {
  const codes = new Int8Array(x.length)
  const scales = new Float32Array(x.length / 32)
  const values = new Float64Array(x.length)
  for (let i = 0; i < x.length; i++) scales[i >> 5] = Math.max(scales[i >> 5]!, Math.abs(x[i]!) / 127)
  for (let i = 0; i < x.length; i++) {
    const scale = scales[i >> 5]!
    codes[i] = scale === 0 ? 0 : Math.sign(x[i]!) * Math.floor(Math.abs(x[i]!) / scale + 0.5)
    values[i] = codes[i]! * scale
  }
  return { codes, scales, values }
}
