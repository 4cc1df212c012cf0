// The log-probability of the token just chosen and of the likeliest ones, for slots that ask: log_softmax of the model's own logits x.
//   y[slot][draw % RING] = [chosen's][TOP x (token, log-probability)]
// One workgroup of 256 per asked row. Each thread offers the best of its own; only the one whose offer is taken looks again.
// Needs VOCABULARY, RING, TOP; rows.wgsl, which sampling has advanced by one.
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;
@group(0) @binding(5) var<storage, read> rows: array<u32>;
struct Offer { value: f32, index: u32 }
var<workgroup> offers: array<Offer, 256>;
var<workgroup> sums: array<f32, 256>;

fn before(a: Offer, b: Offer) -> bool { return a.value > b.value || (a.value == b.value && a.index < b.index); }

// The best of a thread's tokens behind `last`.
fn offer(thread: u32, base: u32, last: Offer) -> Offer {
  var best = Offer(-3.4e38, 0xffffffffu);
  for (var index = thread; index < VOCABULARY; index += 256u) {
    let own = Offer(x[base + index], index);
    if (before(last, own) && before(own, best)) { best = own; }
  }
  return best;
}

fn best_offer(thread: u32, own: Offer) -> Offer {
  workgroupBarrier();
  offers[thread] = own;
  for (var step = 128u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (thread < step && before(offers[thread + step], offers[thread])) { offers[thread] = offers[thread + step]; }
  }
  workgroupBarrier();
  return offers[0];
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  if (group.x >= rows[1]) { return; }
  let row = rows[LOGIT_TABLE + group.x];
  let table = row_slot(row);
  if ((rows[table + 7u] & 8u) == 0u) { return; }
  let base = group.x * VOCABULARY;
  var own = offer(thread, base, Offer(3.4e38, 0u));
  var best = best_offer(thread, own);
  var sum = 0.0;
  for (var index = thread; index < VOCABULARY; index += 256u) { sum += exp(x[base + index] - best.value); }
  sums[thread] = sum;
  for (var step = 128u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (thread < step) { sums[thread] += sums[thread + step]; }
  }
  workgroupBarrier();
  let total = best.value + log(sums[0]);
  let at = (rows[ROW_TABLE + row * 4u + 2u] * RING + (rows[table + 5u] - 1u) % RING) * (1u + 2u * TOP);
  if (thread == 0u) { y[at] = bitcast<u32>(x[base + min(row_token(row), VOCABULARY - 1u)] - total); }
  let wanted = min(rows[table + 11u], TOP);
  for (var place = 0u; place < wanted; place++) {
    if (thread == 0u) {
      y[at + 1u + 2u * place] = best.index;
      y[at + 2u + 2u * place] = bitcast<u32>(best.value - total);
    }
    if (own.index == best.index) { own = offer(thread, base, best); }
    best = best_offer(thread, own);
  }
}
