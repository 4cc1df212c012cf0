// 8-bit weights: signed codes times a scale. Needs GROUPS, SCALES (vec4 offset of the f16 scales). Two vec4<u32> hold 32 codes of one row.
@group(0) @binding(0) var<storage, read> weights: array<vec4u>;

fn weights32(row: u32, group: u32) -> array<vec4f, 8> {
  let block = (row / 8u) * GROUPS + group;
  let scale = unpack2x16float(weights[SCALES + block][(row % 8u) / 2u])[row % 2u];
  var result = array<vec4f, 8>();
  for (var word = 0u; word < 8u; word++) {
    let codes = weights[(block * 2u + word / 4u) * 8u + row % 8u][word % 4u];
    result[word] = vec4f(unpack4xI8(codes)) * scale;
  }
  return result;
}
