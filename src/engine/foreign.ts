// A folder whose config.json names a quantisation, or a family by another name: read as if it were a plain one.
import { GlmError } from '../errors.ts'
import { sourceBytes } from '../kernels/quantise.ts'
import { chatglmCheckpoint, chatglmConfig } from '../model/chatglm.ts'
import { type Config, parseConfig } from '../model/config.ts'
import { plainNames } from '../model/layout.ts'
import { packedCheckpoint, packedSettings } from '../weights/packed.ts'
import { openQuantised } from '../weights/quantised.ts'
import { openCheckpoint } from '../weights/safetensors.ts'
import type { Source } from '../weights/source.ts'
import type { Checkpoint } from '../weights/tensor.ts'
import { decodeVector } from '../weights/vector.ts'
import type { WeightFiles } from './checkpoint.ts'

export async function readForeign(
  source: Source,
  json: Record<string, unknown>,
  signal?: AbortSignal,
): Promise<Omit<WeightFiles, 'generation'>> {
  const { quantization_config: settings, ...plain } = json
  const remote = plain.model_type === 'chatglm'
  const own = parseConfig(remote ? chatglmConfig(plain) : plain)
  const raw = await openCheckpoint(source, signal)
  const opened = settings == null ? raw : await (isPacked(settings) ? packedCheckpoint : openQuantised)(source, raw, settings, signal)
  const checkpoint = remote ? chatglmCheckpoint(opened, own) : plainNames(opened)
  const has = (name: string) => checkpoint.tensors.has(`model.layers.0.${name}.weight`)
  const config: Config = { ...own, ...(has('self_attn.qkv_proj') && { together: true }), ...(has('mlp.gate_proj') && { apart: true }) }
  await checkBiases(source, checkpoint, config, signal)
  return { config, checkpoint }
}

const isPacked = (settings: unknown) => (settings as Record<string, unknown>).quant_method === packedSettings.quant_method

const layerBias = /^model\.layers\.(\d+)\.(?:self_attn\.(?:([qkv])|o)|mlp\.(?:gate_up|gate|up|down))_proj\.bias$/

/** Quantisers write biases that a model does not have, all 0; others would change every answer. */
async function checkBiases(source: Source, { tensors }: Checkpoint, config: Config, signal?: AbortSignal): Promise<void> {
  for (const [name, entry] of tensors) {
    const [, layer, part] = layerBias.exec(name) ?? []
    if (layer === undefined || Number(layer) >= config.layers || (part && config.qkvBias)) continue
    if (!Object.hasOwn(sourceBytes, entry.dtype))
      throw new GlmError('tensor_invalid', `The bias ${name} is stored as ${entry.dtype}; convert it to F16.`)
    const values = decodeVector(entry, await source.read(entry.file, entry.start, entry.end, signal))
    if (values.some((value) => value !== 0))
      throw new GlmError(
        'config_unsupported',
        `The tensor ${name} is a bias that the model's family does not have; choose another conversion.`,
      )
  }
}
