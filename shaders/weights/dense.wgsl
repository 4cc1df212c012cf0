// Weights as they are, in `real` (f32, or f16 where the GPU has shader-f16). Needs GROUPS.
@group(0) @binding(0) var<storage, read> weights: array<vec4<real>>;

fn weights32(row: u32, group: u32) -> Eight {
  let at = ((row / 8u) * GROUPS + group) * 64u + row % 8u;
  return Eight(vec4f(weights[at]), vec4f(weights[at + 8u]), vec4f(weights[at + 16u]), vec4f(weights[at + 24u]),
    vec4f(weights[at + 32u]), vec4f(weights[at + 40u]), vec4f(weights[at + 48u]), vec4f(weights[at + 56u]));
}
