// GGUF Q4_K: 256 values in 144 bytes: the head of k_scales.wgsl, then nibbles: of 32 bytes, low ones are a group of 32 and high ones the next.
fn block_word(row: u32, column: u32) -> u32 { return part_at(0u) / 4u + (row * (row_columns() / 256u) + column / 256u) * 36u; }

fn block_code(row: u32, column: u32) -> i32 {
  let word = source[block_word(row, column) + 4u + column % 256u / 64u * 8u + column % 32u / 4u];
  return i32((word >> (8u * (column % 4u) + ((column / 8u) & 4u))) & 15u) - 8;
}

fn block_span(row: u32, column: u32) -> vec2f { return k_span(block_word(row, column), column % 256u / 32u, 8.0); }

fn block_parts(row: u32, column: u32) -> vec4u {
  let word = block_word(row, column);
  return vec4u(k_small(word, column % 256u / 32u), source[word], 8u);
}
