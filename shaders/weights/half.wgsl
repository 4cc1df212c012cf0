// f16 weights on a GPU without shader-f16: the same layout as dense.wgsl, unpacked by a core function. Needs GROUPS.
@group(0) @binding(0) var<storage, read> weights: array<vec2u>;

fn weights32(row: u32, group: u32) -> Eight {
  let at = ((row / 8u) * GROUPS + group) * 64u + row % 8u;
  return Eight(halves4(at), halves4(at + 8u), halves4(at + 16u), halves4(at + 24u),
    halves4(at + 32u), halves4(at + 40u), halves4(at + 48u), halves4(at + 56u));
}

fn halves4(at: u32) -> vec4f {
  let packed = weights[at];
  return vec4f(unpack2x16float(packed.x), unpack2x16float(packed.y));
}
