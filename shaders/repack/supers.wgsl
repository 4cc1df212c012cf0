// Scales and minima as bytes, and two f16 of 256 values. Needs block_parts: scale, minimum, the f16 pair, and what codes are less than their count.
fn keep_span(source_row: u32, column: u32, to: u32, index: u32) {
  let parts = block_parts(source_row, column);
  keep_half(aux[5], to, index, (parts.x & 0xffu) | (parts.y << 8u));
  if (index % (256u / SCALE_GROUP) != 0u) { return; }
  check_half(parts.z);
  check_half(parts.z >> 16u);
  let wide = (row_groups() + 7u) / 8u;
  atomicStore(&y[aux[7] + ((to / 8u) * wide + index / (256u / SCALE_GROUP)) * 8u + to % 8u], parts.z);
}

fn code_shift(source_row: u32, column: u32) -> i32 { return i32(block_parts(source_row, column).w); }
