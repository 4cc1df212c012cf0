// RMSNorm folded into a matmul, over a sum that nobody has made yet: x = h + gamma' * raw / rms(raw), the residual stream plus what the kernel
// before left unnormed. Both stand in one buffer, [h rows][raw rows]; the workgroup that is first keeps the sum in `next`, for whoever follows.
// Needs what norm.wgsl needs, POST_GAMMA (offset in aux, in vec4f), RAW (offset of the raw rows, in vec4f); raw_factor of a file of input/raw/.
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read> aux: array<vec4f>;

fn input4(row: u32, m: u32, quad: u32) -> vec4f {
  let at = row * GROUPS * 8u + quad;
  return x[at] + aux[POST_GAMMA + quad] * x[RAW + at] * raw_factor[m];
}
fn gamma4(quad: u32, value: vec4f) -> vec4f { return aux[GAMMA + quad] * value; }
fn scaled4(row: u32, m: u32, quad: u32) -> vec4f { return gamma4(quad, input4(row, m, quad)); }
const NORMED = true;
fn factor(squares: f32) -> f32 { return 1.0 / sqrt(squares / f32(WIDTH) + EPS); }
