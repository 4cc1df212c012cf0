// The kernel of a convolution over two frames, from files that have a tensor for each frame (mmproj): put together while it loads. Fetched with
// the formats, so its WGSL is not among vision_files.ts.
import source from '../../shaders/vision/steps.wgsl?raw'
import type { Kernel } from '../gpu/pipeline.ts'
import type { Coding } from './matrix.ts'
import { quantise, type SourceType } from './quantise.ts'

const sources: Record<SourceType, number> = { F32: 0, F16: 1, BF16: 2 }

/** [rows][3][area] of each frame in the file, [rows][3][2][area] as a matrix. Fits every number of rows, as all kernels that load do. */
export const steps = (from: SourceType, area: number, to: Coding): Kernel =>
  quantise({ name: `steps ${from}`, files: [{ name: 'vision/steps.wgsl', source }], constants: { AREA: area, SOURCE: sources[from] } }, to)
