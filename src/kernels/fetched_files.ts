// The WGSL that a chat with the embedded model as it comes does without: weights, keys and values in other formats, sandwich norms, activations in 8 bits,
// long contexts. Part of the lazy bundles; the engine adds it to its own (loading_files.ts).
import attentionMerge from '../../shaders/attention_merge.wgsl?raw'
import dotRolled from '../../shaders/dot/rolled.wgsl?raw'
import dot8 from '../../shaders/dot8.wgsl?raw'
import gemm8 from '../../shaders/gemm8.wgsl?raw'
import inputKeep from '../../shaders/input/keep.wgsl?raw'
import inputPacked from '../../shaders/input/packed.wgsl?raw'
import inputRawAlone from '../../shaders/input/raw/alone.wgsl?raw'
import inputRawShared from '../../shaders/input/raw/shared.wgsl?raw'
import inputSandwich from '../../shaders/input/sandwich.wgsl?raw'
import kvF32Read from '../../shaders/kv/f32_read.wgsl?raw'
import kvF32Write from '../../shaders/kv/f32_write.wgsl?raw'
import kvQ8Read from '../../shaders/kv/q8_read.wgsl?raw'
import norm from '../../shaders/norm.wgsl?raw'
import outputQkvQ8 from '../../shaders/output/qkv_q8.wgsl?raw'
import pack8 from '../../shaders/pack8.wgsl?raw'
import weightsCentreOwn from '../../shaders/weights/centre/own.wgsl?raw'
import weightsCentreSuper from '../../shaders/weights/centre/super.wgsl?raw'
import weightsDense from '../../shaders/weights/dense.wgsl?raw'
import weightsHalf from '../../shaders/weights/half.wgsl?raw'
import weightsQ8 from '../../shaders/weights/q8.wgsl?raw'
import weightsSpanHalves from '../../shaders/weights/span/halves.wgsl?raw'
import { loadingOthers } from './loading_others.ts'
import type { toolFiles } from './tool_files.ts'

export const fetched = {
  ...loadingOthers,
  attention_merge: attentionMerge,
  'dot/rolled': dotRolled,
  dot8,
  gemm8,
  'input/keep': inputKeep,
  'input/packed': inputPacked,
  'input/raw/alone': inputRawAlone,
  'input/raw/shared': inputRawShared,
  'input/sandwich': inputSandwich,
  'kv/f32_read': kvF32Read,
  'kv/f32_write': kvF32Write,
  'kv/q8_read': kvQ8Read,
  norm,
  'output/qkv_q8': outputQkvQ8,
  pack8,
  'weights/centre/own': weightsCentreOwn,
  'weights/centre/super': weightsCentreSuper,
  'weights/dense': weightsDense,
  'weights/half': weightsHalf,
  'weights/q8': weightsQ8,
  'weights/span/halves': weightsSpanHalves,
}

export type FetchedName = keyof typeof fetched | keyof typeof toolFiles
