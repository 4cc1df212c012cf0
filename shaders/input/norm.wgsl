// RMSNorm folded into a matmul: W (gamma * x) * rsqrt(mean(x^2) + eps). The squares are summed in the same loop, so no pass goes before.
// Needs GROUPS, WIDTH (real width), EPS, GAMMA (offset in aux, in vec4f).
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read> aux: array<vec4f>;

fn input4(row: u32, quad: u32) -> vec4f { return x[row * GROUPS * 8u + quad]; }
fn gamma4(quad: u32) -> vec4f { return aux[GAMMA + quad]; }
fn square(value: vec4f) -> f32 { return dot(value, value); }
fn factor(squares: f32) -> f32 { return 1.0 / sqrt(squares / f32(WIDTH) + EPS); }
