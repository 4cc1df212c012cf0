// GGUF Q4_0: 32 values in 18 bytes: f16 d, then nibbles (all low ones first). value = d * (q - 8).
fn block_at(row: u32, column: u32) -> u32 { return part_at(0u) + (row * (row_columns() / 32u) + column / 32u) * 18u; }

fn block_code(row: u32, column: u32) -> i32 {
  let byte = byte_at(block_at(row, column) + 2u + column % 16u);
  return i32((byte >> ((column / 4u) & 4u)) & 15u) - 8;
}

fn block_span(row: u32, column: u32) -> vec2f { return vec2f(half_value(half_at(block_at(row, column))), 0.0); }
