// Squares of matmul.wgsl's rows: every thread takes a share of each row, and the sums meet in two steps of one order.
const PARTS = 8u;
var<workgroup> square_parts: array<f32, PARTS * TILE>;

fn sum_squares(tile: u32, thread: u32, keeps: bool) {
  for (var m = 0u; m < trips(TILE); m++) { partial[m * WG + thread] = share_of(tile, m, thread, keeps); }
  workgroupBarrier();
  for (var item = thread; item < PARTS * TILE; item += WG) {
    var sum = 0.0;
    for (var index = 0u; index < trips(WG / PARTS); index++) { sum += partial[item * (WG / PARTS) + index]; }
    square_parts[item] = sum;
  }
  workgroupBarrier();
}
