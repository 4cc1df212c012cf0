// Makes one row's attention from what its stretches left: y = sum of exp(m_s - max m) * sum_s over sum of exp(m_s - max m) * weight_s.
// A thread makes four dims of one head. A row of one stretch comes out as the unsplit kernel writes it, to the bit.
// Needs HEADS, HEAD_DIM, Y_STRIDE, Y_OFFSET (in f32, multiples of 4); rows.wgsl, partials.wgsl.
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(5) var<storage, read> rows: array<u32>;
const QUADS = HEAD_DIM / 4u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y;
  if (row >= rows[0] || id.x >= HEADS * QUADS) { return; }
  let head = id.x / QUADS;
  let stretches = row_position(row) / STRETCH + 1u;
  var largest = x[partial(row, 0u, head) + QUADS].x;
  for (var stretch = 1u; stretch < stretches; stretch++) { largest = max(largest, x[partial(row, stretch, head) + QUADS].x); }
  var weight = 0.0;
  var sum = vec4f();
  for (var stretch = 0u; stretch < stretches; stretch++) {
    let at = partial(row, stretch, head);
    let most = x[at + QUADS].x;
    // exp(0) need not be 1 on every GPU.
    let share = select(exp(most - largest), 1.0, most == largest);
    weight += share * x[at + QUADS].y;
    sum += share * x[at + id.x % QUADS];
  }
  y[(row * Y_STRIDE + Y_OFFSET) / 4u + id.x] = sum / weight;
}
