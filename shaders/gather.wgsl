// The input of a matrix whose columns stand in another order than the file's: y[row, k] = x[row, order[k]], 0 in the padding behind COLUMNS.
// Needs X_STRIDE, Y_STRIDE (values of a padded row), COLUMNS.
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read> rows: array<u32>;
@group(0) @binding(7) var<storage, read> order: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let column = id.x;
  let row = id.y;
  if (row >= rows[0] || column >= Y_STRIDE) { return; }
  var value = 0.0;
  if (column < COLUMNS) { value = x[row * X_STRIDE + order[column]]; }
  y[row * Y_STRIDE + column] = value;
}
