// WGSL files under the names they have in shaders/, as values to link: those of the embedded model here, others where they were fetched.
import adjust from '../../shaders/adjust.wgsl?raw'
import attention from '../../shaders/attention.wgsl?raw'
import attentionMerge from '../../shaders/attention_merge.wgsl?raw'
import dotRolled from '../../shaders/dot/rolled.wgsl?raw'
import dotUnrolled from '../../shaders/dot/unrolled.wgsl?raw'
import embed from '../../shaders/embed.wgsl?raw'
import gemm from '../../shaders/gemm.wgsl?raw'
import inputDrop from '../../shaders/input/drop.wgsl?raw'
import inputNorm from '../../shaders/input/norm.wgsl?raw'
import inputPlain from '../../shaders/input/plain.wgsl?raw'
import kvF16Read from '../../shaders/kv/f16_read.wgsl?raw'
import kvF16Write from '../../shaders/kv/f16_write.wgsl?raw'
import kvF32Read from '../../shaders/kv/f32_read.wgsl?raw'
import kvF32Write from '../../shaders/kv/f32_write.wgsl?raw'
import lanes from '../../shaders/lanes.wgsl?raw'
import logprobs from '../../shaders/logprobs.wgsl?raw'
import loopsRolled from '../../shaders/loops/rolled.wgsl?raw'
import loopsUnrolled from '../../shaders/loops/unrolled.wgsl?raw'
import matmul from '../../shaders/matmul.wgsl?raw'
import norm from '../../shaders/norm.wgsl?raw'
import outputAdd from '../../shaders/output/add.wgsl?raw'
import outputPairs from '../../shaders/output/pairs.wgsl?raw'
import outputQkv from '../../shaders/output/qkv.wgsl?raw'
import outputRotate from '../../shaders/output/rotate.wgsl?raw'
import outputStore from '../../shaders/output/store.wgsl?raw'
import outputSwiglu from '../../shaders/output/swiglu.wgsl?raw'
import partials from '../../shaders/partials.wgsl?raw'
import queriesEight from '../../shaders/queries/eight.wgsl?raw'
import queriesFour from '../../shaders/queries/four.wgsl?raw'
import random from '../../shaders/random.wgsl?raw'
import rowsAll from '../../shaders/rows/all.wgsl?raw'
import rowsLogits from '../../shaders/rows/logits.wgsl?raw'
import rows from '../../shaders/rows.wgsl?raw'
import sample from '../../shaders/sample.wgsl?raw'
import solo from '../../shaders/solo.wgsl?raw'
import squaresParts from '../../shaders/squares/parts.wgsl?raw'
import squaresShared from '../../shaders/squares/shared.wgsl?raw'
import weightsCentreNone from '../../shaders/weights/centre/none.wgsl?raw'
import weightsCoded from '../../shaders/weights/coded.wgsl?raw'
import weightsDense from '../../shaders/weights/dense.wgsl?raw'
import weightsEight from '../../shaders/weights/eight.wgsl?raw'
import weightsHalf from '../../shaders/weights/half.wgsl?raw'
import weightsQ4 from '../../shaders/weights/q4.wgsl?raw'
import weightsQ8 from '../../shaders/weights/q8.wgsl?raw'
import weightsSpanHalves from '../../shaders/weights/span/halves.wgsl?raw'
import weightsSpanWhole from '../../shaders/weights/span/whole.wgsl?raw'
import { GlmError } from '../errors.ts'
import type { ShaderFile } from '../gpu/shader.ts'
import type { FetchedName } from './fetched_files.ts'
import { loading } from './loading_files.ts'

const own = {
  ...loading,
  'weights/coded': weightsCoded,
  'output/rotate': outputRotate,
  'output/pairs': outputPairs,
  'input/drop': inputDrop,
  'dot/rolled': dotRolled,
  'dot/unrolled': dotUnrolled,
  adjust,
  attention,
  attention_merge: attentionMerge,
  partials,
  'queries/eight': queriesEight,
  'queries/four': queriesFour,
  embed,
  gemm,
  'input/norm': inputNorm,
  'input/plain': inputPlain,
  'kv/f16_read': kvF16Read,
  'kv/f16_write': kvF16Write,
  'kv/f32_read': kvF32Read,
  'kv/f32_write': kvF32Write,
  lanes,
  'loops/rolled': loopsRolled,
  'loops/unrolled': loopsUnrolled,
  logprobs,
  matmul,
  norm,
  'output/add': outputAdd,
  'output/qkv': outputQkv,
  'output/store': outputStore,
  'output/swiglu': outputSwiglu,
  random,
  rows,
  'rows/all': rowsAll,
  'rows/logits': rowsLogits,
  sample,
  solo,
  'squares/parts': squaresParts,
  'squares/shared': squaresShared,
  'weights/centre/none': weightsCentreNone,
  'weights/dense': weightsDense,
  'weights/eight': weightsEight,
  'weights/half': weightsHalf,
  'weights/q4': weightsQ4,
  'weights/q8': weightsQ8,
  'weights/span/halves': weightsSpanHalves,
  'weights/span/whole': weightsSpanWhole,
}

export type ShaderName = keyof typeof own | FetchedName

const sources = new Map<string, string>(Object.entries(own))

/** Files that stand in no bundle but a fetched one (fetched_files.ts). */
export function addFiles(fetched: Record<FetchedName, string>): void {
  for (const [name, source] of Object.entries(fetched)) sources.set(name, source)
}

/** All of WGSL: a change of it makes what was measured before worthless. */
export const kernelSources = (): string[] => [...sources.values()]

export const files = (...names: ShaderName[]): ShaderFile[] =>
  names.map((name) => {
    const source = sources.get(name)
    if (source === undefined) throw new GlmError('internal', `${name}.wgsl was not fetched.`)
    return { name: `${name}.wgsl`, source }
  })

/** Loops with hidden or with plain trip counts. */
export const loops = (rolled: boolean): ShaderName => (rolled ? 'loops/rolled' : 'loops/unrolled')
