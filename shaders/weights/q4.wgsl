// 4-bit weights: codes 0..15 stand for (code - 8) * scale. Needs GROUPS, SCALES (vec4 offset of the f16 scales).
// One vec4<u32> holds 32 codes of one row; byte b of a word holds code b (low nibble) and code b + 4 (high nibble).
@group(0) @binding(0) var<storage, read> weights: array<vec4u>;

fn weights32(row: u32, group: u32) -> array<vec4f, 8> {
  let block = (row / 8u) * GROUPS + group;
  let codes = weights[block * 8u + row % 8u];
  let scale = unpack2x16float(weights[SCALES + block][(row % 8u) / 2u])[row % 2u];
  var result = array<vec4f, 8>();
  for (var word = 0u; word < 4u; word++) {
    result[word * 2u] = (vec4f(unpack4xU8(codes[word] & 0x0f0f0f0fu)) - 8.0) * scale;
    result[word * 2u + 1u] = (vec4f(unpack4xU8((codes[word] >> 4u) & 0x0f0f0f0fu)) - 8.0) * scale;
  }
  return result;
}
