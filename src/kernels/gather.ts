// The input of a matrix whose columns keep an order of their own (GPTQ's act-order). Few models have one: its WGSL is not among files.ts.
import source from '../../shaders/gather.wgsl?raw'
import type { Kernel } from '../gpu/pipeline.ts'

const padded = (columns: number) => Math.ceil(columns / 32) * 32

/** y[row, k] = x[row, order[k]] of rows padded to groups of 32; `order` is bound as `source`, and holds numbers below `columns`. */
export function gather(columns: number): Kernel {
  return {
    name: 'gather',
    files: [{ name: 'gather.wgsl', source }],
    bindings: { x: 'read', y: 'write', rows: 'read', source: 'read' },
    constants: { X_STRIDE: padded(columns), Y_STRIDE: padded(columns), COLUMNS: columns },
  }
}

/** Workgroups for so many rows. */
export const gatherGroups = (columns: number, rows: number): [number, number] => [Math.ceil(padded(columns) / 64), rows]
