// GGUF Q4_1: 32 values in 20 bytes: f16 d and m, then nibbles (all low ones first). value = d * q + m.
fn block_at(row: u32, column: u32) -> u32 { return part_at(0u) + (row * (row_columns() / 32u) + column / 32u) * 20u; }

fn block_code(row: u32, column: u32) -> i32 {
  let byte = byte_at(block_at(row, column) + 4u + column % 16u);
  return i32((byte >> ((column / 4u) & 4u)) & 15u) - 8;
}

fn block_span(row: u32, column: u32) -> vec2f {
  let word = source[block_at(row, column) / 4u];
  let scale = half_value(word & 0xffffu);
  return vec2f(scale, half_value(word >> 16u) + 8.0 * scale);
}
