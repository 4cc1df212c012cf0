// f16 weights on a GPU without shader-f16: the same layout as dense.wgsl, unpacked by a core function. Needs GROUPS.
@group(0) @binding(0) var<storage, read> weights: array<vec2u>;

fn weights4(row: u32, group: u32, quad: u32) -> vec4f {
  let block = (row / 8u) * GROUPS + group;
  let packed = weights[(block * 8u + quad) * 8u + row % 8u];
  return vec4f(unpack2x16float(packed.x), unpack2x16float(packed.y));
}
