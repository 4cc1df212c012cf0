// A convolution whose windows do not overlap as a matrix: its columns are put in the order of its inputs while it loads, not per picture. A plan knows of it
// too, so its WGSL is not among vision_files.ts.
import source from '../../shaders/vision/windows.wgsl?raw'
import type { Kernel } from '../gpu/pipeline.ts'
import type { Coding } from './matrix.ts'
import { quantise, type SourceType } from './quantise.ts'

/** [rows][inputs][taps] in the file, [rows][taps][stride] as a matrix, zero behind the inputs. */
export interface Windows {
  inputs: number
  taps: number
  stride: number
}

const sources: Record<SourceType, number> = { F32: 0, F16: 1, BF16: 2 }

/** Fits every number of rows, as all kernels that load do. */
export const windows = (from: SourceType, { inputs, taps, stride }: Windows, to: Coding): Kernel =>
  quantise(
    {
      name: `windows ${from}`,
      files: [{ name: 'vision/windows.wgsl', source }],
      constants: { INPUTS: inputs, TAPS: taps, STRIDE: stride, SOURCE: sources[from] },
    },
    to,
  )
