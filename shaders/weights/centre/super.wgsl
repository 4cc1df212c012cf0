// Scale and minimum are bytes, times two f16 of 256 values; codes count from the minimum. Needs CENTRES (vec4 offset of these pairs, eight rows together),
// SUPERS (pairs along a row), PER_SUPER (scales of a pair).
fn span_at(row: u32, index: u32) -> vec2f {
  let small = (weights[SCALES + (row / 8u) * SCALE_GROUPS + index][(row % 8u) / 2u] >> (16u * (row % 2u))) & 0xffffu;
  let whole = unpack2x16float(weights[CENTRES + ((row / 8u) * SUPERS + index / PER_SUPER) * 2u + (row % 8u) / 4u][row % 4u]);
  return vec2f(whole.x * f32(extractBits(i32(small), 0u, 8u)), -whole.y * f32(small >> 8u));
}
