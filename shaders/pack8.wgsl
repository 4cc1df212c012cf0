// x to 8 bits for gemm8.wgsl: RMSNorm (or x as it stands), then codes in groups of 32. One workgroup per row of the matmul that follows.
//   scale = max |gamma x| / 127 * factor, code = round(gamma x * 127 / max |gamma x|)
// Codes are dot8.wgsl's, bit for bit. The layout is input/packed.wgsl's, in words: several workgroups write parts of one vector.
// Needs GROUPS, TILE = 1, WG, and the files listed in README.md.
const PARTS = 8u;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;
var<workgroup> squares: array<f32, WG>;
var<workgroup> square_parts: array<f32, PARTS>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let line = group.y;
  if (line >= row_count()) { return; }
  prepare(line, thread);
  let row = source_row(line);
  var whole = 1.0;
  if (NORMED) { whole = factor(sum_squares(row, thread)); }
  for (var index = thread; index < GROUPS; index += WG) { pack(line, row, index, whole); }
}

// Every thread takes a share; the shares meet in two steps of one order.
fn sum_squares(row: u32, thread: u32) -> f32 {
  var sum = 0.0;
  for (var quad = thread; quad < GROUPS * 8u; quad += WG) {
    let value = input4(row, 0u, quad);
    sum += dot(value, value);
    keep4(row, quad, value);
  }
  squares[thread] = sum;
  workgroupBarrier();
  if (thread < PARTS) {
    sum = 0.0;
    for (var index = thread; index < trips(WG); index += PARTS) { sum += squares[index]; }
    square_parts[thread] = sum;
  }
  workgroupBarrier();
  sum = 0.0;
  for (var part = 0u; part < PARTS; part++) { sum += square_parts[part]; }
  return sum;
}

fn pack(line: u32, row: u32, index: u32, whole: f32) {
  var values = array<vec4f, 8>();
  var largest = 0.0;
  for (var part = 0u; part < trips(8u); part++) {
    values[part] = scaled4(row, 0u, index * 8u + part);
    let size = abs(values[part]);
    largest = max(largest, max(max(size.x, size.y), max(size.z, size.w)));
  }
  let inverse = select(0.0, 127.0 / largest, largest > 0.0);
  let record = ((line / 4u) * GROUPS + index) * 40u;
  var total = 0;
  for (var part = 0u; part < trips(8u); part++) {
    let rounded = vec4i(round(values[part] * inverse));
    y[record + line % 4u * 8u + part] = pack4xI8(rounded);
    total += dot(rounded, vec4i(1));
  }
  y[record + 32u + line % 4u] = bitcast<u32>(largest / 127.0 * whole);
  y[record + 36u + line % 4u] = bitcast<u32>(total);
}
