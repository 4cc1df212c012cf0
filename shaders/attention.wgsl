// Causal grouped-query attention over a sequence's pages, with online softmax in f32:
//   y = sum over j <= position of softmax(q . k_j / sqrt(HEAD_DIM)) * v_j
// A workgroup holds TILE_ROWS rows (neighbours in one sequence, or one row) times TILE_HEADS query heads of one kv head, its queries, and reads each
// key and value once for all of them. Page by page (64 keys), so that a row's sums do not depend on the tile it stands in:
//   scores (thread = key and lane of its dims), weights (thread = four queries and a team's share of the keys), values (thread = quad and share of the keys).
// SPLIT: workgroup z takes STRETCH positions and leaves sum, maximum and weight for attention_merge.wgsl; else z is 0 and takes all.
// Needs HEADS, KV_HEADS, HEAD_DIM (a multiple of 4, at most 256), TILE_ROWS, TILE_HEADS, LANES, SPLIT, SCALE, X_STRIDE, X_OFFSET, Y_STRIDE, Y_OFFSET
// (in f32, multiples of 4); kv_read4, trips, queries/, rows.wgsl, partials.wgsl. Rows of a tile stand at consecutive positions of one sequence.
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(5) var<storage, read> rows: array<u32>;
const THREADS = 64u * LANES;
const QUADS = HEAD_DIM / 4u;
const TEAM = 16u;
const SHARES = THREADS / QUADS;
const LOWEST = -3.0e38;
var<workgroup> queries: array<vec4f, max(FOURS * HEAD_DIM, THREADS)>; // [query][quad]; at the end, sums to be added up
var<workgroup> scores: array<vec4f, THREADS * FOURS>; // [key][lane][four]; lane 0 then holds the weights
var<workgroup> tops: array<vec4f, TEAM * FOURS>;
var<workgroup> rescales: array<vec4f, FOURS>;
// Of a thread of a team: the maximum so far, and the weights it has made.
var<private> largest: vec4f;
var<private> weight: vec4f;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row = group.y * TILE_ROWS;
  if (row >= rows[0]) { return; }
  let last = row_position(min(row + TILE_ROWS, rows[0]) - 1u);
  let begin = group.z * STRETCH;
  if (begin > last) { return; }
  let end = select(last, min(last, begin + STRETCH - 1u), SPLIT == 1u) + 1u;
  let head = group.x * TILE_HEADS;
  let kv_head = head / (HEADS / KV_HEADS);
  load_queries(row, head, thread);
  let four = min(thread / TEAM, FOURS - 1u);
  let positions = vec4u(row_position(row)) + (vec4u(four * 4u) + vec4u(0u, 1u, 2u, 3u)) / TILE_HEADS;
  largest = vec4f(LOWEST);
  weight = vec4f();
  var totals = Totals();
  for (var start = begin; start < end; start += 64u) {
    let page = (page_of(row, start) * 2u * KV_HEADS + kv_head) * 64u;
    let keys = min(64u, end - start);
    workgroupBarrier();
    score(page * QUADS, keys, thread);
    workgroupBarrier();
    if (thread < TEAM * FOURS) { tops[thread] = top(four, thread % TEAM, start, positions); }
    workgroupBarrier();
    if (thread < TEAM * FOURS) { weigh(four, thread % TEAM, start, positions); }
    workgroupBarrier();
    if (thread < SHARES * QUADS) {
      totals = rescaled(totals);
      for (var key = thread / QUADS; key < keys; key += SHARES) {
        let v = kv_read4((page + KV_HEADS * 64u + key) * QUADS + thread % QUADS);
        totals = added(totals, v, key * LANES * FOURS);
      }
    }
  }
  workgroupBarrier();
  if (thread < TEAM * FOURS) { scores[thread] = weight; tops[thread] = largest; }
  for (var query = 0u; query < trips(TILE_ROWS * TILE_HEADS); query++) {
    workgroupBarrier();
    queries[thread] = total_of(totals, query);
    workgroupBarrier();
    if (thread < QUADS && row + query / TILE_HEADS < rows[0]) {
      emit(row + query / TILE_HEADS, head + query % TILE_HEADS, query, group.z, thread);
    }
  }
}

// Those past the tile or past the rows are 0.
fn load_queries(row: u32, head: u32, thread: u32) {
  for (var item = thread; item < trips(FOURS * HEAD_DIM); item += THREADS) {
    let query = item / QUADS;
    let own = row + query / TILE_HEADS;
    var quad = vec4f();
    if (query < TILE_ROWS * TILE_HEADS && own < rows[0]) {
      quad = x[(own * X_STRIDE + X_OFFSET + (head + query % TILE_HEADS) * HEAD_DIM) / 4u + item % QUADS] * SCALE;
    }
    queries[item] = quad;
  }
}

// A thread's key against all queries, over every LANES-th quad.
fn score(page: u32, keys: u32, thread: u32) {
  let key = thread / LANES;
  if (key >= keys) { return; }
  var sums = Scores();
  for (var quad = thread % LANES; quad < trips(QUADS); quad += LANES) { sums = scored(sums, quad, kv_read4(page + key * QUADS + quad)); }
  keep_scores(sums, thread * FOURS);
}

// Four queries against four dims of a key.
fn against(four: u32, quad: u32, k: vec4f) -> vec4f {
  let at = four * HEAD_DIM + quad;
  return vec4f(dot(queries[at], k), dot(queries[at + QUADS], k), dot(queries[at + 2u * QUADS], k), dot(queries[at + 3u * QUADS], k));
}

fn scaled(totals: mat4x4f, by: vec4f) -> mat4x4f { return mat4x4f(totals[0] * by.x, totals[1] * by.y, totals[2] * by.z, totals[3] * by.w); }

// Four dims of a value times the weights of four queries; a column is a query's.
fn outer(v: vec4f, w: vec4f) -> mat4x4f { return mat4x4f(v * w.x, v * w.y, v * w.z, v * w.w); }

// Sums up the lanes of a share of the keys, hides keys that stand behind a query, and finds the maximum of the rest.
fn top(four: u32, part: u32, start: u32, positions: vec4u) -> vec4f {
  var most = vec4f(LOWEST);
  for (var key = part; key < trips(64u); key += TEAM) {
    let at = key * LANES * FOURS + four;
    var sum = scores[at];
    for (var lane = 1u; lane < LANES; lane++) { sum += scores[at + lane * FOURS]; }
    scores[at] = sum;
    most = max(most, select(sum, vec4f(LOWEST), vec4u(start + key) > positions));
  }
  return most;
}

// Turns a share of the scores into weights against the new maximum.
fn weigh(four: u32, part: u32, start: u32, positions: vec4u) {
  var most = largest;
  for (var other = 0u; other < trips(TEAM); other++) { most = max(most, tops[four * TEAM + other]); }
  let rescale = select(exp(largest - most), vec4f(1.0), largest == most);
  if (part == 0u) { rescales[four] = rescale; }
  weight *= rescale;
  largest = most;
  for (var key = part; key < trips(64u); key += TEAM) {
    let at = key * LANES * FOURS + four;
    let own = select(exp(scores[at] - most), vec4f(), vec4u(start + key) > positions);
    scores[at] = own;
    weight += own;
  }
}

// Adds up the shares of one query's sums and its team's weights.
fn emit(row: u32, head: u32, query: u32, split: u32, quad: u32) {
  var sum = queries[quad];
  for (var share = 1u; share < trips(SHARES); share++) { sum += queries[share * QUADS + quad]; }
  let team = query / 4u * TEAM;
  var weights = 0.0;
  for (var part = 0u; part < trips(TEAM); part++) { weights += scores[team + part][query % 4u]; }
  if (SPLIT == 0u) {
    y[(row * Y_STRIDE + Y_OFFSET + head * HEAD_DIM) / 4u + quad] = sum / weights;
  } else {
    let at = partial(row, split, head);
    y[at + quad] = sum;
    if (quad == 0u) { y[at + QUADS] = vec4f(tops[team][query % 4u], weights, 0.0, 0.0); }
  }
}
