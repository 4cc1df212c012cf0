// Weights from codes: code * scale + offset, the two together a span. A word of Codes is four bytes: quads 0-3 in a, 4-7 in b.
// Codes are kept as code + CODE_ZERO; the offset takes that back. Needs SCALE_GROUPS (spans along a row), SCALES; span/, centre/.
struct Codes { a: vec4u, b: vec4u }
// Of eight neighbouring rows: scales, and what code 0 stands for.
struct Spans { low: vec4f, high: vec4f, low_zero: vec4f, high_zero: vec4f }

fn of_code(word: u32, span: vec2f) -> vec4f { return vec4f(unpack4xI8(word)) * span.x + span.y; }

// An f16 of a row: those of eight rows stand together behind the codes.
fn half_of(at: u32, row: u32, index: u32) -> f32 {
  return unpack2x16float(weights[at + (row / 8u) * SCALE_GROUPS + index][(row % 8u) / 2u])[row % 2u];
}

// Four of eight neighbouring rows.
fn four_halves(words: vec2u) -> vec4f { return vec4f(unpack2x16float(words.x), unpack2x16float(words.y)); }

// A group of weights times 32 signed bytes (DP4A).
fn dot_codes(w: Codes, a: vec4u, b: vec4u) -> i32 {
  return dot4I8Packed(w.a.x, a.x) + dot4I8Packed(w.a.y, a.y) + dot4I8Packed(w.a.z, a.z) + dot4I8Packed(w.a.w, a.w)
    + dot4I8Packed(w.b.x, b.x) + dot4I8Packed(w.b.y, b.y) + dot4I8Packed(w.b.z, b.z) + dot4I8Packed(w.b.w, b.w);
}
