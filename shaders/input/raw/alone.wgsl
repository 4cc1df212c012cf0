// The norm behind a sandwich's raw rows, by each thread for itself. Needs TILE.
var<private> raw_factor: array<f32, TILE>;

fn prepare(tile: u32, thread: u32) {
  for (var m = 0u; m < trips(min(TILE, row_count() - tile)); m++) {
    let at = RAW + source_row(tile + m) * GROUPS * 8u;
    var sum = 0.0;
    for (var quad = 0u; quad < trips(GROUPS * 8u); quad++) { sum += dot(x[at + quad], x[at + quad]); }
    raw_factor[m] = factor(sum);
  }
}
