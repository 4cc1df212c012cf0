// Causal grouped-query attention of one row and one query head over its sequence's pages, with online softmax in f32:
//   y = sum over j <= position of softmax(q . k_j / sqrt(HEAD_DIM)) * v_j
// A workgroup of 64 threads takes a page (64 keys) at a time: thread = key for the scores, thread = four dims for the values.
// Needs HEADS, KV_HEADS, HEAD_DIM (a multiple of 4, at most 256), X_STRIDE, Y_STRIDE (f32), SCALE; kv_read4, trips, rows.wgsl.
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read> rows: array<u32>;
const QUADS = HEAD_DIM / 4u;
var<workgroup> query: array<vec4f, QUADS>;
var<workgroup> scores: array<f32, 64>;
var<workgroup> weight_sum: f32;
var<workgroup> rescale: f32;
var<workgroup> largest: f32;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row = group.y;
  if (row >= rows[0]) { return; }
  let head = group.x;
  let kv_head = head / (HEADS / KV_HEADS);
  if (thread < QUADS) { query[thread] = x[(row * X_STRIDE + head * HEAD_DIM) / 4u + thread] * SCALE; }
  if (thread == 0u) { weight_sum = 0.0; largest = -3.0e38; }
  let position = row_position(row);
  var total = vec4f();
  for (var start = 0u; start <= position; start += 64u) {
    let base = (page_of(row, start) * 2u * KV_HEADS + kv_head) * 64u;
    let keys = min(64u, position - start + 1u);
    workgroupBarrier();
    if (thread < keys) {
      var score = 0.0;
      for (var quad = 0u; quad < trips(QUADS); quad++) { score += dot(query[quad], kv_read4((base + thread) * QUADS + quad)); }
      scores[thread] = score;
    }
    workgroupBarrier();
    if (thread == 0u) {
      var top = largest;
      for (var key = 0u; key < keys; key++) { top = max(top, scores[key]); }
      rescale = exp(largest - top);
      largest = top;
    }
    workgroupBarrier();
    if (thread < keys) { scores[thread] = exp(scores[thread] - largest); }
    workgroupBarrier();
    if (thread == 0u) {
      var sum = weight_sum * rescale;
      for (var key = 0u; key < keys; key++) { sum += scores[key]; }
      weight_sum = sum;
    }
    if (thread < QUADS) {
      total *= rescale;
      for (var key = 0u; key < keys; key++) { total += scores[key] * kv_read4((base + KV_HEADS * 64u + key) * QUADS + thread); }
    }
  }
  workgroupBarrier();
  if (thread < QUADS) {
    let out = total / weight_sum;
    let at = row * Y_STRIDE + head * HEAD_DIM + thread * 4u;
    for (var dim = 0u; dim < 4u; dim++) { y[at + dim] = out[dim]; }
  }
}
