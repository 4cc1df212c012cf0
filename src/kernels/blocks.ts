// WGSL that reads the codes of files: block_code and block_span of each type. In no list of kernels/files.ts, since only other files than our own need it.
import awq from '../../shaders/blocks/awq.wgsl?raw'
import compressed from '../../shaders/blocks/compressed.wgsl?raw'
import gptq from '../../shaders/blocks/gptq.wgsl?raw'
import kScales from '../../shaders/blocks/k_scales.wgsl?raw'
import q4Zero from '../../shaders/blocks/q4_0.wgsl?raw'
import q4One from '../../shaders/blocks/q4_1.wgsl?raw'
import q4K from '../../shaders/blocks/q4_k.wgsl?raw'
import q5Zero from '../../shaders/blocks/q5_0.wgsl?raw'
import q5One from '../../shaders/blocks/q5_1.wgsl?raw'
import q5K from '../../shaders/blocks/q5_k.wgsl?raw'
import q6K from '../../shaders/blocks/q6_k.wgsl?raw'
import q8Zero from '../../shaders/blocks/q8_0.wgsl?raw'
import type { ShaderFile } from '../gpu/shader.ts'

const sources = {
  awq,
  compressed,
  gptq,
  k_scales: kScales,
  q4_0: q4Zero,
  q4_1: q4One,
  q4_k: q4K,
  q5_0: q5Zero,
  q5_1: q5One,
  q5_k: q5K,
  q6_k: q6K,
  q8_0: q8Zero,
}

export type BlockName = keyof typeof sources

export const blockFiles = (...names: BlockName[]): ShaderFile[] =>
  names.map((name) => ({ name: `blocks/${name}.wgsl`, source: sources[name] }))
