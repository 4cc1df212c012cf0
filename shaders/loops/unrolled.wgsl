// Trip counts as they are: the compiler may unroll.
fn trips(count: u32) -> u32 { return count; }
