// Rows of a file's tensor, as stored (F32, F16, BF16), into the weight layout of README.md. One thread per row and group of 32.
// Needs WIDTH (values in a row), GROUPS, SCALES (u32 offset of the scales in y); read_value (quantise/*.wgsl) and encode (quantise/to_*.wgsl).
// aux: [rows in this chunk, destination row, destination step, tensor number]; source row i goes to destination + i * step.
@group(0) @binding(2) var<storage, read_write> y: array<atomic<u32>>;
@group(0) @binding(3) var<storage, read> aux: array<u32>;
@group(0) @binding(7) var<storage, read> source: array<u32>;
@group(0) @binding(8) var<storage, read_write> status: array<atomic<u32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let item = (id.z * groups.y + id.y) * groups.x * 64u + id.x;
  let row = item / GROUPS;
  let group = item % GROUPS;
  if (row >= aux[0]) { return; }
  var values = array<f32, 32>();
  for (var index = 0u; index < 32u; index++) {
    let column = group * 32u + index;
    if (column < WIDTH) { values[index] = read_value(row * WIDTH + column); }
    // Tested on the bits: a compiler may assume that NaN does not happen.
    if ((bitcast<u32>(values[index]) & 0x7f800000u) == 0x7f800000u) { atomicOr(&status[aux[3]], 1u); }
  }
  encode(aux[1] + row * aux[2], group, values);
}
