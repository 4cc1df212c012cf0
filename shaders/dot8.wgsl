// y = W x with x rounded to 8 bits, multiplied four at a time by integer dot products (DP4A). Same rows, lanes and blocks as matmul.wgsl.
//   y[row, n] = factor * sum over groups of scale_x * (scale_w * sum over k of code_w[n, k] * code_x[row, k] + offset_w * sum over k of code_x[row, k]),   scale_x = max |gamma x| / 127
// x passes through workgroup memory, CHUNK groups of 32 at a time: each thread rounds groups, then all multiply.
// Integer sums are exact and groups are added in one order per row, whatever TILE, STRIPES and CHUNK are (CHUNK: a multiple of LANES and of PARTS).
// Needs what matmul.wgsl needs, CHUNK, and a coded weight format.
const PARTS = 16u;
var<workgroup> codes_x: array<vec4u, CHUNK * TILE * 2u>;
var<workgroup> scales_x: array<vec2f, CHUNK * TILE>; // scale, scale * sum of the codes
var<workgroup> squares: array<f32, CHUNK * TILE>;
var<workgroup> square_parts: array<f32, PARTS * TILE>;
var<workgroup> partial: array<f32, WG * TILE * STRIPES>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let tile = group.y * TILE;
  if (tile >= row_count()) { return; }
  let first = (group.z * groups.x + group.x) * OUT;
  if (first >= ROWS_OUT) { return; }
  prepare(tile, thread);
  let keeps = first == 0u && ROW_OFFSET == 0u;
  let lane = (thread / 8u) % LANES;
  let weight_row = first + (thread / (8u * LANES)) * 8u + thread % 8u;
  var sum = array<f32, TILE * STRIPES>();
  for (var item = thread; item < PARTS * TILE; item += WG) { square_parts[item] = 0.0; }
  for (var start = 0u; start < trips(GROUPS); start += CHUNK) {
    let here = min(CHUNK, GROUPS - start);
    workgroupBarrier();
    for (var item = thread; item < here * TILE; item += WG) { stage(tile, item / here, item % here, start, keeps); }
    workgroupBarrier();
    if (NORMED) { add_squares(thread, here); }
    for (var index = lane; index < here; index += LANES) {
      for (var stripe = 0u; stripe < STRIPES; stripe++) {
        let row = min(weight_row + stripe * STRIPE, ROWS_OUT - 1u);
        let w = codes(row, start + index);
        let s = span(row, start + index);
        for (var m = 0u; m < tile_trips(); m++) {
          let at = m * CHUNK + index;
          let dots = f32(dot_codes(w, codes_x[at * 2u], codes_x[at * 2u + 1u])) * scales_x[at].x;
          sum[m * STRIPES + stripe] += dots * s.x + scales_x[at].y * s.y;
        }
      }
    }
  }
  for (var part = 0u; part < tile_trips() * STRIPES; part++) { partial[part * WG + thread] = sum[part]; }
  workgroupBarrier();
  emit(tile, first, thread);
}

// A single row needs no loop, which would cost it half its speed on CPU adapters.
fn tile_trips() -> u32 {
  if (TILE == 1u) { return 1u; }
  return trips(TILE);
}

// One group of one row to codes.
fn stage(tile: u32, m: u32, index: u32, start: u32, keeps: bool) {
  let at = m * CHUNK + index;
  if (tile + m >= row_count()) { scales_x[at] = vec2f(); squares[at] = 0.0; return; }
  let row = source_row(tile + m);
  var values = array<vec4f, 8>();
  var largest = 0.0;
  var squared = 0.0;
  for (var part = 0u; part < trips(8u); part++) {
    let quad = (start + index) * 8u + part;
    if (NORMED) {
      let value = input4(row, m, quad);
      squared += dot(value, value);
      if (keeps) { keep4(row, quad, value); }
    }
    values[part] = scaled4(row, m, quad);
    let size = abs(values[part]);
    largest = max(largest, max(max(size.x, size.y), max(size.z, size.w)));
  }
  let inverse = select(0.0, 127.0 / largest, largest > 0.0);
  var words = array<u32, 8>();
  var total = 0;
  for (var part = 0u; part < trips(8u); part++) {
    let rounded = vec4i(round(values[part] * inverse));
    words[part] = pack4xI8(rounded);
    total += dot(rounded, vec4i(1));
  }
  codes_x[at * 2u] = vec4u(words[0], words[1], words[2], words[3]);
  codes_x[at * 2u + 1u] = vec4u(words[4], words[5], words[6], words[7]);
  let s = largest / 127.0;
  scales_x[at] = vec2f(s, s * f32(total));
  squares[at] = squared;
}

// Every PARTS-th group into one sum: ascending, so that the order does not depend on CHUNK.
fn add_squares(thread: u32, here: u32) {
  for (var item = thread; item < PARTS * TILE; item += WG) {
    var sum = square_parts[item];
    for (var index = item % PARTS; index < here; index += PARTS) { sum += squares[item / PARTS * CHUNK + index]; }
    square_parts[item] = sum;
  }
}
