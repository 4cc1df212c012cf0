// y = W x for up to TILE rows of x at once, every weight read once per tile.
//   y[row, n] = factor * sum over k of W[n, k] * gamma[k] * x[row, k]
// A workgroup of WG threads owns OUT = STRIPES * WG / LANES weight rows. Thread t: weight row t % 8 of a block (so neighbours read neighbours),
// lane (t / 8) % LANES, block t / (8 * LANES), and the same place in each of STRIPES stretches of WG / LANES rows, which share the reads of x.
// A lane takes every LANES-th group of 32. Each row of x sums in the same order whatever TILE and STRIPES are: batched and single rows agree bit for bit.
// Needs GROUPS, ROWS_OUT (weight rows here), ROW_OFFSET (of these within the whole matrix), LANES, TILE, STRIPES, WG, and the files listed in README.md.
var<workgroup> partial: array<f32, WG * TILE * STRIPES>; // squares first (squares/shared.wgsl), then products

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let tile = group.y * TILE;
  if (tile >= row_count()) { return; }
  let first = (group.z * groups.x + group.x) * OUT;
  if (first >= ROWS_OUT) { return; }
  prepare(tile, thread);
  if (NORMED) { sum_squares(tile, thread, first == 0u && ROW_OFFSET == 0u); }
  let lane = (thread / 8u) % LANES;
  let weight_row = first + (thread / (8u * LANES)) * 8u + thread % 8u;
  let own_rows = trips(TILE);
  var sum = array<f32, TILE * STRIPES>();
  for (var index = lane; index < trips(GROUPS); index += LANES) {
    for (var stripe = 0u; stripe < STRIPES; stripe++) {
      // Rows of the last workgroup that do not exist read another's weights, and nobody takes their sums.
      let w = weights32(min(weight_row + stripe * STRIPE, ROWS_OUT - 1u), index);
      for (var m = 0u; m < own_rows; m++) { sum[m * STRIPES + stripe] += dot32(w, source_row(tile + m), m, index * 8u); }
    }
  }
  for (var part = 0u; part < own_rows * STRIPES; part++) { partial[part * WG + thread] = sum[part]; }
  workgroupBarrier();
  emit(tile, first, thread);
}

// What a thread adds to the squares of a row; a sandwich hands on what it summed.
fn share_of(tile: u32, m: u32, thread: u32, keeps: bool) -> f32 {
  var sum = 0.0;
  if (tile + m < row_count()) {
    let row = source_row(tile + m);
    for (var quad = thread; quad < GROUPS * 8u; quad += WG) {
      let value = input4(row, m, quad);
      sum += dot(value, value);
      if (keeps) { keep4(row, quad, value); }
    }
  }
  return sum;
}
