// Queries, keys and values to buffers of their own. Needs Y_STRIDE, THIRD (rows of each, a multiple of 4).
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<storage, read_write> kv: array<f32>;
@group(0) @binding(9) var<storage, read_write> next: array<f32>;

fn finish(row: u32, n: u32, value: vec2f) {
  let own = value + bias2(n);
  let at = row * Y_STRIDE + n % THIRD;
  if (n < THIRD) {
    y[at] = own.x;
    y[at + 1u] = own.y;
  } else if (n < 2u * THIRD) {
    kv[at] = own.x;
    kv[at + 1u] = own.y;
  } else {
    next[at] = own.x;
    next[at + 1u] = own.y;
  }
}
