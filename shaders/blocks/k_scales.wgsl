// The head of a Q4_K or Q5_K block, in words: f16 d and dmin, then eight scales and eight minima of 6 bits in 12 bytes.
// value = d * scale * q - dmin * minimum.
fn k_small(word: u32, group: u32) -> vec2u {
  let byte = 8u * (group % 4u);
  let first = source[word + 1u] >> byte;
  let second = source[word + 2u] >> byte;
  let third = source[word + 3u] >> byte;
  // Groups 0..3: six bits of a byte each. 4..7: four bits, and two from the top of the bytes before.
  if (group < 4u) { return vec2u(first & 63u, second & 63u); }
  return vec2u((third & 15u) | ((first >> 2u) & 48u), ((third >> 4u) & 15u) | ((second >> 2u) & 48u));
}

// Scale and centre of a group of 32 where codes are q - shift.
fn k_span(word: u32, group: u32, shift: f32) -> vec2f {
  let small = k_small(word, group);
  let step = half_value(source[word] & 0xffffu) * f32(small.x);
  return vec2f(step, shift * step - half_value(source[word] >> 16u) * f32(small.y));
}
