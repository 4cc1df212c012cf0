// Queries and keys of patches, in place: each head normed (gamma * x / rms(x)) where NORMED, then turned half-split by the row (first half of the angles)
// and the column (second half) of its patch: (x[i], x[i + d / 2]) -> (x[i] c - x[i + d / 2] s, x[i + d / 2] c + x[i] s).
// A thread per row, head, and q or k. rope: [coordinate][HEAD_DIM / 16][cosines of four, sines of four].
// Needs HEADS, HEAD_DIM (a multiple of 16), QUADS (of a row, in vec4f), NORMED, EPS, Q_NORM, K_NORM (offsets in aux, in vec4f); place.wgsl.
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>; // q
@group(0) @binding(9) var<storage, read_write> next: array<vec4f>; // k
@group(0) @binding(3) var<storage, read> aux: array<vec4f>;
@group(0) @binding(4) var<storage, read> rope: array<vec4f>;
@group(0) @binding(5) var<storage, read> rows: array<u32>;
const HALF = HEAD_DIM / 8u;
const QUARTER = HEAD_DIM / 16u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x / (2u * HEADS);
  if (row >= rows[0]) { return; }
  let keys = id.x % 2u == 1u;
  let at = row * QUADS + id.x / 2u % HEADS * (HEAD_DIM / 4u);
  let place = place_of(row);
  var factor = 1.0;
  if (NORMED == 1u) {
    var squares = 0.0;
    for (var quad = 0u; quad < trips(2u * HALF); quad++) {
      let value = part(keys, at + quad);
      squares += dot(value, value);
    }
    factor = 1.0 / sqrt(squares / f32(HEAD_DIM) + EPS);
  }
  for (var quad = 0u; quad < trips(HALF); quad++) {
    var low = part(keys, at + quad) * factor;
    var high = part(keys, at + quad + HALF) * factor;
    if (NORMED == 1u) {
      let gamma = select(Q_NORM, K_NORM, keys) + quad;
      low *= aux[gamma];
      high *= aux[gamma + HALF];
    }
    let angle = (select(place.y, place.x, quad < QUARTER) * QUARTER + quad % QUARTER) * 2u;
    let cosines = rope[angle];
    let sines = rope[angle + 1u];
    keep(keys, at + quad, low * cosines - high * sines);
    keep(keys, at + quad + HALF, high * cosines + low * sines);
  }
}

fn part(keys: bool, at: u32) -> vec4f {
  if (keys) { return next[at]; }
  return y[at];
}

fn keep(keys: bool, at: u32, value: vec4f) {
  if (keys) { next[at] = value; } else { y[at] = value; }
}
