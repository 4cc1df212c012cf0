// 32 weights of a row times 32 values of x, written out: compilers keep all of it in registers.
fn dot32(w: Eight, row: u32, m: u32, quad: u32) -> f32 {
  return dot(w.a, scaled4(row, m, quad)) + dot(w.b, scaled4(row, m, quad + 1u)) + dot(w.c, scaled4(row, m, quad + 2u))
    + dot(w.d, scaled4(row, m, quad + 3u)) + dot(w.e, scaled4(row, m, quad + 4u)) + dot(w.f, scaled4(row, m, quad + 5u))
    + dot(w.g, scaled4(row, m, quad + 6u)) + dot(w.h, scaled4(row, m, quad + 7u));
}
