// y[row] = embedding[token of row]. One thread per group of 32; a split table runs once per part and each row finds its own.
// A row whose token is no word (a picture's) is left as it is.
// Needs GROUPS, ROWS_OUT, ROW_OFFSET (rows of this part), weights32, rows.wgsl.
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(5) var<storage, read> rows: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y;
  if (row >= rows[0] || id.x >= GROUPS) { return; }
  let token = row_token(row);
  if (token < ROW_OFFSET || token >= ROW_OFFSET + ROWS_OUT) { return; }
  let w = weights32(token - ROW_OFFSET, id.x);
  let at = (row * GROUPS + id.x) * 8u;
  y[at] = w.a;
  y[at + 1u] = w.b;
  y[at + 2u] = w.c;
  y[at + 3u] = w.d;
  y[at + 4u] = w.e;
  y[at + 5u] = w.f;
  y[at + 6u] = w.g;
  y[at + 7u] = w.h;
}
