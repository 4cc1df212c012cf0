// Weights as they are, in `real` (f32, or f16 where the GPU has shader-f16). Needs GROUPS.
@group(0) @binding(0) var<storage, read> weights: array<vec4<real>>;

fn weights4(row: u32, group: u32, quad: u32) -> vec4f {
  let block = (row / 8u) * GROUPS + group;
  return vec4f(weights[(block * 8u + quad) * 8u + row % 8u]);
}
