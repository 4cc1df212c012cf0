// Source values stored as codes in sorted columns: part 4 tells where each input stands.
fn read_value(row: u32, column: u32) -> f32 {
  let place = source[part_at(4u) / 4u + column];
  let span = block_span(row, place);
  return f32(block_code(row, place)) * span.x + span.y;
}
