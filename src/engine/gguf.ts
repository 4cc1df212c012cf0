// A model in one GGUF, or in its parts: config, tokenizer, template and weights all come from its header; a tower from a file beside it.
import type { GenerationConfig } from '../model/config.ts'
import { ggufCheckpoint, ggufConfig } from '../model/gguf.ts'
import { ggufText } from '../text/gguf.ts'
import { type GgufValue, openGguf } from '../weights/gguf.ts'
import type { Source } from '../weights/source.ts'
import type { Checkpoint } from '../weights/tensor.ts'
import type { TextFiles, WeightFiles } from './checkpoint.ts'
import { readMmproj } from './mmproj.ts'

/** `file` is the path of the GGUF in the source, or of any of its parts. */
export async function readGguf(source: Source, file: string, signal?: AbortSignal): Promise<WeightFiles & { text?: TextFiles }> {
  const gguf = await openGguf(source, file, signal)
  const config = ggufConfig(gguf)
  const own = ggufCheckpoint(gguf, config)
  const tower = await readMmproj(source, gguf.files[0]!, config, signal)
  const checkpoint = tower ? together(own, tower.checkpoint) : own
  const files = { config, generation: generation(gguf.metadata), checkpoint, ...(tower && { sees: tower.json }) }
  // A file of weights alone can still be scored.
  return gguf.metadata.has('tokenizer.ggml.model') ? { ...files, text: ggufText(gguf.metadata, gguf.files[0]!, config.vocabulary) } : files
}

/** One checkpoint of both files; no name is in both. */
const together = (text: Checkpoint, tower: Checkpoint): Checkpoint => ({
  ...tower,
  tensors: new Map([...text.tensors, ...tower.tensors]),
  bytes: text.bytes + tower.bytes,
})

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
