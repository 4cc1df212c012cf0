// Log-mel as a model wants it: Whisper's clamp and scale, or mean 0 and variance 1.
import source from '../../shaders/mel_scale.wgsl?raw'
import type { Kernel } from '../gpu/pipeline.ts'

/** x: the y of `melTotal`; y [clips, mels, span] in place. */
export function melScale(mels: number, whisper: boolean): Kernel {
  return {
    name: `mel_scale ${mels}${whisper ? ' whisper' : ''}`,
    files: [{ name: 'mel_scale.wgsl', source }],
    bindings: { x: 'read', y: 'write', rows: 'read' },
    constants: { MELS: mels, WHISPER: whisper ? 1 : 0 },
  }
}

/** Workgroups of 256, each with at least four values to a thread in a long clip. */
export const melScaleGroups = (mels: number, span: number, clips: number): [number, number] => [
  Math.min(1024, Math.ceil((mels * span) / 256)),
  clips,
]
