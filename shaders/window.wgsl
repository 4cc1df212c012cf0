// A window of a file's tensor: rows, and columns in groups of 32, whose bytes stand in source. What to do with it stands in
// aux: [rows to write, destination row, destination step, tensor number, values in a row, u32 offset of scales in y, 0, u32 offset of centres in y,
// first group, groups, first row, rows, first row to write within the window, 0, byte offsets of the parts in source (6)].
@group(0) @binding(3) var<storage, read> aux: array<u32>;
@group(0) @binding(7) var<storage, read> source: array<u32>;

fn row_columns() -> u32 { return aux[4]; }
fn row_groups() -> u32 { return (aux[4] + 31u) / 32u; }
fn window_group() -> u32 { return aux[8]; }
fn window_groups() -> u32 { return aux[9]; }
fn window_row() -> u32 { return aux[10]; }
fn window_rows() -> u32 { return aux[11]; }
fn part_at(part: u32) -> u32 { return aux[14u + part]; }

// Word 6 is always 0: no compiler can bound the count and unroll it, which takes lavapipe seconds.
fn trips(count: u32) -> u32 { return count + aux[6]; }
