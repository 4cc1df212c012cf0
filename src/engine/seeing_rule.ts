// How a model wants its pictures, from the files beside its weights: which processor, how large, and how steps of a video are labelled.
import { GlmError } from '../errors.ts'
import type { ProfileName } from '../media/labels.ts'
import { type PicturePlan, planPictures } from '../media/picture_plan.ts'
import { type PictureProfile, type PictureProfileName, pictureProfiles } from '../media/picture_profiles.ts'
import type { Shown } from '../media/shown.ts'
import type { VisionConfig } from '../model/vision_config.ts'
import { exists, readJson, type Source } from '../weights/source.ts'

/** Tokens of a picture, and of a step of a video, at most. */
export interface Budget {
  picture?: number | null
  step?: number | null
}

const usual = { picture: 640, step: 100 }

type Fields = Record<string, unknown>

export interface Rule {
  profile: PictureProfileName
  /** Of videos; absent in models that see none. */
  labels?: ProfileName
  /** Pixels of a picture (counted twice) and of all frames of a video, as the model's files say. */
  most: { picture: number; video: number }
  /** The only size there is. */
  size?: { width: number; height: number }
}

/** `json`: config.json. Throws `config_unsupported` where a processor does what ours does not. */
export async function readRule(source: Source, json: Fields, config: VisionConfig, signal?: AbortSignal): Promise<Rule> {
  const [picture, video] = await Promise.all(
    ['preprocessor_config.json', 'video_preprocessor_config.json'].map(async (file) =>
      (await exists(source, file, signal)) ? ((await readJson(source, file, signal)) as Fields) : {},
    ),
  )
  return ruleOf(json, config, picture!, video!)
}

export function ruleOf(json: Fields, config: VisionConfig, picture: Fields, video: Fields): Rule {
  const most = (fields: Fields) => {
    const edge = (fields.size as Fields | undefined)?.longest_edge
    return typeof edge === 'number' && Number.isSafeInteger(edge) && edge > 0 ? edge : Infinity
  }
  const side = config.side * config.patch
  if (config.family === 'glm_edge_v') {
    checkFields(picture, pictureProfiles['glm-edge-v'])
    return { profile: 'glm-edge-v', most: { picture: Infinity, video: Infinity }, size: { width: side, height: side } }
  }
  // Whose labels they are the processor says, not the model's type: AutoGLM is a glm4v with the newer one.
  const processor = String(picture.processor_class ?? picture.image_processor_type ?? (json.model_type === 'glm4v' ? 'Glm4v' : 'Glm46V'))
  const name = processor.startsWith('Glm4v') ? 'glm-4.1v' : 'glm-4.6v'
  checkFields(picture, pictureProfiles[name])
  checkFields(video, pictureProfiles[name])
  return { profile: name, labels: name, most: { picture: most(picture), video: most(video) } }
}

/** Numbers that pictures are prepared by: others would be wrong silently. */
function checkFields(fields: Fields, { mean, std, patch, merge, temporal, filter }: PictureProfile): void {
  const expected: Fields = {
    image_mean: mean,
    image_std: std,
    patch_size: patch,
    merge_size: merge,
    temporal_patch_size: temporal,
    resample: filter === 'bicubic' ? 3 : 2,
  }
  for (const [name, value] of Object.entries(expected)) {
    if (fields[name] != null && JSON.stringify(fields[name]) !== JSON.stringify(value))
      throw new GlmError(
        'config_unsupported',
        `preprocessor_config.json has ${name} ${JSON.stringify(fields[name])}, not ${JSON.stringify(value)}; choose another checkpoint.`,
      )
  }
}

/** Sizes of what is shown, within the budget. */
export function planShown({ frames, steps }: Shown, rule: Rule, budget: Budget = {}): PicturePlan {
  const { profile, size, most } = rule
  const first = frames[0]
  if (!first) throw new GlmError('messages_invalid', 'A video has no frames; give at least one.')
  const { patch, merge, temporal } = pictureProfiles[profile]
  const token = (patch * merge) ** 2 * temporal
  const tokens = { picture: allowed('picture', budget.picture), step: allowed('step', budget.step) }
  const video = steps !== undefined
  const least = 'picture' in pictureProfiles[profile].size ? pictureProfiles[profile].size[video ? 'video' : 'picture'][0] : 0
  const within = video ? Math.min(most.video, tokens.step * token * steps.length) : Math.min(most.picture, tokens.picture * token)
  return planPictures(first.width, first.height, frames.length, {
    profile,
    ...(size ? { size } : { maxPixels: Math.max(least, within) }),
    ...(video ? { video } : {}),
  })
}

function allowed(name: keyof typeof usual, value: number | null | undefined): number {
  if (value === undefined || value === null) return usual[name]
  if (!Number.isInteger(value) || value < 1 || value > 2 ** 16)
    throw new GlmError('request_invalid', `budget.${name} is ${String(value)}; use a whole number of tokens from 1.`)
  return value
}
