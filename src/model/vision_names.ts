// What checkpoints call the tensors of a vision tower, as tables: our name → the names it may have in a file, the published one first.
import type { VisionConfig } from './vision_config.ts'

/** Our name of a tensor → what files call it. */
export type Names = (name: string) => string[]

interface Table {
  prefixes: readonly string[]
  names: Readonly<Record<string, string>>
  /** Of a block; `N` is its number. */
  block: Readonly<Record<string, string>>
}

/** transformers 5 and before, of GLM-4.1V, 4.6V and OCR. */
const glm: Table = {
  prefixes: ['model.visual.', 'visual.'],
  names: {
    patch: 'patch_embed.proj',
    embed_norm: 'post_conv_layernorm',
    positions: 'embeddings.position_embedding.weight',
    post_norm: 'post_layernorm',
    downsample: 'downsample',
    'merger.proj': 'merger.proj',
    'merger.norm': 'merger.post_projection_norm',
    'merger.gate': 'merger.gate_proj',
    'merger.up': 'merger.up_proj',
    'merger.down': 'merger.down_proj',
  },
  block: {
    norm1: 'blocks.N.norm1',
    norm2: 'blocks.N.norm2',
    qkv: 'blocks.N.attn.qkv',
    q_norm: 'blocks.N.attn.q_norm',
    k_norm: 'blocks.N.attn.k_norm',
    o: 'blocks.N.attn.proj',
    gate: 'blocks.N.mlp.gate_proj',
    up: 'blocks.N.mlp.up_proj',
    down: 'blocks.N.mlp.down_proj',
  },
}

const vit = 'vit.model.vision_model.'

/** GLM-Edge-V as it is published. */
const edge: Table = {
  prefixes: ['model.vision.'],
  names: {
    patch: `${vit}embeddings.patch_embedding`,
    positions: `${vit}embeddings.position_embedding.weight`,
    post_norm: `${vit}post_layernorm`,
    downsample: 'adapter.conv',
    'merger.proj': 'adapter.linear.linear',
    'merger.norm': 'adapter.linear.norm1',
    'merger.gate': 'adapter.linear.gate_proj',
    'merger.up': 'adapter.linear.dense_h_to_4h',
    'merger.down': 'adapter.linear.dense_4h_to_h',
    begin: 'adapter.boi',
    end: 'adapter.eoi',
  },
  block: {
    norm1: `${vit}encoder.layers.N.layer_norm1`,
    norm2: `${vit}encoder.layers.N.layer_norm2`,
    q: `${vit}encoder.layers.N.self_attn.q_proj`,
    k: `${vit}encoder.layers.N.self_attn.k_proj`,
    v: `${vit}encoder.layers.N.self_attn.v_proj`,
    o: `${vit}encoder.layers.N.self_attn.out_proj`,
    up: `${vit}encoder.layers.N.mlp.fc1`,
    down: `${vit}encoder.layers.N.mlp.fc2`,
  },
}

const tables: Record<VisionConfig['family'], Table> = { glm4v: glm, glm_ocr: glm, glm_edge_v: edge }

export function namesOf(family: VisionConfig['family']): Names {
  const { prefixes, names, block } = tables[family]
  return (name) => {
    const [, layer, part] = /^block\.(\d+)\.(.*)$/.exec(name) ?? []
    const [, stem, ending = ''] = /^(.*?)(\.weight|\.bias)?$/.exec(part ?? name)!
    const own = (part === undefined ? names : block)[stem!]
    return own === undefined ? [] : prefixes.map((prefix) => prefix + own.replace('N', layer ?? '') + ending)
  }
}
