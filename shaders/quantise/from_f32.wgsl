// Source values stored as F32.
fn read_value(index: u32) -> f32 { return bitcast<f32>(source[index]); }
