// 4-bit weights: -8..7, kept as 0..15. Needs GROUPS, SCALES (vec4 offset of the f16 scales); coded.wgsl.
// One vec4<u32> holds 32 codes of one row; byte b of a word holds code b (low nibble) and code b + 4 (high nibble).
@group(0) @binding(0) var<storage, read> weights: array<vec4u>;
const CODE_ZERO = 8.0;

fn codes(row: u32, group: u32) -> Codes {
  let packed = weights[((row / 8u) * GROUPS + group) * 8u + row % 8u];
  let low = packed & vec4u(0x0f0f0f0fu);
  let high = (packed >> vec4u(4u)) & vec4u(0x0f0f0f0fu);
  return Codes(vec4u(low.x, high.x, low.y, high.y), vec4u(low.z, high.z, low.w, high.w));
}

// 16 codes of a row: an even half stands in two words of the group, an odd one in the others.
fn half_codes(row: u32, half: u32) -> vec4u {
  let packed = weights[((row / 8u) * GROUPS + half / 2u) * 8u + row % 8u];
  let words = select(packed.xy, packed.zw, half % 2u == 1u);
  return vec4u(words.x, words.x >> 4u, words.y, words.y >> 4u) & vec4u(0x0f0f0f0fu);
}
