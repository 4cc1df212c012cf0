// The WGSL that a chat with the embedded model does without: sandwich norms, activations and KV in 8 bits, centres, the bench's stream. Part of the lazy
// bundles; the engine adds it to its own (files.ts).
import dot8 from '../../shaders/dot8.wgsl?raw'
import gemm8 from '../../shaders/gemm8.wgsl?raw'
import inputKeep from '../../shaders/input/keep.wgsl?raw'
import inputPacked from '../../shaders/input/packed.wgsl?raw'
import inputRawAlone from '../../shaders/input/raw/alone.wgsl?raw'
import inputRawShared from '../../shaders/input/raw/shared.wgsl?raw'
import inputSandwich from '../../shaders/input/sandwich.wgsl?raw'
import kvQ8Read from '../../shaders/kv/q8_read.wgsl?raw'
import outputQkvQ8 from '../../shaders/output/qkv_q8.wgsl?raw'
import pack8 from '../../shaders/pack8.wgsl?raw'
import squaresSubgroups from '../../shaders/squares/subgroups.wgsl?raw'
import stream from '../../shaders/stream.wgsl?raw'
import weightsCentreOwn from '../../shaders/weights/centre/own.wgsl?raw'
import weightsCentreSuper from '../../shaders/weights/centre/super.wgsl?raw'

export const fetched = {
  dot8,
  gemm8,
  'input/keep': inputKeep,
  'input/packed': inputPacked,
  'input/raw/alone': inputRawAlone,
  'input/raw/shared': inputRawShared,
  'input/sandwich': inputSandwich,
  'kv/q8_read': kvQ8Read,
  'output/qkv_q8': outputQkvQ8,
  pack8,
  'squares/subgroups': squaresSubgroups,
  stream,
  'weights/centre/own': weightsCentreOwn,
  'weights/centre/super': weightsCentreSuper,
}

export type FetchedName = keyof typeof fetched
