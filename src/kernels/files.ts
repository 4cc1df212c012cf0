// WGSL files under the names they have in shaders/, as values to link: those of the embedded model here, others where they were fetched.
import attention from '../../shaders/attention.wgsl?raw'
import dotUnrolled from '../../shaders/dot/unrolled.wgsl?raw'
import embed from '../../shaders/embed.wgsl?raw'
import gemm from '../../shaders/gemm.wgsl?raw'
import inputDrop from '../../shaders/input/drop.wgsl?raw'
import inputNorm from '../../shaders/input/norm.wgsl?raw'
import inputPlain from '../../shaders/input/plain.wgsl?raw'
import kvF16Read from '../../shaders/kv/f16_read.wgsl?raw'
import kvF16Write from '../../shaders/kv/f16_write.wgsl?raw'
import lanes from '../../shaders/lanes.wgsl?raw'
import loopsRolled from '../../shaders/loops/rolled.wgsl?raw'
import loopsUnrolled from '../../shaders/loops/unrolled.wgsl?raw'
import matmul from '../../shaders/matmul.wgsl?raw'
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
import weightsEight from '../../shaders/weights/eight.wgsl?raw'
import weightsQ4 from '../../shaders/weights/q4.wgsl?raw'
import weightsSpanWhole from '../../shaders/weights/span/whole.wgsl?raw'
import { addFiles, type LoadingName, shelved } from './loading_files.ts'

const own = {
  'weights/coded': weightsCoded,
  'output/rotate': outputRotate,
  'output/pairs': outputPairs,
  'input/drop': inputDrop,
  'dot/unrolled': dotUnrolled,
  attention,
  partials,
  'queries/eight': queriesEight,
  'queries/four': queriesFour,
  embed,
  gemm,
  'input/norm': inputNorm,
  'input/plain': inputPlain,
  'kv/f16_read': kvF16Read,
  'kv/f16_write': kvF16Write,
  lanes,
  'loops/rolled': loopsRolled,
  'loops/unrolled': loopsUnrolled,
  matmul,
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
  'weights/eight': weightsEight,
  'weights/q4': weightsQ4,
  'weights/span/whole': weightsSpanWhole,
}

export type ShaderName = keyof typeof own | LoadingName

addFiles(own)

export const files = shelved<ShaderName>

/** Loops with hidden or with plain trip counts. */
export const loops = (rolled: boolean): ShaderName => (rolled ? 'loops/rolled' : 'loops/unrolled')
