// GGUF Q8_0: 32 values in 34 bytes: f16 d, then signed bytes. value = d * q.
fn block_at(row: u32, column: u32) -> u32 { return part_at(0u) + (row * (row_columns() / 32u) + column / 32u) * 34u; }

fn block_code(row: u32, column: u32) -> i32 { return i32(byte_at(block_at(row, column) + 2u + column % 32u) << 24u) >> 24u; }

fn block_span(row: u32, column: u32) -> vec2f { return vec2f(half_value(half_at(block_at(row, column))), 0.0); }
