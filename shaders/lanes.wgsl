// How matmul.wgsl and dot8.wgsl add up what the lanes of a weight row leave in `partial`.
// Needs WG, LANES, STRIPES and a file of squares/.
const STRIPE = WG / LANES;
const OUT = STRIPE * STRIPES;

fn total2(m: u32, local: u32) -> vec2f {
  let stripe = local / STRIPE;
  let block = local % STRIPE / 8u;
  var total = vec2f();
  for (var part = 0u; part < trips(LANES); part++) {
    let at = (m * STRIPES + stripe) * WG + (block * LANES + part) * 8u + local % 8u;
    total += vec2f(partial[at], partial[at + 1u]);
  }
  if (!NORMED) { return total; }
  return total * factor(squared(m));
}
