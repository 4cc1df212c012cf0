// One scale for PER_SCALE groups of 32.
fn span(row: u32, group: u32) -> vec2f { return span_at(row, group / PER_SCALE); }

fn weights32(row: u32, group: u32) -> Eight {
  let c = codes(row, group);
  let s = span(row, group);
  return Eight(of_code(c.a.x, s), of_code(c.a.y, s), of_code(c.a.z, s), of_code(c.a.w, s),
    of_code(c.b.x, s), of_code(c.b.y, s), of_code(c.b.z, s), of_code(c.b.w, s));
}
