// Squares of matmul.wgsl's rows: every thread takes a share of each row, and a subgroup adds its own at once. One barrier where shared.wgsl has two.
// Subgroups are taken to be neighbours; no specification says so, the tuner's probe sees it.
const SMALLEST = 4u;
var<workgroup> square_parts: array<f32, WG / SMALLEST * TILE>;
var<private> subgroup: u32;

fn sum_squares(tile: u32, thread: u32, keeps: bool) {
  subgroup = subgroupAdd(1u);
  for (var m = 0u; m < trips(TILE); m++) {
    let sum = subgroupAdd(share_of(tile, m, thread, keeps));
    if (thread % subgroup == 0u) { square_parts[m * (WG / SMALLEST) + thread / subgroup] = sum; }
  }
  workgroupBarrier();
}

fn squared(m: u32) -> f32 {
  var sum = 0.0;
  for (var part = 0u; part < trips(WG / subgroup); part++) { sum += square_parts[m * (WG / SMALLEST) + part]; }
  return sum;
}
