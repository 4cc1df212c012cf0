// What the adapter can read at most: a buffer once, end to end, coalesced, with many loads in flight; what was read is folded into one word per
// workgroup, so that no compiler can leave it out. Needs VECTORS (vec4<u32> in x), LOADS (vectors of a thread).
@group(0) @binding(1) var<storage, read> x: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;
@group(0) @binding(5) var<storage, read> rows: array<u32>;
var<workgroup> words: array<u32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let first = group.x * 256u * LOADS + thread;
  var sum = vec4u();
  for (var load = 0u; load < trips(LOADS); load++) {
    let at = first + load * 256u;
    sum ^= select(vec4u(), x[min(at, VECTORS - 1u)], at < VECTORS); // no branch around the load: it would wait for the one before
  }
  words[thread] = sum.x ^ sum.y ^ sum.z ^ sum.w;
  workgroupBarrier();
  // 256 words to 16 to one, in two steps: each barrier costs.
  var word = 0u;
  if (thread < 16u) {
    for (var index = 0u; index < trips(16u); index++) { word ^= words[index * 16u + thread]; }
  }
  workgroupBarrier();
  if (thread < 16u) { words[thread] = word; }
  workgroupBarrier();
  if (thread == 0u) {
    for (var index = 1u; index < trips(16u); index++) { word ^= words[index]; }
    y[group.x] = word;
  }
}
