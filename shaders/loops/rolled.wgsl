// Trip counts that no compiler can bound (word 2 of the rows is always 0): lavapipe unrolls known ones, `min` included, for seconds per shader.
fn trips(count: u32) -> u32 { return count + rows[2]; }
