// Code 0 stands for a value of its own. Needs CENTRES (vec4 offset of these f16 values, behind the scales).
fn span_at(row: u32, index: u32) -> vec2f {
  let s = half_of(SCALES, row, index);
  return vec2f(s, half_of(CENTRES, row, index) - CODE_ZERO * s);
}
