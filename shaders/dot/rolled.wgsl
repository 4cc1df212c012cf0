// 32 weights of a row times 32 values of x, as a loop: lavapipe takes 0.2 s to compile each place that reads a buffer.
fn dot32(w: Eight, row: u32, m: u32, quad: u32) -> f32 {
  let quads = array<vec4f, 8>(w.a, w.b, w.c, w.d, w.e, w.f, w.g, w.h);
  var sum = 0.0;
  for (var index = 0u; index < trips(8u); index++) { sum += dot(quads[index], scaled4(row, m, quad + index)); }
  return sum;
}
