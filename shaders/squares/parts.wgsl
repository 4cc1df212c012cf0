// A sum of squares from its parts in `square_parts`. Needs PARTS.
fn squared(m: u32) -> f32 {
  var sum = 0.0;
  for (var part = 0u; part < trips(PARTS); part++) { sum += square_parts[m * PARTS + part]; }
  return sum;
}
