// Code 0 stands for 0.
fn span_at(row: u32, index: u32) -> vec2f {
  let s = half_of(SCALES, row, index);
  return vec2f(s, -CODE_ZERO * s);
}

// Of the block of eight rows that begins with `first`.
fn spans8(first: u32, index: u32) -> Spans {
  let scales = weights[SCALES + (first / 8u) * SCALE_GROUPS + index];
  let low = four_halves(scales.xy);
  let high = four_halves(scales.zw);
  return Spans(low, high, -CODE_ZERO * low, -CODE_ZERO * high);
}
