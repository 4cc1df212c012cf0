// y[row, n] = activated(value + bias). Needs Y_STRIDE, Y_WIDTH (real outputs of the whole matrix).
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn finish(row: u32, n: u32, value: vec2f) {
  let own = value + bias2(n);
  y[row * Y_STRIDE + n] = activated(own.x);
  if (n + 1u < Y_WIDTH) { y[row * Y_STRIDE + n + 1u] = activated(own.y); }
}
