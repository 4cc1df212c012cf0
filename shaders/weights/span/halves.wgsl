// A scale for each half of a group of 32.
fn weights32(row: u32, group: u32) -> Eight {
  let c = codes(row, group);
  let s = span_at(row, group * 2u);
  let t = span_at(row, group * 2u + 1u);
  return Eight(of_code(c.a.x, s), of_code(c.a.y, s), of_code(c.a.z, s), of_code(c.a.w, s),
    of_code(c.b.x, t), of_code(c.b.y, t), of_code(c.b.z, t), of_code(c.b.w, t));
}
