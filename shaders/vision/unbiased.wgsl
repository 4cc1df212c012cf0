// A matmul without a bias.
fn bias2(n: u32) -> vec2f { return vec2f(); }
