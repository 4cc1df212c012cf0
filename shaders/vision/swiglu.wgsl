// y[row, n / 2] = silu(gate) * up, with biases. Rows of gate and up alternate in the weights, so a pair is (gate, up). Needs Y_STRIDE.
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn finish(row: u32, n: u32, value: vec2f) {
  let own = value + bias2(n);
  y[row * Y_STRIDE + n / 2u] = own.x / (1.0 + exp(min(-own.x, 80.0))) * own.y;
}
