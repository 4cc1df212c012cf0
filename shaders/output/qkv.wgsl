// Bias, rotary embedding of adjacent pairs, then: queries to y, keys and values to the row's place in its page.
//   (a, b) -> (a cos - b sin, b cos + a sin)   for dims below ROTARY
// Needs HEADS, KV_HEADS, HEAD_DIM, ROTARY, BIAS (offset in aux in f32, or NO_BIAS), Y_STRIDE; kv_write2(index of the pair, pair).
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read> rope: array<vec2f>;
const NO_BIAS = 0xffffffffu;
const QUERY_ROWS = HEADS * HEAD_DIM;

fn bias2(n: u32) -> vec2f {
  if (BIAS == NO_BIAS) { return vec2f(); }
  let quad = aux[(BIAS + n) / 4u];
  return select(quad.xy, quad.zw, (BIAS + n) % 4u == 2u);
}

fn rotate(pair: vec2f, position: u32, dim: u32) -> vec2f {
  if (dim >= ROTARY) { return pair; }
  let angle = rope[position * (ROTARY / 2u) + dim / 2u];
  return vec2f(pair.x * angle.x - pair.y * angle.y, pair.y * angle.x + pair.x * angle.y);
}

fn finish(row: u32, n: u32, value: vec2f) {
  let pair = value + bias2(n);
  let position = row_position(row);
  let dim = n % HEAD_DIM;
  if (n < QUERY_ROWS) {
    let turned = rotate(pair, position, dim);
    y[row * Y_STRIDE + n] = turned.x;
    y[row * Y_STRIDE + n + 1u] = turned.y;
    return;
  }
  let which = (n - QUERY_ROWS) / (KV_HEADS * HEAD_DIM);
  let head = ((n - QUERY_ROWS) / HEAD_DIM) % KV_HEADS;
  let at = ((page_of(row, position) * 2u + which) * KV_HEADS + head) * 64u + position % 64u;
  let index = (at * HEAD_DIM + dim) / 2u;
  if (which == 0u) { kv_write2(index, rotate(pair, position, dim)); } else { kv_write2(index, pair); }
}
