// A small tensor (norm, bias) as f32 on the host.
import { GlmError } from '../errors.ts'
import { type SourceType, sourceBytes } from '../kernels/quantise.ts'
import type { TensorEntry } from './tensor.ts'

export function decodeVector(entry: TensorEntry, bytes: Uint8Array): Float32Array {
  const count = bytes.length / sourceBytes[entry.dtype as SourceType]
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const read = readers[entry.dtype as SourceType]
  const values = Float32Array.from({ length: count }, (_, index) => read(view, index))
  if (!values.every(Number.isFinite))
    throw new GlmError('weights_invalid', `The tensor ${entry.name} holds NaN or infinity; download the model again.`)
  return values
}

const bits = new DataView(new ArrayBuffer(4))

const readers: Record<SourceType, (view: DataView, index: number) => number> = {
  F32: (view, index) => view.getFloat32(index * 4, true),
  BF16: (view, index) => {
    bits.setUint32(0, view.getUint16(index * 2, true) << 16)
    return bits.getFloat32(0)
  },
  F16: (view, index) => {
    const half = view.getUint16(index * 2, true)
    const exponent = (half >> 10) & 31
    const mantissa = half & 1023
    const size =
      exponent === 0 ? mantissa * 2 ** -24 : exponent === 31 ? (mantissa ? NaN : Infinity) : (1 + mantissa / 1024) * 2 ** (exponent - 15)
    return half & 0x8000 ? -size : size
  },
}
