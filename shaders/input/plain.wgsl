// A matmul's input as it stands: x [rows, GROUPS * 32], zero beyond the real width. `m` is the row's place in the workgroup's tile.
@group(0) @binding(1) var<storage, read> x: array<vec4f>;

fn prepare(tile: u32, thread: u32) {}
fn input4(row: u32, m: u32, quad: u32) -> vec4f { return x[row * GROUPS * 8u + quad]; }
fn gamma4(quad: u32, value: vec4f) -> vec4f { return value; }
fn scaled4(row: u32, m: u32, quad: u32) -> vec4f { return x[row * GROUPS * 8u + quad]; }
const NORMED = false;
fn factor(squares: f32) -> f32 { return 1.0; }
