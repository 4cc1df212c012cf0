// The WGSL of towers that see, and what it shares with the text model's: part of the lazy bundle that a page without pictures never fetches.
import dotRolled from '../../shaders/dot/rolled.wgsl?raw'
import gemm from '../../shaders/gemm.wgsl?raw'
import inputDrop from '../../shaders/input/drop.wgsl?raw'
import inputNorm from '../../shaders/input/norm.wgsl?raw'
import inputPlain from '../../shaders/input/plain.wgsl?raw'
import lanes from '../../shaders/lanes.wgsl?raw'
import layernorm from '../../shaders/layernorm.wgsl?raw'
import loopsRolled from '../../shaders/loops/rolled.wgsl?raw'
import loopsUnrolled from '../../shaders/loops/unrolled.wgsl?raw'
import matmul from '../../shaders/matmul.wgsl?raw'
import outputPairs from '../../shaders/output/pairs.wgsl?raw'
import rowsAll from '../../shaders/rows/all.wgsl?raw'
import seeAttention from '../../shaders/see_attention.wgsl?raw'
import seePositions from '../../shaders/see_positions.wgsl?raw'
import seeTurn from '../../shaders/see_turn.wgsl?raw'
import squaresParts from '../../shaders/squares/parts.wgsl?raw'
import squaresShared from '../../shaders/squares/shared.wgsl?raw'
import visionAdd from '../../shaders/vision/add.wgsl?raw'
import visionAux from '../../shaders/vision/aux.wgsl?raw'
import visionBias from '../../shaders/vision/bias.wgsl?raw'
import visionBlocks from '../../shaders/vision/blocks.wgsl?raw'
import visionGelu from '../../shaders/vision/gelu.wgsl?raw'
import visionGeluTanh from '../../shaders/vision/gelu_tanh.wgsl?raw'
import visionPlace from '../../shaders/vision/place.wgsl?raw'
import visionPlain from '../../shaders/vision/plain.wgsl?raw'
import visionQkv from '../../shaders/vision/qkv.wgsl?raw'
import visionSame from '../../shaders/vision/same.wgsl?raw'
import visionStore from '../../shaders/vision/store.wgsl?raw'
import visionSwiglu from '../../shaders/vision/swiglu.wgsl?raw'
import visionTight from '../../shaders/vision/tight.wgsl?raw'
import visionUnbiased from '../../shaders/vision/unbiased.wgsl?raw'
import weightsCentreNone from '../../shaders/weights/centre/none.wgsl?raw'
import weightsCentreOwn from '../../shaders/weights/centre/own.wgsl?raw'
import weightsCentreSuper from '../../shaders/weights/centre/super.wgsl?raw'
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

const own = {
  'dot/rolled': dotRolled,
  gemm,
  'input/drop': inputDrop,
  'input/norm': inputNorm,
  'input/plain': inputPlain,
  lanes,
  layernorm,
  'loops/rolled': loopsRolled,
  'loops/unrolled': loopsUnrolled,
  matmul,
  'output/pairs': outputPairs,
  'rows/all': rowsAll,
  see_attention: seeAttention,
  see_positions: seePositions,
  see_turn: seeTurn,
  'squares/parts': squaresParts,
  'squares/shared': squaresShared,
  'vision/add': visionAdd,
  'vision/aux': visionAux,
  'vision/bias': visionBias,
  'vision/blocks': visionBlocks,
  'vision/gelu': visionGelu,
  'vision/gelu_tanh': visionGeluTanh,
  'vision/place': visionPlace,
  'vision/plain': visionPlain,
  'vision/qkv': visionQkv,
  'vision/same': visionSame,
  'vision/store': visionStore,
  'vision/swiglu': visionSwiglu,
  'vision/tight': visionTight,
  'vision/unbiased': visionUnbiased,
  'weights/centre/none': weightsCentreNone,
  'weights/centre/own': weightsCentreOwn,
  'weights/centre/super': weightsCentreSuper,
  'weights/coded': weightsCoded,
  'weights/dense': weightsDense,
  'weights/eight': weightsEight,
  'weights/half': weightsHalf,
  'weights/q4': weightsQ4,
  'weights/q8': weightsQ8,
  'weights/span/halves': weightsSpanHalves,
  'weights/span/whole': weightsSpanWhole,
}

type SeeName = keyof typeof own

const sources = new Map<string, string>(Object.entries(own))

/** Files to link. Names of other files are those that a matrix is read by. */
export const seeFiles = (...names: string[]): ShaderFile[] =>
  names.map((name) => {
    const source = sources.get(name)
    if (source === undefined) throw new GlmError('internal', `${name}.wgsl is not among the files of towers that see.`)
    return { name: `${name}.wgsl`, source }
  })

/** Loops with hidden or with plain trip counts. */
export const seeLoops = (rolled: boolean): SeeName => (rolled ? 'loops/rolled' : 'loops/unrolled')
