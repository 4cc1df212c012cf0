// The WGSL that codes weights from and to formats that the embedded model as it comes has none of. Every lazy bundle that codes some itself has it.
import quantiseFromF16 from '../../shaders/quantise/from_f16.wgsl?raw'
import quantiseFromF32 from '../../shaders/quantise/from_f32.wgsl?raw'
import quantiseToF16 from '../../shaders/quantise/to_f16.wgsl?raw'
import quantiseToF32 from '../../shaders/quantise/to_f32.wgsl?raw'
import quantiseToQ8 from '../../shaders/quantise/to_q8.wgsl?raw'

export const loadingOthers = {
  'quantise/from_f16': quantiseFromF16,
  'quantise/from_f32': quantiseFromF32,
  'quantise/to_f16': quantiseToF16,
  'quantise/to_f32': quantiseToF32,
  'quantise/to_q8': quantiseToQ8,
}
