// A matmul over a chunk of patches that come row by row and leave as blocks. Needs place.wgsl.
@group(0) @binding(5) var<storage, read> rows: array<u32>;

fn row_count() -> u32 { return rows[0]; }
fn source_row(row: u32) -> u32 {
  let place = place_of(row);
  let all = rows[3] + row;
  return all - all % rows[4] + place.x * rows[5] + place.y;
}
