// y = W x for up to TILE rows of x at once, every weight read once per tile.
//   y[row, n] = factor * sum over k of W[n, k] * gamma[k] * x[row, k]
// A workgroup of 64 threads owns BLOCKS blocks of 8 weight rows; LANES threads share a weight row and take every LANES-th group of 32.
// Thread t: weight row t % 8 (so neighbours read neighbours), lane (t / 8) % LANES, block t / (8 * LANES).
// Each row of x sums in the same order whatever TILE is, so batched and single rows agree bit for bit.
// Needs GROUPS, ROWS_OUT (weight rows here), ROW_OFFSET (of these within the whole matrix), LANES, TILE, and the files listed in README.md.
const BLOCKS = 8u / LANES;
var<workgroup> partial: array<f32, 64u * TILE>;
var<workgroup> squares: array<f32, 64u * TILE>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let tile = group.y * TILE;
  if (tile >= row_count()) { return; }
  let first = (group.z * groups.x + group.x) * BLOCKS * 8u;
  if (first >= ROWS_OUT) { return; }
  let lane = (thread / 8u) % LANES;
  let weight_row = first + (thread / (8u * LANES)) * 8u + thread % 8u;
  let own_groups = trips(GROUPS);
  let quads = trips(8u);
  let own_rows = trips(TILE);
  var sum = array<f32, TILE>();
  var squared = array<f32, TILE>();
  if (weight_row < (ROWS_OUT + 7u) / 8u * 8u) {
    for (var index = lane; index < own_groups; index += LANES) {
      for (var quad = 0u; quad < quads; quad++) {
        let w = weights4(weight_row, index, quad);
        let gamma = gamma4(index * 8u + quad);
        for (var m = 0u; m < own_rows; m++) {
          let value = input4(source_row(tile + m), index * 8u + quad);
          sum[m] += dot(w, value * gamma);
          squared[m] += square(value);
        }
      }
    }
  }
  for (var m = 0u; m < own_rows; m++) {
    partial[m * 64u + thread] = sum[m];
    squares[m * 64u + thread] = squared[m];
  }
  workgroupBarrier();
  let pairs = min(TILE, row_count() - tile) * BLOCKS * 4u;
  for (var pair = thread; pair < pairs; pair += 64u) {
    let m = pair / (BLOCKS * 4u);
    let block = (pair / 4u) % BLOCKS;
    let n = first + block * 8u + (pair % 4u) * 2u;
    if (n < ROWS_OUT) {
      var total = vec2f();
      var square_total = 0.0;
      for (var part = 0u; part < trips(LANES); part++) {
        let at = m * 64u + (block * LANES + part) * 8u + (pair % 4u) * 2u;
        total += vec2f(partial[at], partial[at + 1u]);
        square_total += squares[at];
      }
      finish(tile + m, ROW_OFFSET + n, total * factor(square_total));
    }
  }
}
