// Source values stored as BF16: the upper half of an f32.
fn read_value(index: u32) -> f32 { return bitcast<f32>(((source[index / 2u] >> (16u * (index % 2u))) & 0xffffu) << 16u); }
