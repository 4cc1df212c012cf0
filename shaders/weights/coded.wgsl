// Weights from codes: (code - CODE_ZERO) * scale. A word of Codes is four bytes: quads 0-3 in a, 4-7 in b.
struct Codes { a: vec4u, b: vec4u }

fn weights32(row: u32, group: u32) -> Eight {
  let c = codes(row, group);
  let s = scale(row, group);
  return Eight(of_code(c.a.x, s), of_code(c.a.y, s), of_code(c.a.z, s), of_code(c.a.w, s),
    of_code(c.b.x, s), of_code(c.b.y, s), of_code(c.b.z, s), of_code(c.b.w, s));
}

fn of_code(word: u32, s: f32) -> vec4f { return (vec4f(unpack4xI8(word)) - CODE_ZERO) * s; }

// The f16 scales of eight rows stand together behind the codes.
fn scale(row: u32, group: u32) -> f32 {
  return unpack2x16float(weights[SCALES + (row / 8u) * GROUPS + group][(row % 8u) / 2u])[row % 2u];
}

// A group of weights times 32 signed bytes (DP4A).
fn dot_codes(w: Codes, a: vec4u, b: vec4u) -> i32 {
  return dot4I8Packed(w.a.x, a.x) + dot4I8Packed(w.a.y, a.y) + dot4I8Packed(w.a.z, a.z) + dot4I8Packed(w.a.w, a.w)
    + dot4I8Packed(w.b.x, b.x) + dot4I8Packed(w.b.y, b.y) + dot4I8Packed(w.b.z, b.z) + dot4I8Packed(w.b.w, b.w);
}
