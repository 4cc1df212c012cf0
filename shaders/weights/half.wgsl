// f16 weights on a GPU without shader-f16: the same layout as dense.wgsl, unpacked by a core function. Needs GROUPS.
@group(0) @binding(0) var<storage, read> weights: array<vec2u>;

fn weights32(row: u32, group: u32) -> array<vec4f, 8> {
  let block = (row / 8u) * GROUPS + group;
  var result = array<vec4f, 8>();
  for (var quad = 0u; quad < 8u; quad++) {
    let packed = weights[(block * 8u + quad) * 8u + row % 8u];
    result[quad] = vec4f(unpack2x16float(packed.x), unpack2x16float(packed.y));
  }
  return result;
}
