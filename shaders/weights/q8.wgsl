// 8-bit weights: signed codes times a scale. Needs GROUPS, SCALES (vec4 offset of the f16 scales). Two vec4<u32> hold 32 codes of one row.
@group(0) @binding(0) var<storage, read> weights: array<vec4u>;

fn weights4(row: u32, group: u32, quad: u32) -> vec4f {
  let block = (row / 8u) * GROUPS + group;
  let codes = weights[(block * 2u + quad / 4u) * 8u + row % 8u][quad % 4u];
  let scale = unpack2x16float(weights[SCALES + block][(row % 8u) / 2u])[row % 2u];
  return vec4f(unpack4xI8(codes)) * scale;
}
