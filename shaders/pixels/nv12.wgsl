// Chroma in one plane, U and V in turns. rows: 14 bytes of a row, 15 first byte.
fn chroma(column: u32, row: u32) -> vec2i {
  let first = rows[15] + row * rows[14] + 2u * column;
  return vec2i(byte_at(first), byte_at(first + 1u));
}
