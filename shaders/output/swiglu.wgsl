// y[row, n / 2] = silu(gate) * up. Rows of gate and up alternate in the weights (load.ts), so a pair is (gate, up). Needs Y_STRIDE.
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn finish(row: u32, n: u32, value: vec2f) {
  y[row * Y_STRIDE + n / 2u] = value.x / (1.0 + exp(-value.x)) * value.y;
}
