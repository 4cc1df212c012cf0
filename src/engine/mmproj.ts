// A tower that lies beside a model's GGUF, found by its name; one file alone is a model of text.
import { GlmError } from '../errors.ts'
import { pictureProfiles } from '../media/picture_profiles.ts'
import type { Config } from '../model/config.ts'
import { mmprojHalf, type VisionHalf } from '../model/mmproj.ts'
import { openGguf } from '../weights/gguf.ts'
import type { Source } from '../weights/source.ts'

/** Such as of a model's conversions in one folder. */
const most = 16

/** The first tower beside `file` that is this model's; undefined where there is none, or where the source cannot tell what there is. */
export async function readMmproj(source: Source, file: string, config: Config, signal?: AbortSignal): Promise<VisionHalf | undefined> {
  if (!source.list || !(config.sections || config.family === 'glm')) return undefined
  const found = mmprojFiles(
    (await source.list(signal)).map(({ path }) => path),
    file,
  )
  for (const path of found) {
    const half = mmprojHalf(await openGguf(source, path, signal), config)
    if (half) return checked(half, path, config)
  }
  return undefined
}

/** Pixels are normed as the family has it: other numbers would be wrong silently. */
function checked(half: VisionHalf, file: string, { family }: Config): VisionHalf {
  const { mean, std } = pictureProfiles[family === 'glm' ? 'glm-edge-v' : 'glm-4.1v']
  for (const [name, own, other] of [
    ['image_mean', mean, half.norm.mean],
    ['image_std', std, half.norm.std],
  ] as const) {
    if (other && (other.length !== 3 || !own.every((value, channel) => Math.abs(value - other[channel]!) < 1e-4)))
      throw new GlmError(
        'config_unsupported',
        `${file} has ${name} ${JSON.stringify(other).slice(0, 80)} instead of ${own}; choose another conversion.`,
      )
  }
  return half
}

/** A tower stands on the GPU in 8 bits unless another format is asked for: what is near that is taken first. */
const wanted = [/q8_0/i, /f16/i, /f32/i]

/** Files of towers in the folder of `file`, those that are taken first in front. */
export function mmprojFiles(paths: readonly string[], file: string): string[] {
  const folder = (path: string) => path.slice(0, path.lastIndexOf('/') + 1)
  const name = (path: string) => path.slice(folder(path).length)
  const rank = (path: string) => (wanted.findIndex((mark) => mark.test(name(path))) + wanted.length + 1) % (wanted.length + 1)
  const found = paths.filter((path) => path !== file && folder(path) === folder(file) && /mmproj.*\.gguf$/i.test(name(path)))
  return found.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1)).slice(0, most)
}
