// Code 0 stands for a value of its own. Needs CENTRES (vec4 offset of these f16 values, behind the scales).
fn span_at(row: u32, index: u32) -> vec2f {
  let s = half_of(SCALES, row, index);
  return vec2f(s, half_of(CENTRES, row, index) - CODE_ZERO * s);
}

// Of the block of eight rows that begins with `first`.
fn spans8(first: u32, index: u32) -> Spans {
  let at = (first / 8u) * SCALE_GROUPS + index;
  let scales = weights[SCALES + at];
  let centres = weights[CENTRES + at];
  let low = four_halves(scales.xy);
  let high = four_halves(scales.zw);
  return Spans(low, high, four_halves(centres.xy) - CODE_ZERO * low, four_halves(centres.zw) - CODE_ZERO * high);
}
