// How a model wants its pictures, from the files beside its weights: which processor, how large, and how steps of a video are labelled.
import { GlmError } from '../errors.ts'
import type { ProfileName } from '../media/labels.ts'
import { type PictureProfile, pictureProfiles } from '../media/picture_profiles.ts'
import { type SizeRule, usual } from '../media/shown_size.ts'
import type { VisionConfig } from '../model/vision_config.ts'
import { exists, readJson, type Source } from '../weights/source.ts'

type Fields = Record<string, unknown>

export interface Rule {
  sizes: SizeRule
  /** Of videos; absent in models that see none. */
  labels?: ProfileName
}

/** `json`: config.json, with what a GGUF says of pictures as `image_processor`. Throws `config_unsupported` where a processor does what ours does not. */
export async function readRule(source: Source, json: Fields, config: VisionConfig, signal?: AbortSignal): Promise<Rule> {
  const [picture, video] = await Promise.all(
    ['preprocessor_config.json', 'video_preprocessor_config.json'].map(async (file) =>
      (await exists(source, file, signal)) ? ((await readJson(source, file, signal)) as Fields) : {},
    ),
  )
  return ruleOf(json, config, { ...(json.image_processor as Fields), ...picture }, video!)
}

export function ruleOf(json: Fields, config: VisionConfig, picture: Fields, video: Fields): Rule {
  const side = config.side * config.patch
  if (config.family === 'glm_edge_v') {
    checkFields(picture, pictureProfiles['glm-edge-v'])
    const bounds: SizeRule['bounds'] = { picture: [0, Infinity], video: [0, Infinity] }
    return { sizes: { profile: 'glm-edge-v', bounds, size: { width: side, height: side } } }
  }
  // Whose labels they are the processor says, not the model's type: AutoGLM is a glm4v with the newer one.
  const processor = String(picture.processor_class ?? picture.image_processor_type ?? (json.model_type === 'glm4v' ? 'Glm4v' : 'Glm46V'))
  const name = processor.startsWith('Glm4v') ? 'glm-4.1v' : 'glm-4.6v'
  checkFields(picture, pictureProfiles[name])
  checkFields(video, pictureProfiles[name])
  const { size } = pictureProfiles[name]
  const bounds = { picture: boundsOf(picture, size.picture[0]), video: boundsOf(video, size.video[0]) }
  const own = config.side > 0 ? (config.side / config.merge) ** 2 : usual.step
  return { sizes: { profile: name, bounds, ...(own < usual.step ? { step: own } : {}) }, labels: name }
}

function boundsOf({ size }: Fields, otherwise: number): readonly [number, number] {
  const edge = (name: string, usual: number) => {
    const value = (size as Fields | undefined)?.[name]
    return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : usual
  }
  return [edge('shortest_edge', otherwise), edge('longest_edge', Infinity)]
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
