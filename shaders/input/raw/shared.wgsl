// The norm behind a sandwich's raw rows, for all threads of a workgroup. Needs WG, TILE.
var<workgroup> raw_sums: array<f32, WG>;
var<workgroup> raw_factor: array<f32, TILE>;

// One factor per row of the tile: WG partial sums, added in one order.
fn prepare(tile: u32, thread: u32) {
  for (var m = 0u; m < trips(TILE); m++) {
    var sum = 0.0;
    if (tile + m < row_count()) {
      let at = RAW + source_row(tile + m) * GROUPS * 8u;
      for (var quad = thread; quad < GROUPS * 8u; quad += WG) { sum += dot(x[at + quad], x[at + quad]); }
    }
    raw_sums[thread] = sum;
    workgroupBarrier();
    if (thread == 0u) {
      var total = 0.0;
      for (var index = 0u; index < trips(WG); index++) { total += raw_sums[index]; }
      raw_factor[m] = factor(total);
    }
    workgroupBarrier();
  }
}
