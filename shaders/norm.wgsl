// The norm behind a sandwich: y[row] += gamma * x / sqrt(mean(x^2) + eps). One workgroup of 64 per row; 64 partial sums, added in one order.
// Needs WIDTH, QUADS (padded width / 4), EPS, GAMMA (offset in aux, in vec4f).
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(3) var<storage, read> aux: array<vec4f>;
@group(0) @binding(5) var<storage, read> rows: array<u32>;
var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row = group.y;
  if (row >= rows[0]) { return; }
  var squares = 0.0;
  for (var quad = thread; quad < QUADS; quad += 64u) {
    let value = x[row * QUADS + quad];
    squares += dot(value, value);
  }
  partial[thread] = squares;
  workgroupBarrier();
  var sum = 0.0;
  for (var index = 0u; index < 64u; index++) { sum += partial[index]; }
  let factor = 1.0 / sqrt(sum / f32(WIDTH) + EPS);
  for (var quad = thread; quad < QUADS; quad += 64u) {
    y[row * QUADS + quad] += aux[GAMMA + quad] * x[row * QUADS + quad] * factor;
  }
}
