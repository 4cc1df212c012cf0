// Rows of a file's tensor, as stored (F32, F16, BF16), into the weight layout of README.md. One thread per row and group of 32.
// Needs read_value (quantise/from_*.wgsl) and encode (quantise/to_*.wgsl). One pipeline serves every shape: the shape is data, as in
// aux: [rows in this chunk, destination row, destination step, tensor number, values in a row, u32 offset of the scales in y, 0];
// source row i goes to destination + i * step.
@group(0) @binding(2) var<storage, read_write> y: array<atomic<u32>>;
@group(0) @binding(3) var<storage, read> aux: array<u32>;
@group(0) @binding(7) var<storage, read> source: array<u32>;
@group(0) @binding(8) var<storage, read_write> status: array<atomic<u32>>;

fn groups_in_row() -> u32 { return (aux[4] + 31u) / 32u; }

// Word 6 is always 0: no compiler can bound the count and unroll it, which takes lavapipe seconds.
fn trips(count: u32) -> u32 { return count + aux[6]; }

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let item = (id.z * groups.y + id.y) * groups.x * 64u + id.x;
  let row = item / groups_in_row();
  let group = item % groups_in_row();
  if (row >= aux[0]) { return; }
  var values = array<f32, 32>();
  for (var index = 0u; index < trips(32u); index++) {
    let column = group * 32u + index;
    if (column < aux[4]) { values[index] = read_value(row * aux[4] + column); }
    // Tested on the bits: a compiler may assume that NaN does not happen.
    if ((bitcast<u32>(values[index]) & 0x7f800000u) == 0x7f800000u) { atomicOr(&status[aux[3]], 1u); }
  }
  encode(aux[1] + row * aux[2], group, values);
}
