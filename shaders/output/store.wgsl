// y[row, n] = value. Needs Y_OFFSET, Y_STRIDE, Y_WIDTH (real outputs of the whole matrix).
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn finish(row: u32, n: u32, value: vec2f) {
  y[Y_OFFSET + row * Y_STRIDE + n] = value.x;
  if (n + 1u < Y_WIDTH) { y[Y_OFFSET + row * Y_STRIDE + n + 1u] = value.y; }
}
