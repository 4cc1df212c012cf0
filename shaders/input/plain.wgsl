// A matmul's input as it stands: x [rows, GROUPS * 32], zero beyond the real width.
@group(0) @binding(1) var<storage, read> x: array<vec4f>;

fn input4(row: u32, quad: u32) -> vec4f { return x[row * GROUPS * 8u + quad]; }
fn gamma4(quad: u32) -> vec4f { return vec4f(1.0); }
fn square(value: vec4f) -> f32 { return 0.0; }
fn factor(squares: f32) -> f32 { return 1.0; }
