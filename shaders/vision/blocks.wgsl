// A matmul over a chunk of patches that come as blocks: the input is that of the whole batch.
@group(0) @binding(5) var<storage, read> rows: array<u32>;

fn row_count() -> u32 { return rows[0]; }
fn source_row(row: u32) -> u32 { return rows[3] + row; }
