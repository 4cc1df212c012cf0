// Rows normed and activated: y = activated(gamma * x / rms(x)), or, where CENTRED, activated(gamma * (x - mean) / deviation + beta).
// One workgroup of 64 per row; 64 partial sums, added in one order. y is 0 behind the width.
// Needs QUADS (padded width / 4), REAL (real width / 4), EPS, CENTRED, GAMMA, BETA (offsets in aux, in vec4f); activated.
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(3) var<storage, read> aux: array<vec4f>;
@group(0) @binding(5) var<storage, read> rows: array<u32>;
var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row = group.y;
  if (row >= rows[0]) { return; }
  let at = row * QUADS;
  var mean = 0.0;
  if (CENTRED == 1u) {
    var sum = 0.0;
    for (var quad = thread; quad < REAL; quad += 64u) { sum += dot(x[at + quad], vec4f(1.0)); }
    mean = total(thread, sum) / f32(REAL * 4u);
  }
  var squares = 0.0;
  for (var quad = thread; quad < REAL; quad += 64u) {
    let value = x[at + quad] - mean;
    squares += dot(value, value);
  }
  let factor = 1.0 / sqrt(total(thread, squares) / f32(REAL * 4u) + EPS);
  for (var quad = thread; quad < QUADS; quad += 64u) {
    var value = vec4f();
    if (quad < REAL) {
      value = aux[GAMMA + quad] * (x[at + quad] - mean) * factor;
      if (CENTRED == 1u) { value += aux[BETA + quad]; }
      value = vec4f(activated(value.x), activated(value.y), activated(value.z), activated(value.w));
    }
    y[at + quad] = value;
  }
}

fn total(thread: u32, own: f32) -> f32 {
  workgroupBarrier();
  partial[thread] = own;
  workgroupBarrier();
  var sum = 0.0;
  for (var index = 0u; index < trips(64u); index++) { sum += partial[index]; }
  return sum;
}
