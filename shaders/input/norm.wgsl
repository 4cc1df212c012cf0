// RMSNorm folded into a matmul: W (gamma * x) * rsqrt(mean(x^2) + eps). The squares are summed beside the products, so no pass goes before.
// Needs GROUPS, WIDTH (real width), EPS, GAMMA (offset in aux, in vec4f).
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read> aux: array<vec4f>;

fn prepare(tile: u32, thread: u32) {}
fn input4(row: u32, m: u32, quad: u32) -> vec4f { return x[row * GROUPS * 8u + quad]; }
fn gamma4(quad: u32, value: vec4f) -> vec4f { return aux[GAMMA + quad] * value; }
fn scaled4(row: u32, m: u32, quad: u32) -> vec4f { return gamma4(quad, input4(row, m, quad)); }
const NORMED = true;
fn factor(squares: f32) -> f32 { return 1.0 / sqrt(squares / f32(WIDTH) + EPS); }
