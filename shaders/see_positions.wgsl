// A table of positions, sampled at the place of each patch and added to it: y[row] += sum over 4 x 4 taps of down * across * x[tap].
// A workgroup of 64 per row. Taps (as the host makes them in f64) stand in rope: for each row of patches, then for each column, four indices and four
// weights. Needs WIDTH (of a position, in vec4f), QUADS (of a row of y, in vec4f), SIDE (of the table); place.wgsl.
@group(0) @binding(1) var<storage, read> x: array<vec4f>; // [SIDE, SIDE, WIDTH]
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>; // [rows, QUADS]
@group(0) @binding(4) var<storage, read> rope: array<vec4f>;
@group(0) @binding(5) var<storage, read> rows: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row = group.y;
  if (row >= rows[0]) { return; }
  let place = place_of(row);
  let down = rope[place.x * 2u + 1u];
  let across = rope[(rows[6] + place.y) * 2u + 1u];
  for (var quad = thread; quad < WIDTH; quad += 64u) {
    var sum = vec4f();
    for (var tap = 0u; tap < trips(16u); tap++) {
      let line = u32(rope[place.x * 2u][tap / 4u]);
      let column = u32(rope[(rows[6] + place.y) * 2u][tap % 4u]);
      sum += down[tap / 4u] * across[tap % 4u] * x[(line * SIDE + column) * WIDTH + quad];
    }
    y[row * QUADS + quad] += sum;
  }
}
