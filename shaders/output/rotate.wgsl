// What queries and keys go through: bias, then rotary embedding of adjacent pairs,
//   (a, b) -> (a cos - b sin, b cos + a sin)   for dims below ROTARY
// Needs HEADS, KV_HEADS, HEAD_DIM, ROTARY, BIAS (offset in aux in f32, or NO_BIAS), Y_STRIDE.
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read> rope: array<vec2f>;
const NO_BIAS = 0xffffffffu;
const QUERY_ROWS = HEADS * HEAD_DIM;

fn biased(n: u32, value: vec2f) -> vec2f {
  if (BIAS == NO_BIAS) { return value; }
  let quad = aux[(BIAS + n) / 4u];
  return value + select(quad.xy, quad.zw, (BIAS + n) % 4u == 2u);
}

fn rotate(pair: vec2f, row: u32, dim: u32) -> vec2f {
  if (dim >= ROTARY) { return pair; }
  let angle = rope[row_turn(row) * (ROTARY / 2u) + dim / 2u];
  return vec2f(pair.x * angle.x - pair.y * angle.y, pair.y * angle.x + pair.x * angle.y);
}

fn finish_query(row: u32, n: u32, value: vec2f) {
  let turned = rotate(biased(n, value), row, n % HEAD_DIM);
  y[row * Y_STRIDE + n] = turned.x;
  y[row * Y_STRIDE + n + 1u] = turned.y;
}

// Output n of a row, a key or a value: rotated if it is a key.
fn turned_kv(row: u32, n: u32, value: vec2f) -> vec2f {
  let pair = biased(n, value);
  if (n >= QUERY_ROWS + KV_HEADS * HEAD_DIM) { return pair; }
  return rotate(pair, row, n % HEAD_DIM);
}

// Where output n of a row stands in the pool, in values.
fn kv_place(row: u32, n: u32) -> u32 {
  let which = (n - QUERY_ROWS) / (KV_HEADS * HEAD_DIM);
  let head = ((n - QUERY_ROWS) / HEAD_DIM) % KV_HEADS;
  let position = row_position(row);
  return (((page_of(row, position) * 2u + which) * KV_HEADS + head) * 64u + position % 64u) * HEAD_DIM + n % HEAD_DIM;
}
