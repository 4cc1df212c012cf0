// GGUF Q5_K: 256 values in 176 bytes: the head of k_scales.wgsl, 32 bytes whose bit g is the fifth bit of a value of group g, nibbles as in Q4_K.
fn block_word(row: u32, column: u32) -> u32 { return part_at(0u) / 4u + (row * (row_columns() / 256u) + column / 256u) * 44u; }

fn block_code(row: u32, column: u32) -> i32 {
  let at = block_word(row, column);
  let byte = 8u * (column % 4u);
  let low = source[at + 12u + column % 256u / 64u * 8u + column % 32u / 4u] >> (byte + ((column / 8u) & 4u));
  let high = source[at + 4u + column % 32u / 4u] >> (byte + column % 256u / 32u);
  return i32((low & 15u) | ((high & 1u) << 4u)) - 16;
}

fn block_span(row: u32, column: u32) -> vec2f { return k_span(block_word(row, column), column % 256u / 32u, 16.0); }

fn block_parts(row: u32, column: u32) -> vec4u {
  let word = block_word(row, column);
  return vec4u(k_small(word, column % 256u / 32u), source[word], 16u);
}
