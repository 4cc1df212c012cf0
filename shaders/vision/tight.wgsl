// A matmul's input as pictures are prepared: rows of X_QUADS vectors, with nothing between them. `m` is the row's place in the workgroup's tile.
@group(0) @binding(1) var<storage, read> x: array<vec4f>;

fn prepare(tile: u32, thread: u32) {}
fn input4(row: u32, m: u32, quad: u32) -> vec4f { return scaled4(row, m, quad); }
fn scaled4(row: u32, m: u32, quad: u32) -> vec4f {
  if (quad >= X_QUADS) { return vec4f(); }
  return x[row * X_QUADS + quad];
}
const NORMED = false;
fn factor(squares: f32) -> f32 { return 1.0; }
