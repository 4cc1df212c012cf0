// Hands a workgroup's totals to `finish` by pairs of neighbouring outputs. Needs OUT (weight rows of a workgroup), TILE, WG, ROWS_OUT, ROW_OFFSET;
// total2 and factors from the kernel.
fn emit(tile: u32, first: u32, thread: u32) {
  let pairs = min(TILE, row_count() - tile) * (OUT / 2u);
  for (var pair = thread; pair < pairs; pair += WG) {
    let m = pair / (OUT / 2u);
    let local = pair % (OUT / 2u) * 2u;
    if (first + local < ROWS_OUT) { finish(tile + m, ROW_OFFSET + first + local, total2(m, local)); }
  }
}
