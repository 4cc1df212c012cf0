// Full attention of the patches of a step to one another, with online softmax in f32: y = sum over j of softmax(q . k_j / sqrt(HEAD_DIM)) * v_j.
// A workgroup of 64 holds 32 queries of one head and takes keys by 32: scores as a tiled product (a thread has 4 queries by 4 keys), then values
// (a thread has 4 queries by every 8th vector of the head). y holds the queries, and then what they saw: nobody else reads these.
// rows: [tiles of the batch, 0, 0, first tile here, patches of a step]; a tile is of one step.
// Needs HEAD_DIM (a multiple of 4, at most 128), QUADS (of a row, in vec4f), CHUNK (vectors of a head at once: a divisor of HEAD_DIM / 4, at most 8), SCALE.
@group(0) @binding(1) var<storage, read> x: array<vec4f>; // keys
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>; // queries
@group(0) @binding(5) var<storage, read> rows: array<u32>;
@group(0) @binding(7) var<storage, read> source: array<vec4f>; // values
const OWN = HEAD_DIM / 4u;
const KEYS = 32u;
const LINES = 8u; // fours of queries
const LINE_PITCH = 9u;
const KEY_PITCH = 33u;
const LOWEST = -3.0e38;
var<workgroup> tile_q: array<vec4f, CHUNK * 4u * LINE_PITCH>; // [dim][four queries]
var<workgroup> tile_k: array<vec4f, CHUNK * KEY_PITCH>; // [four dims][key]
var<workgroup> weights: array<vec4f, KEYS * LINES>; // [key][four queries]
var<workgroup> tops: array<vec4f, 64>; // [four queries][thread of them]

// Sums of values: a matrix for each vector of the head that a thread has, a column for each of its four queries.
struct Totals { a: mat4x4f, b: mat4x4f, c: mat4x4f, d: mat4x4f }

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let tile = rows[3] + group.y;
  if (tile >= rows[0]) { return; }
  let size = rows[4];
  let tiles = (size + 31u) / 32u;
  let begin = tile / tiles * size;
  let first = begin + tile % tiles * 32u;
  let count = min(32u, begin + size - first);
  let head = group.x * OWN;
  let line = thread / 8u;
  let column = thread % 8u;
  var largest = vec4f(LOWEST);
  var weight = vec4f();
  var totals = Totals();
  for (var start = 0u; start < size; start += KEYS) {
    var scores = mat4x4f(); // a column for each of the thread's keys
    for (var from_quad = 0u; from_quad < trips(OWN); from_quad += CHUNK) {
      workgroupBarrier();
      stage_q(first, count, head + from_quad, thread);
      stage_k(begin, start, size, head + from_quad, thread);
      workgroupBarrier();
      for (var quad = 0u; quad < trips(CHUNK); quad++) { scores = scored(scores, quad, line, column); }
    }
    let left = size - start; // keys column, column + 8, column + 16, column + 24
    let seen = vec4<bool>(column < left, column + 8u < left, column + 16u < left, column + 24u < left);
    var top = max(max(shown(scores[0], seen.x), shown(scores[1], seen.y)), max(shown(scores[2], seen.z), shown(scores[3], seen.w)));
    tops[thread] = top;
    workgroupBarrier();
    top = largest;
    for (var other = 0u; other < trips(8u); other++) { top = max(top, tops[line * 8u + other]); }
    let rescale = exp(largest - top);
    largest = top;
    let a = weighed(scores[0], top, seen.x);
    let b = weighed(scores[1], top, seen.y);
    let c = weighed(scores[2], top, seen.z);
    let d = weighed(scores[3], top, seen.w);
    weight = weight * rescale + a + b + c + d;
    weights[column * LINES + line] = a;
    weights[(column + 8u) * LINES + line] = b;
    weights[(column + 16u) * LINES + line] = c;
    weights[(column + 24u) * LINES + line] = d;
    workgroupBarrier();
    totals = rescaled(totals, rescale);
    for (var key = 0u; key < min(KEYS, left); key++) {
      totals = added(totals, weights[key * LINES + line], (begin + start + key) * QUADS + head, column);
    }
  }
  workgroupBarrier();
  tops[thread] = weight;
  workgroupBarrier();
  var sum = vec4f();
  for (var other = 0u; other < trips(8u); other++) { sum += tops[line * 8u + other]; }
  totals = rescaled(totals, 1.0 / sum);
  for (var query = 0u; query < trips(4u); query++) {
    if (line * 4u + query < count) { keep(totals, query, (first + line * 4u + query) * QUADS + head, column); }
  }
}

// Four queries by four dims, turned: a thread for each.
fn stage_q(first: u32, count: u32, at: u32, thread: u32) {
  if (thread >= CHUNK * LINES) { return; }
  let quad = thread % CHUNK;
  let line = thread / CHUNK;
  var turned = mat4x4f();
  for (var query = 0u; query < trips(4u); query++) {
    if (line * 4u + query < count) { turned[query] = y[(first + line * 4u + query) * QUADS + at + quad] * SCALE; }
  }
  turned = transpose(turned);
  for (var dim = 0u; dim < trips(4u); dim++) { tile_q[(quad * 4u + dim) * LINE_PITCH + line] = turned[dim]; }
}

// Keys past the step are read as its last, and nobody takes their scores.
fn stage_k(begin: u32, start: u32, size: u32, at: u32, thread: u32) {
  for (var item = thread; item < trips(CHUNK * KEYS); item += 64u) {
    let key = item / CHUNK;
    let quad = item % CHUNK;
    tile_k[quad * KEY_PITCH + key] = x[(begin + min(start + key, size - 1u)) * QUADS + at + quad];
  }
}

fn scored(sums: mat4x4f, quad: u32, line: u32, column: u32) -> mat4x4f {
  let at = quad * 4u * LINE_PITCH + line;
  let a = tile_q[at];
  let b = tile_q[at + LINE_PITCH];
  let c = tile_q[at + 2u * LINE_PITCH];
  let d = tile_q[at + 3u * LINE_PITCH];
  let from_key = quad * KEY_PITCH + column;
  let k = mat4x4f(tile_k[from_key], tile_k[from_key + 8u], tile_k[from_key + 16u], tile_k[from_key + 24u]);
  return mat4x4f(sums[0] + a * k[0].x + b * k[0].y + c * k[0].z + d * k[0].w, sums[1] + a * k[1].x + b * k[1].y + c * k[1].z + d * k[1].w,
    sums[2] + a * k[2].x + b * k[2].y + c * k[2].z + d * k[2].w, sums[3] + a * k[3].x + b * k[3].y + c * k[3].z + d * k[3].w);
}

fn shown(score: vec4f, seen: bool) -> vec4f { return select(vec4f(LOWEST), score, seen); }
fn weighed(score: vec4f, top: vec4f, seen: bool) -> vec4f { return select(vec4f(), exp(score - top), seen); }

fn outer(sums: mat4x4f, v: vec4f, w: vec4f) -> mat4x4f {
  return mat4x4f(sums[0] + v * w.x, sums[1] + v * w.y, sums[2] + v * w.z, sums[3] + v * w.w);
}

// A head of fewer vectors leaves threads that add what nobody keeps.
fn added(totals: Totals, w: vec4f, at: u32, column: u32) -> Totals {
  var sums = totals;
  sums.a = outer(sums.a, source[at + min(column, OWN - 1u)], w);
  if (OWN > 8u) { sums.b = outer(sums.b, source[at + min(column + 8u, OWN - 1u)], w); }
  if (OWN > 16u) { sums.c = outer(sums.c, source[at + min(column + 16u, OWN - 1u)], w); }
  if (OWN > 24u) { sums.d = outer(sums.d, source[at + min(column + 24u, OWN - 1u)], w); }
  return sums;
}

fn scaled(sums: mat4x4f, by: vec4f) -> mat4x4f { return mat4x4f(sums[0] * by.x, sums[1] * by.y, sums[2] * by.z, sums[3] * by.w); }

fn rescaled(totals: Totals, by: vec4f) -> Totals {
  var sums = totals;
  sums.a = scaled(sums.a, by);
  if (OWN > 8u) { sums.b = scaled(sums.b, by); }
  if (OWN > 16u) { sums.c = scaled(sums.c, by); }
  if (OWN > 24u) { sums.d = scaled(sums.d, by); }
  return sums;
}

fn keep(totals: Totals, query: u32, at: u32, column: u32) {
  if (column < OWN) { y[at + column] = totals.a[query]; }
  if (column + 8u < OWN) { y[at + column + 8u] = totals.b[query]; }
  if (column + 16u < OWN) { y[at + column + 16u] = totals.c[query]; }
  if (column + 24u < OWN) { y[at + column + 24u] = totals.d[query]; }
}
