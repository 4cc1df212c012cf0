// Queries to y, keys and values as 8-bit codes in groups of 32 with one f32 scale each: whoever holds a group's outputs writes it whole, so OUT, ROWS_OUT
// and HEAD_DIM are multiples of 32. Codes stand in the order of the other formats, scales behind all of them. Needs rotate.wgsl, KV_SCALES (in u32).
@group(0) @binding(6) var<storage, read_write> kv: array<u32>;

fn emit(tile: u32, first: u32, thread: u32) {
  let count = min(TILE, row_count() - tile);
  for (var pair = thread; pair < count * (OUT / 2u); pair += WG) {
    let m = pair / (OUT / 2u);
    let local = pair % (OUT / 2u) * 2u;
    let n = ROW_OFFSET + first + local;
    if (n < QUERY_ROWS && first + local < ROWS_OUT) { finish_query(tile + m, n, total2(m, local)); }
  }
  for (var item = thread; item < count * (OUT / 32u); item += WG) {
    let m = item / (OUT / 32u);
    let local = item % (OUT / 32u) * 32u;
    let n = ROW_OFFSET + first + local;
    if (n >= QUERY_ROWS && first + local < ROWS_OUT) { write_group(tile + m, n, m, local); }
  }
}

fn write_group(row: u32, n: u32, m: u32, local: u32) {
  var values = array<vec2f, 16>();
  var largest = 0.0;
  for (var pair = 0u; pair < trips(16u); pair++) {
    values[pair] = turned_kv(row, n + pair * 2u, total2(m, local + pair * 2u));
    largest = max(largest, max(abs(values[pair].x), abs(values[pair].y)));
  }
  let at = kv_place(row, n);
  let inverse = select(0.0, 127.0 / largest, largest > 0.0);
  for (var word = 0u; word < trips(8u); word++) {
    let four = vec4f(values[word * 2u], values[word * 2u + 1u]) * inverse;
    kv[at / 4u + word] = pack4xI8(vec4i(sign(four) * floor(abs(four) + 0.5)));
  }
  kv[KV_SCALES + at / 32u] = bitcast<u32>(largest / 127.0);
}
