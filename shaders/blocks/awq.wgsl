// AWQ (gemm): value = (q - zero) * scale. Columns stand one behind the other: codes [in, out / 8] and zeros [in / g, out / 8], eight rows to a word
// in the order 0 2 4 6 1 3 5 7; scales f16 [in / g, out].
fn source_group(column: u32) -> u32 { return (window_group() * 32u % SOURCE_GROUP + column) / SOURCE_GROUP; }

fn nibble_of(word: u32, row: u32) -> u32 { return (word >> (row % 8u / 2u * 4u + row % 2u * 16u)) & 15u; }

fn block_code(row: u32, column: u32) -> i32 {
  return i32(nibble_of(source[part_at(0u) / 4u + column * (window_rows() / 8u) + row / 8u], row)) - 8;
}

fn block_span(row: u32, column: u32) -> vec2f {
  let group = source_group(column);
  let scale = half_value(half_at(part_at(1u) + (group * window_rows() + row) * 2u));
  let zero = nibble_of(source[part_at(2u) / 4u + group * (window_rows() / 8u) + row / 8u], row);
  return vec2f(scale, (8.0 - f32(zero)) * scale);
}
