// The WGSL that codes weights while they load, under its names in shaders/: apart, because the lazy bundle wants these files and no others.
import bytes from '../../shaders/bytes.wgsl?raw'
import codes from '../../shaders/codes.wgsl?raw'
import half from '../../shaders/half.wgsl?raw'
import quantiseFromBf16 from '../../shaders/quantise/from_bf16.wgsl?raw'
import quantiseFromF16 from '../../shaders/quantise/from_f16.wgsl?raw'
import quantiseFromF32 from '../../shaders/quantise/from_f32.wgsl?raw'
import quantiseToF16 from '../../shaders/quantise/to_f16.wgsl?raw'
import quantiseToF32 from '../../shaders/quantise/to_f32.wgsl?raw'
import quantiseToQ4 from '../../shaders/quantise/to_q4.wgsl?raw'
import quantiseToQ8 from '../../shaders/quantise/to_q8.wgsl?raw'
import quantise from '../../shaders/quantise.wgsl?raw'
import window from '../../shaders/window.wgsl?raw'
import type { ShaderFile } from '../gpu/shader.ts'

export const loading = {
  bytes: bytes,
  codes: codes,
  half: half,
  'quantise/from_bf16': quantiseFromBf16,
  'quantise/from_f16': quantiseFromF16,
  'quantise/from_f32': quantiseFromF32,
  'quantise/to_f16': quantiseToF16,
  'quantise/to_f32': quantiseToF32,
  'quantise/to_q4': quantiseToQ4,
  'quantise/to_q8': quantiseToQ8,
  quantise: quantise,
  window: window,
}

export type LoadingName = keyof typeof loading

export const loadingFiles = (...names: LoadingName[]): ShaderFile[] =>
  names.map((name) => ({ name: `${name}.wgsl`, source: loading[name] }))
