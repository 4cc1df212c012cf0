// Chroma in two planes. rows: 14 bytes of a row of U, 15 its first byte, 16 and 17 the same of V.
fn chroma(column: u32, row: u32) -> vec2i {
  return vec2i(byte_at(rows[15] + row * rows[14] + column), byte_at(rows[17] + row * rows[16] + column));
}
