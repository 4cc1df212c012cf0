// Rows of a file's tensor into the weight layout of README.md: values are read, and coded anew. One thread per row and scale (SCALE_GROUP values).
// Needs read_value (quantise/from_*.wgsl), encode (quantise/to_*.wgsl), window.wgsl and bytes.wgsl. One pipeline serves every shape: the shape is
// data, in aux. Row i of those to write goes to destination + i * step.
const PARTS = SCALE_GROUP / 32u;
@group(0) @binding(2) var<storage, read_write> y: array<atomic<u32>>;
@group(0) @binding(8) var<storage, read_write> status: array<atomic<u32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let item = (id.z * groups.y + id.y) * groups.x * 64u + id.x;
  let wide = (window_groups() + PARTS - 1u) / PARTS;
  let row = item / wide;
  let start = item % wide * PARTS;
  if (row >= aux[0]) { return; }
  var values = array<f32, SCALE_GROUP>();
  for (var index = 0u; index < trips(SCALE_GROUP); index++) {
    let column = start * 32u + index;
    if (column < window_groups() * 32u && window_group() * 32u + column < row_columns()) { values[index] = read_value(aux[12] + row, column); }
    // Tested on the bits: a compiler may assume that NaN does not happen.
    if ((bitcast<u32>(values[index]) & 0x7f800000u) == 0x7f800000u) { flag(); }
  }
  encode(aux[1] + row * aux[2], window_group() + start, values);
}

fn flag() { atomicOr(&status[aux[3]], 1u); }

// The block of eight rows that a row's group of 32 is in.
fn block_of(row: u32, group: u32) -> u32 { return (row / 8u) * row_groups() + group; }
