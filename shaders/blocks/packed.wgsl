// Our packed form: codes u32 [rows, words], f16 scales and, where HAS_CENTRES, f16 centres [rows, groups]; rows are padded to whole groups.
// 4 bits: byte b of a word holds code + 8 of column 8w + b (low nibble) and of 8w + b + 4 (high one); 8 bits: byte b is column 4w + b, signed.
fn source_groups() -> u32 { return (row_columns() + SOURCE_GROUP - 1u) / SOURCE_GROUP; }

fn block_code(row: u32, column: u32) -> i32 {
  let word = source[part_at(0u) / 4u + row * (source_groups() * (SOURCE_GROUP * BITS / 32u)) + column / (32u / BITS)];
  let byte = 8u * (column % 4u);
  if (BITS == 8u) { return i32(word << (24u - byte)) >> 24u; }
  return i32((word >> (byte + (column & 4u))) & 15u) - 8;
}

fn block_span(row: u32, column: u32) -> vec2f {
  let at = (row * source_groups() + column / SOURCE_GROUP) * 2u;
  var centre = 0.0;
  if (HAS_CENTRES == 1u) { centre = half_value(half_at(part_at(2u) + at)); }
  return vec2f(half_value(half_at(part_at(1u) + at)), centre);
}
