// 4-bit weights: codes 0..15 stand for (code - 8) * scale. Needs GROUPS, SCALES (vec4 offset of the f16 scales).
// One vec4<u32> holds 32 codes of one row; byte b of a word holds code b (low nibble) and code b + 4 (high nibble).
@group(0) @binding(0) var<storage, read> weights: array<vec4u>;

fn weights4(row: u32, group: u32, quad: u32) -> vec4f {
  let block = (row / 8u) * GROUPS + group;
  let word = weights[block * 8u + row % 8u][quad / 2u];
  let scale = unpack2x16float(weights[SCALES + block][(row % 8u) / 2u])[row % 2u];
  return (vec4f(unpack4xU8((word >> (4u * (quad % 2u))) & 0x0f0f0f0fu)) - 8.0) * scale;
}
