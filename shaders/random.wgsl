// Counter-based random numbers: the draw depends on (seed, index) alone, never on timing. PCG output permutation over a hashed counter.
fn pcg(value: u32) -> u32 {
  let state = value * 747796405u + 2891336453u;
  let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
  return (word >> 22u) ^ word;
}

fn uniform01(seed: vec2u, index: u32) -> f32 {
  return f32(pcg(pcg(pcg(seed.x) ^ seed.y) + index) >> 8u) / 16777216.0;
}
