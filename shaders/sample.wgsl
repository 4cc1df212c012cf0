// Chooses the next token of each asked row and feeds it back: argmax at temperature 0, else a draw from softmax(logits / temperature)
// cut to the top k, then to the smallest set of probability top p, then to those at least min p times as likely as the likeliest.
// No sort: a cut is a threshold on the logit, found byte by byte in histograms of 256 bins; ties at a threshold are kept.
// Probabilities are whole units, about 2^31 in all, so that sums are exact in any order. One workgroup of 256 per asked row.
// Needs VOCABULARY, RING, SLOTS; trips, rows.wgsl (read_write), random.wgsl.
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(5) var<storage, read_write> rows: array<u32>;
const RING_TABLE = SLOT_TABLE + SLOTS * SLOT_STRIDE;
const CHUNK = (VOCABULARY + 255u) / 256u;
const NONE = 0xffffffffu;

struct Settings { wanted: u32, row: u32, slot: u32, temperature: f32, top_k: u32, top_p: f32, seed: vec2u, draw: u32, reach: f32, digits: u32 }
var<workgroup> settings: Settings;
var<workgroup> sums: array<f32, 256>;
var<workgroup> indices: array<u32, 256>;
var<workgroup> bins: array<atomic<u32>, 256>;
var<workgroup> coarse: array<u32, 16>;
var<workgroup> found: vec2u;
var<workgroup> chosen: u32;
var<private> base: u32;
var<private> top: f32;
var<private> temperature: f32;
var<private> threshold: u32; // the least key that is kept
var<private> scale: f32; // units of the likeliest token; 0: every token is one unit

// A float's bits, re-ordered so that unsigned order is the floats' order.
fn sort_key(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

// 0 for NaN, which no threshold keeps.
fn key_at(index: u32) -> u32 {
  let value = x[base + index];
  return select(0u, sort_key(value), value <= top);
}

fn mass(index: u32) -> f32 { return exp((x[base + index] - top) / temperature); }

fn units(index: u32, key: u32) -> u32 {
  if (key < threshold) { return 0u; }
  if (scale == 0.0) { return 1u; }
  return u32(mass(index) * scale + 0.5);
}

// `half`: 128, which no compiler may know.
fn reduce_sum(thread: u32, value: f32, half: u32) -> f32 {
  workgroupBarrier();
  sums[thread] = value;
  for (var step = half; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (thread < step) { sums[thread] += sums[thread + step]; }
  }
  workgroupBarrier();
  return sums[0];
}

fn reduce_argmax(thread: u32, value: f32, index: u32, half: u32) -> f32 {
  workgroupBarrier();
  sums[thread] = value;
  indices[thread] = index;
  for (var step = half; step > 0u; step /= 2u) {
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

// From the last bin down to the one in which `wanted` units (0: more than `share` of all) are reached: it, and what is wanted of it.
fn reach(thread: u32, wanted: u32, share: f32) -> vec2u {
  workgroupBarrier();
  if (thread < 16u) {
    var sum = 0u;
    for (var bin = 0u; bin < trips(16u); bin++) { sum += atomicLoad(&bins[thread * 16u + bin]); }
    coarse[thread] = sum;
  }
  workgroupBarrier();
  if (thread == 0u) {
    var left = wanted;
    if (wanted == 0u) {
      var whole = 0u;
      for (var bin = 0u; bin < trips(16u); bin++) { whole += coarse[bin]; }
      left = min(u32(share * f32(whole)), whole - 1u) + 1u;
    }
    var bin = trips(15u);
    while (bin > 0u && coarse[bin] < left) { left -= coarse[bin]; bin--; }
    bin = bin * 16u + 15u;
    while (bin % 16u > 0u && atomicLoad(&bins[bin]) < left) { left -= atomicLoad(&bins[bin]); bin--; }
    found = vec2u(bin, left);
  }
  return workgroupUniformLoad(&found);
}

// The key at which, from the greatest down, that many units are reached.
fn cut(thread: u32, digits: u32, wanted: u32, share: f32) -> u32 {
  var key = 0u;
  var left = wanted;
  for (var digit = 0u; digit < digits; digit++) {
    let shift = 24u - 8u * digit;
    atomicStore(&bins[thread], 0u);
    workgroupBarrier();
    for (var index = thread; index < VOCABULARY; index += 256u) {
      let own = key_at(index);
      if ((own >> shift) >> 8u != (key >> shift) >> 8u) { continue; }
      let unit = units(index, own);
      if (unit > 0u) { atomicAdd(&bins[(own >> shift) & 255u], unit); }
    }
    let at = reach(thread, left, share);
    key |= at.x << shift;
    left = at.y;
  }
  return min(key, sort_key(top));
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
  settings.reach = bitcast<f32>(rows[slot + 6u]);
  settings.digits = trips(4u);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  if (thread == 0u) { load_settings(group.x); }
  let s = workgroupUniformLoad(&settings);
  if (s.wanted == 0u) { return; }
  base = group.x * VOCABULARY;
  var best = -3.0e38;
  var best_index = NONE;
  for (var index = thread; index < VOCABULARY; index += 256u) {
    if (x[base + index] > best) { best = x[base + index]; best_index = index; }
  }
  top = reduce_argmax(thread, best, best_index, s.digits * 32u);
  if (thread == 0u) { chosen = indices[0]; }
  let likeliest = workgroupUniformLoad(&chosen);
  if (s.temperature > 0.0 && likeliest != NONE) { draw(thread, s); }
  if (thread == 0u) {
    let table = SLOT_TABLE + s.slot * SLOT_STRIDE;
    rows[RING_TABLE + s.slot * RING + s.draw % RING] = chosen;
    rows[ROW_TABLE + s.row * 4u] = chosen;
    rows[ROW_TABLE + s.row * 4u + 1u] += 1u;
    rows[ROW_TABLE + s.row * 4u + 3u] += 1u;
    rows[table + 5u] = s.draw + 1u;
  }
}

fn draw(thread: u32, s: Settings) {
  temperature = s.temperature;
  scale = 0.0;
  threshold = 1u;
  if (s.top_k > 0u && s.top_k < VOCABULARY) { threshold = max(1u, cut(thread, s.digits, s.top_k, 0.0)); }
  var kept = 0.0;
  for (var index = thread; index < VOCABULARY; index += 256u) {
    if (key_at(index) >= threshold) { kept += mass(index); }
  }
  scale = 2147483648.0 / reduce_sum(thread, kept, s.digits * 32u);
  if (s.top_p < 1.0) { threshold = max(threshold, cut(thread, s.digits, 0u, s.top_p)); }
  threshold = max(threshold, sort_key(top + s.reach));
  // Each thread owns a stretch of the vocabulary; the stretch that holds the drawn point is walked to the token.
  var own = 0u;
  let start = thread * CHUNK;
  let end = min(start + CHUNK, VOCABULARY);
  for (var index = start; index < end; index++) { own += units(index, key_at(index)); }
  atomicStore(&bins[255u - thread], own);
  let at = reach(thread, 0u, uniform01(s.seed, s.draw));
  if (at.x == 255u - thread) {
    var left = at.y;
    for (var index = start; index < end; index++) {
      let unit = units(index, key_at(index));
      if (unit > 0u) { chosen = index; }
      if (unit >= left) { break; }
      left -= unit;
    }
  }
  workgroupBarrier();
}
