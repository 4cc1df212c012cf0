// Queries to y, keys and values to the row's place in its page. Needs rotate.wgsl; kv_write2(index of the pair, pair).
fn finish(row: u32, n: u32, value: vec2f) {
  if (n < QUERY_ROWS) { finish_query(row, n, value); } else { kv_write2(kv_place(row, n) / 2u, turned_kv(row, n, value)); }
}
