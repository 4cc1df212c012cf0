// A model in one GGUF, or in its parts: config, tokenizer, template and weights all come from its header.
import type { GenerationConfig } from '../model/config.ts'
import { ggufCheckpoint, ggufConfig } from '../model/gguf.ts'
import { ggufText } from '../text/gguf.ts'
import { createTemplate } from '../text/template.ts'
import { createTokenizer } from '../text/tokenizer.ts'
import { type GgufValue, openGguf } from '../weights/gguf.ts'
import type { Source } from '../weights/source.ts'
import type { ModelFiles } from './checkpoint.ts'

/** `file` is the path of the GGUF in the source, or of any of its parts. */
export async function readGguf(source: Source, file: string, signal?: AbortSignal): Promise<ModelFiles> {
  const gguf = await openGguf(source, file, signal)
  const config = ggufConfig(gguf)
  const files: ModelFiles = { config, generation: generation(gguf.metadata), checkpoint: ggufCheckpoint(gguf, config) }
  // A file of weights alone can still be scored.
  if (!gguf.metadata.has('tokenizer.ggml.model')) return files
  const { tokenizer, template, specials } = ggufText(gguf.metadata, gguf.files[0]!, config.vocabulary)
  files.tokenizer = createTokenizer(tokenizer, undefined)
  if (template !== undefined) files.template = createTemplate(template, files.tokenizer, specials)
  return files
}

/** The sampling that some files recommend. Ends are in the config. */
function generation(metadata: Map<string, GgufValue>): GenerationConfig {
  const result: GenerationConfig = { stopIds: [], sampled: undefined }
  const key = (name: string) => {
    const value = metadata.get(`general.sampling.${name}`)
    return typeof value === 'number' && Number.isFinite(value) ? value : undefined
  }
  const [temperature, topK, topP, repetition] = [key('temp'), key('top_k'), key('top_p'), key('penalty_repeat')]
  if (temperature !== undefined) result.temperature = temperature
  if (topK !== undefined) result.topK = topK
  if (topP !== undefined) result.topP = topP
  if (repetition !== undefined && repetition > 0) result.repetition = repetition
  return result
}
