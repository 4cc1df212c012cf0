// Rows of a file's codes into the weight layout of README.md, nothing rounded but scales and centres to f16. One thread per row and group of 32.
// Needs block_code, block_span (blocks/*.wgsl), keep_codes, keep_span (repack/*.wgsl), codes.wgsl, half.wgsl, window.wgsl, bytes.wgsl; SCALE_GROUP.
// Row i of those to write goes to destination + i * step.
const PER_SCALE = max(SCALE_GROUP, 32u) / 32u; // groups of 32
@group(0) @binding(2) var<storage, read_write> y: array<atomic<u32>>;
@group(0) @binding(8) var<storage, read_write> status: array<atomic<u32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let item = (id.z * groups.y + id.y) * groups.x * 64u + id.x;
  let row = item / window_groups();
  let group = item % window_groups();
  if (row >= aux[0]) { return; }
  let source_row = aux[12] + row;
  let to = aux[1] + row * aux[2];
  let own = window_group() + group;
  keep_codes(source_row, group, to, own);
  if (SCALE_GROUP == 16u) {
    keep_span(source_row, group * 32u, to, own * 2u);
    // A row may end in the first half of its last group.
    if (own * 32u + 16u < row_columns()) { keep_span(source_row, group * 32u + 16u, to, own * 2u + 1u); }
  } else if (own % PER_SCALE == 0u) {
    keep_span(source_row, group * 32u, to, own / PER_SCALE);
  }
}

// An f16 that is NaN or infinity is told.
fn check_half(bits: u32) {
  if ((bits & 0x7c00u) == 0x7c00u) { atomicOr(&status[aux[3]], 1u); }
}

// The code of a value; columns that only fill the last group have the one that stands for 0 where there is no centre.
fn code_at(source_row: u32, group: u32, own: u32, index: u32) -> i32 {
  if (own * 32u + index >= row_columns()) { return 0; }
  return block_code(source_row, group * 32u + index);
}

fn block_of(row: u32, group: u32) -> u32 { return (row / 8u) * row_groups() + group; }
