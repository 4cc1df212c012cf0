// GPTQ: value = (q - zero) * scale. Columns stand one behind the other: codes [in / 8, out], eight columns to a word; scales f16 [in / g, out];
// zeros [in / g, out / 8], less one where ZERO_ADD is 1, absent where all are 8; order u32 [in], the column of the file that stands at a column here.
fn source_group(column: u32) -> u32 { return (window_group() * 32u % SOURCE_GROUP + column) / SOURCE_GROUP; }

fn block_code(row: u32, column: u32) -> i32 {
  var input = column;
  if (HAS_ORDER == 1u) { input = source[part_at(3u) / 4u + column]; }
  let word = source[part_at(0u) / 4u + input / 8u * window_rows() + row];
  return i32((word >> (4u * (input % 8u))) & 15u) - 8;
}

fn block_span(row: u32, column: u32) -> vec2f {
  let group = source_group(column);
  let scale = half_value(half_at(part_at(1u) + (group * window_rows() + row) * 2u));
  if (HAS_ZERO == 0u) { return vec2f(scale, 0.0); }
  let word = source[part_at(2u) / 4u + group * ((window_rows() + 7u) / 8u) + row / 8u];
  let zero = ((word >> (4u * (row % 8u))) + ZERO_ADD) & 15u;
  return vec2f(scale, (8.0 - f32(zero)) * scale);
}
