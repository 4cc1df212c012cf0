// Code 0 stands for 0.
fn span_at(row: u32, index: u32) -> vec2f {
  let s = half_of(SCALES, row, index);
  return vec2f(s, -CODE_ZERO * s);
}
