// GGUF Q6_K: 256 values in 210 bytes: 128 of low nibbles, 64 of upper pairs of bits, 16 signed scales, f16 d. value = d * scale * (q - 32).
// In each half of 128: nibbles of 64 bytes, low ones first; pairs of 32 bytes, lowest first.
fn block_at(row: u32, column: u32) -> u32 { return part_at(0u) + (row * (row_columns() / 256u) + column / 256u) * 210u; }

fn block_code(row: u32, column: u32) -> i32 {
  let at = block_at(row, column);
  let half = column % 256u / 128u;
  let low = (byte_at(at + half * 64u + column % 64u) >> ((column / 16u) & 4u)) & 15u;
  let high = (byte_at(at + 128u + half * 32u + column % 32u) >> ((column / 16u) & 6u)) & 3u;
  return i32(low | (high << 4u)) - 32;
}

fn block_span(row: u32, column: u32) -> vec2f {
  let at = block_at(row, column);
  let scale = i32(byte_at(at + 192u + column % 256u / 16u) << 24u) >> 24u;
  return vec2f(half_value(half_at(at + 208u)) * f32(scale), 0.0);
}

fn block_parts(row: u32, column: u32) -> vec4u {
  let at = block_at(row, column);
  return vec4u(byte_at(at + 192u + column % 256u / 16u), 0u, half_at(at + 208u), 0u);
}
