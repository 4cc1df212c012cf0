// RMSNorm folded into a matmul, over a sum that nobody has made yet: x = h + gamma' * raw / rms(raw), the residual stream plus what the kernel
// before left unnormed. Both stand in one buffer, [h rows][raw rows]; the workgroup that is first keeps the sum in `next`, for whoever follows.
// Needs what norm.wgsl needs, POST_GAMMA (offset in aux, in vec4f), RAW (offset of the raw rows, in vec4f), WG, TILE.
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read> aux: array<vec4f>;
var<workgroup> raw_sums: array<f32, WG>;
var<workgroup> raw_factor: array<f32, TILE>;

// One factor per row of the tile: WG partial sums, added in one order.
fn prepare(tile: u32, thread: u32) {
  for (var m = 0u; m < trips(TILE); m++) {
    var sum = 0.0;
    if (tile + m < row_count()) {
      let at = RAW + source_row(tile + m) * GROUPS * 8u;
      for (var quad = thread; quad < GROUPS * 8u; quad += WG) { sum += dot(x[at + quad], x[at + quad]); }
    }
    raw_sums[thread] = sum;
    workgroupBarrier();
    if (thread == 0u) {
      var total = 0.0;
      for (var index = 0u; index < trips(WG); index++) { total += raw_sums[index]; }
      raw_factor[m] = factor(total);
    }
    workgroupBarrier();
  }
}

fn input4(row: u32, m: u32, quad: u32) -> vec4f {
  let at = row * GROUPS * 8u + quad;
  return x[at] + aux[POST_GAMMA + quad] * x[RAW + at] * raw_factor[m];
}
fn scaled4(row: u32, m: u32, quad: u32) -> vec4f { return aux[GAMMA + quad] * input4(row, m, quad); }
const NORMED = true;
fn factor(squares: f32) -> f32 { return 1.0 / sqrt(squares / f32(WIDTH) + EPS); }
