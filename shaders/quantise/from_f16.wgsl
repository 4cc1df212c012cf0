// Source values stored as F16.
fn read_value(row: u32, column: u32) -> f32 { return half_value(half_at((row * row_columns() + column) * 2u)); }
