// A pixel of four bytes: red, green, blue, and alpha, which is not looked at. rows: 12 pixels of a row, 13 first pixel.
fn pixel(column: u32, row: u32) -> vec3i {
  return vec3i(unpack4xU8(source[rows[13] + row * rows[12] + column]).xyz);
}
