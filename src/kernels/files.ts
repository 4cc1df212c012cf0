// Every WGSL file under the name it has in shaders/, as values to link.
import attention from '../../shaders/attention.wgsl?raw'
import embed from '../../shaders/embed.wgsl?raw'
import half from '../../shaders/half.wgsl?raw'
import inputNorm from '../../shaders/input/norm.wgsl?raw'
import inputPlain from '../../shaders/input/plain.wgsl?raw'
import kvF16Read from '../../shaders/kv/f16_read.wgsl?raw'
import kvF16Write from '../../shaders/kv/f16_write.wgsl?raw'
import kvF32Read from '../../shaders/kv/f32_read.wgsl?raw'
import kvF32Write from '../../shaders/kv/f32_write.wgsl?raw'
import loopsRolled from '../../shaders/loops/rolled.wgsl?raw'
import loopsUnrolled from '../../shaders/loops/unrolled.wgsl?raw'
import matmul from '../../shaders/matmul.wgsl?raw'
import norm from '../../shaders/norm.wgsl?raw'
import outputAdd from '../../shaders/output/add.wgsl?raw'
import outputQkv from '../../shaders/output/qkv.wgsl?raw'
import outputStore from '../../shaders/output/store.wgsl?raw'
import outputSwiglu from '../../shaders/output/swiglu.wgsl?raw'
import quantiseFromBf16 from '../../shaders/quantise/from_bf16.wgsl?raw'
import quantiseFromF16 from '../../shaders/quantise/from_f16.wgsl?raw'
import quantiseFromF32 from '../../shaders/quantise/from_f32.wgsl?raw'
import quantiseToF16 from '../../shaders/quantise/to_f16.wgsl?raw'
import quantiseToF32 from '../../shaders/quantise/to_f32.wgsl?raw'
import quantiseToQ4 from '../../shaders/quantise/to_q4.wgsl?raw'
import quantiseToQ8 from '../../shaders/quantise/to_q8.wgsl?raw'
import quantise from '../../shaders/quantise.wgsl?raw'
import random from '../../shaders/random.wgsl?raw'
import rowsAll from '../../shaders/rows/all.wgsl?raw'
import rowsLogits from '../../shaders/rows/logits.wgsl?raw'
import rows from '../../shaders/rows.wgsl?raw'
import sample from '../../shaders/sample.wgsl?raw'
import weightsDense from '../../shaders/weights/dense.wgsl?raw'
import weightsHalf from '../../shaders/weights/half.wgsl?raw'
import weightsQ4 from '../../shaders/weights/q4.wgsl?raw'
import weightsQ8 from '../../shaders/weights/q8.wgsl?raw'
import type { ShaderFile } from '../gpu/shader.ts'

const sources = {
  attention,
  embed,
  half,
  'input/norm': inputNorm,
  'input/plain': inputPlain,
  'kv/f16_read': kvF16Read,
  'kv/f16_write': kvF16Write,
  'kv/f32_read': kvF32Read,
  'kv/f32_write': kvF32Write,
  'loops/rolled': loopsRolled,
  'loops/unrolled': loopsUnrolled,
  matmul,
  norm,
  'output/add': outputAdd,
  'output/qkv': outputQkv,
  'output/store': outputStore,
  'output/swiglu': outputSwiglu,
  quantise,
  'quantise/from_bf16': quantiseFromBf16,
  'quantise/from_f16': quantiseFromF16,
  'quantise/from_f32': quantiseFromF32,
  'quantise/to_f16': quantiseToF16,
  'quantise/to_f32': quantiseToF32,
  'quantise/to_q4': quantiseToQ4,
  'quantise/to_q8': quantiseToQ8,
  random,
  rows,
  'rows/all': rowsAll,
  'rows/logits': rowsLogits,
  sample,
  'weights/dense': weightsDense,
  'weights/half': weightsHalf,
  'weights/q4': weightsQ4,
  'weights/q8': weightsQ8,
}

export type ShaderName = keyof typeof sources

export const files = (...names: ShaderName[]): ShaderFile[] => names.map((name) => ({ name: `${name}.wgsl`, source: sources[name] }))

/** Loops with hidden or with plain trip counts. */
export const loops = (rolled: boolean): ShaderName => (rolled ? 'loops/rolled' : 'loops/unrolled')
