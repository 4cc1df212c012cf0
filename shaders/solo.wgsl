// y = W x where threads share nothing: for CPU adapters, to which barriers and workgroup memory cost more than all of the products.
//   y[row, n] = factor * sum over k of W[n, k] * gamma[k] * x[row, k]
// A thread owns a block of 8 weight rows and reads each value of x once for them; squares for a norm it sums itself, beside the products.
// Each row of x sums in the same order whatever TILE is: batched and single rows agree bit for bit.
// Needs GROUPS, ROWS_OUT (weight rows here), ROW_OFFSET (of these within the whole matrix), TILE, WG, and the files listed in README.md.

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let tile = group.y * TILE;
  let first = ((group.z * groups.x + group.x) * WG + thread) * 8u;
  if (tile >= row_count() || first >= ROWS_OUT) { return; }
  let own_rows = trips(min(TILE, row_count() - tile));
  let keeps = first + ROW_OFFSET == 0u;
  prepare(tile, thread);
  var low = array<vec4f, TILE>();
  var high = array<vec4f, TILE>();
  var squares = array<f32, TILE>();
  // A step is half a group: 16 columns. Written out, since an array of codes would stand in memory.
  for (var half = 0u; half < trips(GROUPS * 2u); half++) {
    let w0 = half_codes(first + 0u, half);
    let w1 = half_codes(first + 1u, half);
    let w2 = half_codes(first + 2u, half);
    let w3 = half_codes(first + 3u, half);
    let w4 = half_codes(first + 4u, half);
    let w5 = half_codes(first + 5u, half);
    let w6 = half_codes(first + 6u, half);
    let w7 = half_codes(first + 7u, half);
    let s = spans8(first, half / 2u / PER_SCALE);
    for (var m = 0u; m < own_rows; m++) {
      let row = source_row(tile + m);
      var a = vec4f();
      var b = vec4f();
      var sum = 0.0;
      var square = 0.0;
      for (var quad = 0u; quad < trips(4u); quad++) {
        let value = input4(row, m, half * 4u + quad);
        if (keeps) { keep4(row, half * 4u + quad, value); }
        square += dot(value, value);
        let v = gamma4(half * 4u + quad, value);
        sum += dot(v, vec4f(1.0));
        a += vec4f(dot(bytes(w0[quad]), v), dot(bytes(w1[quad]), v), dot(bytes(w2[quad]), v), dot(bytes(w3[quad]), v));
        b += vec4f(dot(bytes(w4[quad]), v), dot(bytes(w5[quad]), v), dot(bytes(w6[quad]), v), dot(bytes(w7[quad]), v));
      }
      low[m] += a * s.low + sum * s.low_zero;
      high[m] += b * s.high + sum * s.high_zero;
      squares[m] += square;
    }
  }
  for (var m = 0u; m < own_rows; m++) {
    var scale = 1.0;
    if (NORMED) { scale = factor(squares[m]); }
    for (var pair = 0u; pair < trips(4u); pair++) {
      let four = select(low[m], high[m], pair > 1u) * scale;
      if (first + pair * 2u < ROWS_OUT) { finish(tile + m, ROW_OFFSET + first + pair * 2u, select(four.xy, four.zw, pair % 2u == 1u)); }
    }
  }
}

fn bytes(word: u32) -> vec4f { return vec4f(unpack4xI8(word)); }
