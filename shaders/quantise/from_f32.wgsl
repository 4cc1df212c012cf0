// Source values stored as F32.
fn read_value(row: u32, column: u32) -> f32 { return bitcast<f32>(source[row * row_columns() + column]); }
