// What a clip's frames come to: y[clip] = (largest value, mean, 1 / sqrt(variance + 1e-7)) of x's partials. One workgroup per clip.
// Every frame has as many values, so the mean is the mean of means; squares are taken about it in a second round, where nothing cancels.
// Needs MELS; rows as in src/kernels/mel.ts.
@group(0) @binding(1) var<storage, read> x: array<f32>; // [clips * span, 3]: largest, mean, squares about the mean
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // [clips, 3]
@group(0) @binding(5) var<storage, read> rows: array<u32>;
var<workgroup> sums: array<f32, 256>;
var<workgroup> peaks: array<f32, 256>;

/** The sum of sums, and the greatest peak, in one order. Comes and goes in uniform control flow. */
fn merged(thread: u32) -> vec2f {
  workgroupBarrier();
  if (thread < 16u) {
    for (var part = thread + 16u; part < trips(256u); part += 16u) {
      sums[thread] += sums[part];
      peaks[thread] = max(peaks[thread], peaks[part]);
    }
  }
  workgroupBarrier();
  var both = vec2f(sums[0], peaks[0]);
  for (var part = 1u; part < trips(16u); part++) { both = vec2f(both.x + sums[part], max(both.y, peaks[part])); }
  workgroupBarrier();
  return both;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let span = rows[3];
  let first = group.x * span;
  var sum = 0.0;
  var peak = x[3u * first];
  for (var frame = thread; frame < span; frame += 256u) {
    sum += x[3u * (first + frame) + 1u];
    peak = max(peak, x[3u * (first + frame)]);
  }
  sums[thread] = sum;
  peaks[thread] = peak;
  let both = merged(thread);
  let mean = both.x / f32(span);
  var squares = 0.0;
  for (var frame = thread; frame < span; frame += 256u) {
    let apart = x[3u * (first + frame) + 1u] - mean;
    squares += x[3u * (first + frame) + 2u] + f32(MELS) * apart * apart;
  }
  sums[thread] = squares;
  let variance = merged(thread).x / (f32(span) * f32(MELS));
  if (thread > 0u) { return; }
  y[3u * group.x] = both.y;
  y[3u * group.x + 1u] = mean;
  y[3u * group.x + 2u] = 1.0 / sqrt(variance + 1e-7);
}
