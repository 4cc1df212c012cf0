// Scales and, where CENTRED, centres as f16.
fn keep_span(source_row: u32, column: u32, to: u32, index: u32) {
  let span = block_span(source_row, column);
  let scale = half_bits(span.x);
  check_half(scale);
  keep_half(aux[5], to, index, scale);
  if (CENTRED == 1u) {
    let centre = half_bits(span.y);
    check_half(centre);
    keep_half(aux[7], to, index, centre);
  }
}

fn code_shift(source_row: u32, column: u32) -> i32 { return 0; }
