// Source values stored as BF16: the upper half of an f32.
fn read_value(row: u32, column: u32) -> f32 { return bitcast<f32>(half_at((row * row_columns() + column) * 2u) << 16u); }
