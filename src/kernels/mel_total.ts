// The largest value, the mean and the deviation of a clip's log-mel, from what its frames came to.
import source from '../../shaders/mel_total.wgsl?raw'
import type { Kernel } from '../gpu/pipeline.ts'
import { hidden } from './mel.ts'

/** Numbers kept per frame (largest, mean, squares) and per clip (largest, mean, 1 / deviation). */
export const STATISTICS = 3

/** x: the `status` of `mel`; y [clips, 3]. Workgroups: [clips]. */
export function melTotal(mels: number): Kernel {
  return {
    name: `mel_total ${mels}`,
    files: [{ name: 'mel_total.wgsl', source }, hidden],
    bindings: { x: 'read', y: 'write', rows: 'read' },
    constants: { MELS: mels },
  }
}
