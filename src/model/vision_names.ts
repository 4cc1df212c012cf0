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

/** llama.cpp's names of a tower (mmproj) → ours; `N` is a block's number. */
const mmproj = {
  'v.patch_embd': 'patch',
  'v.norm_embd': 'embed_norm',
  'v.position_embd.weight': 'positions',
  'v.post_ln': 'post_norm',
  'mm.patch_merger': 'downsample',
  'mm.model.fc': 'merger.proj',
  'mm.post_norm': 'merger.norm',
  'mm.gate': 'merger.gate',
  'mm.up': 'merger.up',
  'mm.down': 'merger.down',
  'adapter.conv': 'downsample',
  'adapter.linear.linear': 'merger.proj',
  'adapter.linear.norm1': 'merger.norm',
  'adapter.linear.gate': 'merger.gate',
  'adapter.linear.dense_h_to_4h': 'merger.up',
  'adapter.linear.dense_4h_to_h': 'merger.down',
  'adapter.boi': 'begin',
  'adapter.eoi': 'end',
  'v.blk.N.ln1': 'block.N.norm1',
  'v.blk.N.ln2': 'block.N.norm2',
  'v.blk.N.attn_qkv': 'block.N.qkv',
  'v.blk.N.attn_q': 'block.N.q',
  'v.blk.N.attn_k': 'block.N.k',
  'v.blk.N.attn_v': 'block.N.v',
  'v.blk.N.attn_q_norm': 'block.N.q_norm',
  'v.blk.N.attn_k_norm': 'block.N.k_norm',
  'v.blk.N.attn_out': 'block.N.o',
  'v.blk.N.ffn_gate': 'block.N.gate',
  'v.blk.N.ffn_up': 'block.N.up',
  'v.blk.N.ffn_down': 'block.N.down',
}
const ours = new Map<string, string>(Object.entries(mmproj))

/** Our name of an mmproj's tensor; undefined for one that no tower of ours has. */
export function mmprojName(tensor: string): string | undefined {
  const [, block, part] = /^v\.blk\.(\d{1,5})\.(.*)$/.exec(tensor) ?? []
  if (part === undefined && tensor.startsWith('v.blk.')) return undefined
  const own = part === undefined ? tensor : `v.blk.N.${part}`
  const [, stem, ending = ''] = /^(.*?)(\.weight|\.bias)?$/s.exec(own)!
  const name = ours.get(own) ?? (ours.has(stem!) ? ours.get(stem!)! + ending : undefined)
  return name?.replace('N', block ?? '')
}
