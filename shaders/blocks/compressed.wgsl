// compressed-tensors, pack-quantized: value = (q - zero) * scale. Codes [out, in / 8], eight columns to a word; scales f16 or bf16 [out, in / g];
// zeros [out / 8, in / g], eight rows to a word, absent where all are 8; order u32 [in], the column of the file that stands at a column here.
fn source_groups() -> u32 { return (row_columns() + SOURCE_GROUP - 1u) / SOURCE_GROUP; }

fn block_code(row: u32, column: u32) -> i32 {
  var input = column;
  if (HAS_ORDER == 1u) { input = source[part_at(3u) / 4u + column]; }
  let word = source[part_at(0u) / 4u + row * ((row_columns() + 7u) / 8u) + input / 8u];
  return i32((word >> (4u * (input % 8u))) & 15u) - 8;
}

fn block_span(row: u32, column: u32) -> vec2f {
  let group = column / SOURCE_GROUP;
  let bits = half_at(part_at(1u) + (row * source_groups() + group) * 2u);
  var scale = bitcast<f32>(bits << 16u);
  if (SCALE_BF16 == 0u) { scale = half_value(bits); }
  if (HAS_ZERO == 0u) { return vec2f(scale, 0.0); }
  // A window may begin within the eight rows of a word.
  let beside = window_row() % 8u + row;
  let word = source[part_at(2u) / 4u + beside / 8u * source_groups() + group];
  return vec2f(scale, (8.0 - f32((word >> (4u * (beside % 8u))) & 15u)) * scale);
}
