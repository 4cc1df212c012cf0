// Chooses the next token of each asked row and feeds it back: argmax at temperature 0, else a draw from softmax(logits / temperature)
// cut to the top k and then to the smallest set of probability top p. No sort: the cut is a threshold, found bit by bit by counting.
// Ties at a threshold are kept. One workgroup of 256 per asked row. Needs VOCABULARY, RING, SLOTS; rows.wgsl (read_write), random.wgsl.
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(5) var<storage, read_write> rows: array<u32>;
const RING_TABLE = SLOT_TABLE + SLOTS * SLOT_STRIDE;
const CHUNK = (VOCABULARY + 255u) / 256u;
const NONE = 0xffffffffu;

struct Settings { wanted: u32, row: u32, slot: u32, temperature: f32, top_k: u32, top_p: f32, seed: vec2u, draw: u32 }
var<workgroup> settings: Settings;
var<workgroup> sums: array<f32, 256>;
var<workgroup> indices: array<u32, 256>;
var<workgroup> chosen: u32;

// A float's bits, re-ordered so that unsigned order is the floats' order.
fn sort_key(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

fn reduce_sum(thread: u32, value: f32) -> f32 {
  workgroupBarrier();
  sums[thread] = value;
  for (var step = 128u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (thread < step) { sums[thread] += sums[thread + step]; }
  }
  workgroupBarrier();
  return sums[0];
}

fn reduce_argmax(thread: u32, value: f32, index: u32) -> f32 {
  workgroupBarrier();
  sums[thread] = value;
  indices[thread] = index;
  for (var step = 128u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (thread < step) {
      let other = thread + step;
      if (sums[other] > sums[thread] || (sums[other] == sums[thread] && indices[other] < indices[thread])) {
        sums[thread] = sums[other];
        indices[thread] = indices[other];
      }
    }
  }
  workgroupBarrier();
  return sums[0];
}

// How many logits, or how much probability mass, stand at or above a threshold.
fn count_above(thread: u32, base: u32, threshold: u32) -> f32 {
  var count = 0.0;
  for (var index = thread; index < VOCABULARY; index += 256u) { count += select(0.0, 1.0, sort_key(x[base + index]) >= threshold); }
  return reduce_sum(thread, count);
}

fn mass_above(thread: u32, base: u32, threshold: u32, top: f32, temperature: f32) -> f32 {
  var mass = 0.0;
  for (var index = thread; index < VOCABULARY; index += 256u) {
    let value = x[base + index];
    if (sort_key(value) >= threshold) { mass += exp((value - top) / temperature); }
  }
  return reduce_sum(thread, mass);
}

fn load_settings(asked: u32) {
  settings.wanted = select(0u, 1u, asked < rows[1]);
  let row = rows[LOGIT_TABLE + asked];
  let slot = row_slot(row);
  settings.row = row;
  settings.slot = rows[ROW_TABLE + row * 4u + 2u];
  settings.temperature = bitcast<f32>(rows[slot]);
  settings.top_k = rows[slot + 1u];
  settings.top_p = bitcast<f32>(rows[slot + 2u]);
  settings.seed = vec2u(rows[slot + 3u], rows[slot + 4u]);
  settings.draw = rows[slot + 5u];
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  if (thread == 0u) { load_settings(group.x); }
  let s = workgroupUniformLoad(&settings);
  if (s.wanted == 0u) { return; }
  let base = group.x * VOCABULARY;
  var best = -3.0e38;
  var best_index = NONE;
  for (var index = thread; index < VOCABULARY; index += 256u) {
    if (x[base + index] > best) { best = x[base + index]; best_index = index; }
  }
  let top = reduce_argmax(thread, best, best_index);
  if (thread == 0u) { chosen = indices[0]; }
  workgroupBarrier();
  if (s.temperature > 0.0) { draw(thread, base, top, s); }
  if (thread == 0u) {
    let table = SLOT_TABLE + s.slot * SLOT_STRIDE;
    rows[RING_TABLE + s.slot * RING + s.draw % RING] = chosen;
    rows[ROW_TABLE + s.row * 4u] = chosen;
    rows[ROW_TABLE + s.row * 4u + 1u] += 1u;
    rows[table + 5u] = s.draw + 1u;
  }
}

fn draw(thread: u32, base: u32, top: f32, s: Settings) {
  var threshold = 0u;
  if (s.top_k > 0u && s.top_k < VOCABULARY) {
    for (var bit = 0u; bit < 32u; bit++) {
      let candidate = threshold | (0x80000000u >> bit);
      if (count_above(thread, base, candidate) >= f32(s.top_k)) { threshold = candidate; }
    }
  }
  var mass = mass_above(thread, base, threshold, top, s.temperature);
  if (s.top_p < 1.0) {
    let wanted = s.top_p * mass;
    var cut = 0u;
    for (var bit = 0u; bit < 32u; bit++) {
      let candidate = cut | (0x80000000u >> bit);
      if (mass_above(thread, base, max(candidate, threshold), top, s.temperature) >= wanted) { cut = candidate; }
    }
    threshold = max(threshold, min(cut, sort_key(top)));
  }
  // Each thread owns a stretch of the vocabulary; the stretch that holds the drawn point is walked to the token.
  var own = 0.0;
  let start = thread * CHUNK;
  let end = min(start + CHUNK, VOCABULARY);
  for (var index = start; index < end; index++) {
    if (sort_key(x[base + index]) >= threshold) { own += exp((x[base + index] - top) / s.temperature); }
  }
  workgroupBarrier();
  sums[thread] = own;
  workgroupBarrier();
  var before = 0.0;
  var whole = 0.0;
  for (var index = 0u; index < 256u; index++) {
    if (index == thread) { before = whole; }
    whole += sums[index];
  }
  let point = uniform01(s.seed, s.draw) * whole;
  if (own > 0.0 && point >= before && point < before + own) {
    var running = before;
    for (var index = start; index < end; index++) {
      if (sort_key(x[base + index]) < threshold) { continue; }
      running += exp((x[base + index] - top) / s.temperature);
      chosen = index;
      if (running > point) { break; }
    }
  }
  workgroupBarrier();
}
