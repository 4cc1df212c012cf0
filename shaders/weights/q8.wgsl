// 8-bit weights: signed codes. Needs GROUPS, SCALES (vec4 offset of the f16 scales); coded.wgsl. Two vec4<u32> hold 32 codes of a row.
@group(0) @binding(0) var<storage, read> weights: array<vec4u>;
const CODE_ZERO = 0.0;

fn codes(row: u32, group: u32) -> Codes {
  let at = ((row / 8u) * GROUPS + group) * 16u + row % 8u;
  return Codes(weights[at], weights[at + 8u]);
}

// 16 codes of a row.
fn half_codes(row: u32, half: u32) -> vec4u { return weights[((row / 8u) * GROUPS * 2u + half) * 8u + row % 8u]; }
