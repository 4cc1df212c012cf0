// y = W x for many rows of packed x (pack8.wgsl), by integer dot products (DP4A): TILE rows by OUT weight rows per workgroup, 4 by ACROSS per thread.
//   y[row, n] = sum over groups of scale_x * (scale_w * sum over k of code_w[n, k] * code_x[row, k] + offset_w * sum over k of code_x[row, k])
// A thread reads its rows and weights as they stand in memory, four codes a word, so nothing is staged and nobody waits.
// Sums of a group are exact, and groups are added in one order: no choice of TILE, OUT or ACROSS changes a bit.
// Needs GROUPS, ROWS_OUT (weight rows here), ROW_OFFSET (of these within the whole matrix), TILE (a multiple of 4), OUT, ACROSS,
// WG = TILE / 4 * OUT / ACROSS, input/packed.wgsl, a coded weight format, and the files listed in README.md.
const COLUMNS = OUT / ACROSS;
var<workgroup> totals: array<vec4f, OUT * TILE / 4u>; // [4 rows][weight row]

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let tile = group.y * TILE;
  if (tile >= row_count()) { return; }
  let first = (group.z * groups.x + group.x) * OUT;
  if (first >= ROWS_OUT) { return; }
  let column = thread % COLUMNS;
  let line = thread / COLUMNS;
  // What does not exist reads another's numbers, and nobody takes its sums.
  let record = min(tile / 4u + line, (row_count() - 1u) / 4u) * GROUPS;
  var sums = array<vec4f, ACROSS>();
  for (var index = 0u; index < trips(GROUPS); index++) {
    let x = packed4(record + index);
    let sums_x = vec4f(x.sums) * x.scales;
    for (var part = 0u; part < trips(ACROSS); part++) {
      let n = min(first + column + part * COLUMNS, ROWS_OUT - 1u);
      let w = codes(n, index);
      let dots = vec4i(dot_codes(w, x.a0, x.b0), dot_codes(w, x.a1, x.b1), dot_codes(w, x.a2, x.b2), dot_codes(w, x.a3, x.b3));
      let s = span(n, index);
      sums[part] += vec4f(dots) * x.scales * s.x + sums_x * s.y;
    }
  }
  for (var part = 0u; part < trips(ACROSS); part++) { totals[line * OUT + column + part * COLUMNS] = sums[part]; }
  workgroupBarrier();
  emit(tile, first, thread);
}

fn total2(m: u32, local: u32) -> vec2f {
  let at = m / 4u * OUT + local;
  return vec2f(totals[at][m % 4u], totals[at + 1u][m % 4u]);
}
