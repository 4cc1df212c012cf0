// GGUF Q5_1: 32 values in 24 bytes: f16 d and m, a fifth bit of each, then nibbles (all low ones first). value = d * q + m.
fn block_at(row: u32, column: u32) -> u32 { return part_at(0u) + (row * (row_columns() / 32u) + column / 32u) * 24u; }

fn block_code(row: u32, column: u32) -> i32 {
  let at = block_at(row, column);
  let low = (byte_at(at + 8u + column % 16u) >> ((column / 4u) & 4u)) & 15u;
  let high = (source[at / 4u + 1u] >> (column % 32u)) & 1u;
  return i32(low | (high << 4u)) - 16;
}

fn block_span(row: u32, column: u32) -> vec2f {
  let word = source[block_at(row, column) / 4u];
  let scale = half_value(word & 0xffffu);
  return vec2f(scale, half_value(word >> 16u) + 16.0 * scale);
}
