// What models want of pictures, as data. Pixels count as the processors count them: those of all frames together, a still picture twice.
import type { Filter } from './resize.ts'

type Colour = readonly [red: number, green: number, blue: number]

export interface PictureProfile {
  /** Sides that follow the picture's shape, within pixels; or one size for all. */
  size: { kind: 'smart'; picture: readonly [min: number, max: number]; video: readonly [min: number, max: number] } | Fixed
  filter: Filter
  /** Of values in [0, 1]. */
  mean: Colour
  std: Colour
  layout: 'patches' | 'planes'
  /** Side of a patch; patches of a block's side, which stand together and become one token; frames of a step. */
  patch: number
  merge: number
  temporal: number
  /** Where the numbers are from. */
  source: string
}

interface Fixed {
  kind: 'fixed'
  width: number
  height: number
}

const clip = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
} as const

const glm4v = {
  size: { kind: 'smart', picture: [12_544, 9_633_792], video: [12_544, 47_040_000] },
  filter: 'bicubic',
  ...clip,
  layout: 'patches',
  patch: 14,
  merge: 2,
  temporal: 2,
} as const

export const pictureProfiles = {
  'glm-4.1v': {
    ...glm4v,
    source:
      'zai-org/GLM-4.1V-9B-Thinking, preprocessor configs (class defaults: 11 760 000 for pictures); Glm4vImageProcessor, Glm4vVideoProcessor',
  },
  'glm-4.6v': {
    ...glm4v,
    source:
      'Glm46VImageProcessor, Glm46VVideoProcessor; pixels of pictures as zai-org/GLM-OCR gives that class, of videos the class default',
  },
  'glm-ocr': { ...glm4v, source: 'zai-org/GLM-OCR, preprocessor config; Glm46VImageProcessor' },
  'glm-edge-v': {
    size: { kind: 'fixed', width: 672, height: 672 },
    filter: 'bicubic',
    mean: [0.5, 0.5, 0.5],
    std: [0.5, 0.5, 0.5],
    layout: 'patches',
    patch: 14,
    merge: 1,
    temporal: 1,
    source: 'zai-org/glm-edge-v-2b, preprocessor config; SiglipImageProcessor',
  },
  standard: {
    size: { kind: 'fixed', width: 224, height: 224 },
    filter: 'bilinear',
    mean: [0, 0, 0],
    std: [1, 1, 1],
    layout: 'planes',
    patch: 16,
    merge: 1,
    temporal: 1,
    source: 'torchvision.transforms.v2.Resize with its defaults, then ToDtype(float32, scale=True)',
  },
} as const satisfies Record<string, PictureProfile>

export type PictureProfileName = keyof typeof pictureProfiles
