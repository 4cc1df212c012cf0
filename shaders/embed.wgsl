// y[row] = embedding[token of row]. One thread per group of 32; a split table runs once per part and each row finds its own.
// Needs GROUPS, ROWS_OUT, ROW_OFFSET (rows of this part), weights4, trips, rows.wgsl.
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(5) var<storage, read> rows: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y;
  if (row >= rows[0] || id.x >= GROUPS) { return; }
  let token = row_token(row);
  if (token < ROW_OFFSET || token >= ROW_OFFSET + ROWS_OUT) { return; }
  for (var quad = 0u; quad < trips(8u); quad++) { y[(row * GROUPS + id.x) * 8u + quad] = weights4(token - ROW_OFFSET, id.x, quad); }
}
