// y = W x for many rows of x (prompts): a tile of TILE rows by OUT weight rows per workgroup, 8 by 4 of it per thread, in steps of one group of 32.
//   y[row, n] = factor * sum over k of W[n, k] * gamma[k] * x[row, k]
// Weights are dequantised once per workgroup and x is read once: both pass through workgroup memory, where the totals stand at the end.
// Each output is summed over k in one order, whatever TILE is. Needs GROUPS, ROWS_OUT (weight rows here), ROW_OFFSET (of these within the whole matrix),
// TILE (8, 16 or 32), OUT = 64, WG = 2 * TILE (one thread stages 4 rows by 4 of x), and the files listed in README.md.
const COLUMNS = OUT / 4u;
const LINES = TILE / 4u;
var<workgroup> tile_w: array<vec4f, 8u * OUT>; // [quad][weight row]; then totals [4 rows][weight row]
var<workgroup> tile_x: array<vec4f, 32u * LINES>; // [k][4 rows]; then squares [quad][4 rows]

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let tile = group.y * TILE;
  if (tile >= row_count()) { return; }
  let first = (group.z * groups.x + group.x) * OUT;
  if (first >= ROWS_OUT) { return; }
  prepare(tile, thread);
  let keeps = first == 0u && ROW_OFFSET == 0u;
  let column = thread % COLUMNS;
  let line = thread / COLUMNS * 2u;
  var squares = vec4f();
  var low = mat4x4f(); // rows 0-3 of the thread's eight: one vector per weight row
  var high = mat4x4f();
  for (var index = 0u; index < trips(GROUPS); index++) {
    workgroupBarrier();
    // Rows of the last workgroup that do not exist read another's weights, and nobody takes their sums.
    for (var n = thread; n < OUT; n += WG) { stage_w(n, weights32(min(first + n, ROWS_OUT - 1u), index)); }
    squares += stage_x(tile, thread, index, keeps);
    workgroupBarrier();
    for (var quad = 0u; quad < trips(8u); quad++) {
      let at = quad * OUT + column;
      let w = mat4x4f(tile_w[at], tile_w[at + COLUMNS], tile_w[at + 2u * COLUMNS], tile_w[at + 3u * COLUMNS]);
      low = added(low, quad * 4u * LINES + line, w);
      high = added(high, quad * 4u * LINES + line + 1u, w);
    }
  }
  workgroupBarrier();
  keep_totals(line, column, low);
  keep_totals(line + 1u, column, high);
  tile_x[thread] = squares;
  workgroupBarrier();
  emit(tile, first, thread);
}

// Four values of k, one after the other.
fn added(sums: mat4x4f, at: u32, w: mat4x4f) -> mat4x4f {
  let a = tile_x[at];
  let b = tile_x[at + LINES];
  let c = tile_x[at + 2u * LINES];
  let d = tile_x[at + 3u * LINES];
  return mat4x4f(sums[0] + a * w[0].x + b * w[0].y + c * w[0].z + d * w[0].w, sums[1] + a * w[1].x + b * w[1].y + c * w[1].z + d * w[1].w,
    sums[2] + a * w[2].x + b * w[2].y + c * w[2].z + d * w[2].w, sums[3] + a * w[3].x + b * w[3].y + c * w[3].z + d * w[3].w);
}

fn stage_w(n: u32, w: Eight) {
  tile_w[n] = w.a;
  tile_w[OUT + n] = w.b;
  tile_w[2u * OUT + n] = w.c;
  tile_w[3u * OUT + n] = w.d;
  tile_w[4u * OUT + n] = w.e;
  tile_w[5u * OUT + n] = w.f;
  tile_w[6u * OUT + n] = w.g;
  tile_w[7u * OUT + n] = w.h;
}

// Four rows by one quad of x, turned; gives the squares of the four.
fn stage_x(tile: u32, thread: u32, index: u32, keeps: bool) -> vec4f {
  let line = thread % LINES;
  let quad = thread / LINES;
  var turned = mat4x4f();
  var squares = vec4f();
  for (var part = 0u; part < trips(4u); part++) {
    let m = line * 4u + part;
    if (tile + m >= row_count()) { continue; }
    let row = source_row(tile + m);
    let at = index * 8u + quad;
    turned[part] = scaled4(row, m, at);
    if (NORMED) {
      let value = input4(row, m, at);
      squares[part] = dot(value, value);
      if (keeps) { keep4(row, at, value); }
    }
  }
  turned = transpose(turned);
  for (var part = 0u; part < trips(4u); part++) { tile_x[(quad * 4u + part) * LINES + line] = turned[part]; }
  return squares;
}

fn keep_totals(line: u32, column: u32, sums: mat4x4f) {
  for (var part = 0u; part < 4u; part++) { tile_w[line * OUT + column + part * COLUMNS] = sums[part]; }
}

fn total2(m: u32, local: u32) -> vec2f {
  let at = m / 4u * OUT + local;
  let total = vec2f(tile_w[at][m % 4u], tile_w[at + 1u][m % 4u]);
  if (!NORMED) { return total; }
  var squared = 0.0;
  for (var quad = 0u; quad < trips(8u); quad++) { squared += tile_x[quad * LINES + m / 4u][m % 4u]; }
  return total * factor(squared);
}
