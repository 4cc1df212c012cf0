// GGUF Q5_0: 32 values in 22 bytes: f16 d, a fifth bit of each, then nibbles (all low ones first). value = d * (q - 16).
fn block_at(row: u32, column: u32) -> u32 { return part_at(0u) + (row * (row_columns() / 32u) + column / 32u) * 22u; }

fn block_code(row: u32, column: u32) -> i32 {
  let at = block_at(row, column);
  let low = (byte_at(at + 6u + column % 16u) >> ((column / 4u) & 4u)) & 15u;
  let high = (byte_at(at + 2u + column % 32u / 8u) >> (column % 8u)) & 1u;
  return i32(low | (high << 4u)) - 16;
}

fn block_span(row: u32, column: u32) -> vec2f { return vec2f(half_value(half_at(block_at(row, column))), 0.0); }
