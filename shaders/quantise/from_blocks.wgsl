// Source values stored as codes (blocks/*.wgsl).
fn read_value(row: u32, column: u32) -> f32 {
  let span = block_span(row, column);
  return f32(block_code(row, column)) * span.x + span.y;
}
