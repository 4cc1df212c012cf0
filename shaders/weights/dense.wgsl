// Weights as they are, in `real` (f32, or f16 where the GPU has shader-f16). Needs GROUPS.
@group(0) @binding(0) var<storage, read> weights: array<vec4<real>>;

fn weights32(row: u32, group: u32) -> array<vec4f, 8> {
  let block = (row / 8u) * GROUPS + group;
  var result = array<vec4f, 8>();
  for (var quad = 0u; quad < 8u; quad++) {
    result[quad] = vec4f(weights[(block * 8u + quad) * 8u + row % 8u]);
  }
  return result;
}
