// A picture resized, normalised and cut into patches (or left as planes of red, green and blue), in whole numbers as the processors do it:
// across, rounded and clipped to a byte; then down, rounded and clipped; then (byte - MEAN) / STD.
// A workgroup makes TILE x TILE samples. It takes so many source rows at a time: each thread makes one sample of one of them from source pixels,
// then each adds those rows of its column that its own sample is made of.
// Needs TILE, PATCHES (1: [patch][3][TEMPORAL][TILE][TILE], blocks of MERGE x MERGE patches together; 0: [3][height][width]), MERGE, TEMPORAL,
// MEAN, STD (vec3f); a file of pixels/, for `pixel(column, row)`: bytes of red, green and blue.
// rows: 0 width and 1 height of the result, 3 where `axes` has the vertical axis, 4 and 5 words of a sample's record in the horizontal and the
// vertical axis, 6 and 7 their bits, 8 first value in y, 9 the frame's place in its step, 10 how many places it takes; from 12 on the source's.
// A record of axes: first source sample, how many, their weights.
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> axes: array<i32>;
@group(0) @binding(5) var<storage, read> rows: array<u32>;
@group(0) @binding(7) var<storage, read> source: array<u32>;
var<workgroup> strip: array<u32, TILE * TILE>;

@compute @workgroup_size(TILE, TILE)
fn main(@builtin(workgroup_id) tile: vec3u, @builtin(local_invocation_id) at: vec3u) {
  let size = vec2u(rows[0], rows[1]);
  let out = min(tile.xy * TILE + at.xy, size - 1u);
  let across = out.x * rows[4];
  let down = rows[3] + out.y * rows[5];
  let first = u32(axes[down]);
  let end = first + u32(axes[down + 1u]);
  let last = rows[3] + (min((tile.y + 1u) * TILE, size.y) - 1u) * rows[5];
  let bottom = u32(axes[last]) + u32(axes[last + 1u]);
  var sum = vec3i(1 << (rows[7] - 1u));
  for (var top = u32(axes[rows[3] + tile.y * TILE * rows[5]]); top < bottom; top += TILE) {
    if (top + at.y < bottom) { strip[at.y * TILE + at.x] = pack4xU8(vec4u(resized(across, top + at.y), 0u)); }
    workgroupBarrier();
    for (var row = max(top, first); row < min(top + TILE, end); row++) {
      sum += axes[down + 2u + row - first] * vec3i(unpack4xU8(strip[(row - top) * TILE + at.x]).xyz);
    }
    workgroupBarrier();
  }
  if (any(tile.xy * TILE + at.xy >= size)) { return; }
  let value = (vec3f(clamp(sum >> vec3u(rows[7]), vec3i(), vec3i(255))) - MEAN) / STD;
  for (var place = rows[9]; place < rows[9] + rows[10]; place++) { keep(value, tile.xy, at.xy, out, place); }
}

// One sample of a source row, resized across by the record at `across`.
fn resized(across: u32, row: u32) -> vec3u {
  let first = u32(axes[across]);
  var sum = vec3i(1 << (rows[6] - 1u));
  for (var tap = 0u; tap < u32(axes[across + 1u]); tap++) {
    sum += axes[across + 2u + tap] * pixel(first + tap, row);
  }
  return vec3u(clamp(sum >> vec3u(rows[6]), vec3i(), vec3i(255)));
}

fn keep(value: vec3f, tile: vec2u, at: vec2u, out: vec2u, place: u32) {
  var to = rows[8] + out.y * rows[0] + out.x;
  var plane = rows[0] * rows[1];
  if (PATCHES == 1u) {
    let block = tile.y / MERGE * (rows[0] / TILE / MERGE) + tile.x / MERGE;
    let index = (block * MERGE + tile.y % MERGE) * MERGE + tile.x % MERGE;
    plane = TEMPORAL * TILE * TILE;
    to = rows[8] + index * 3u * plane + place * TILE * TILE + at.y * TILE + at.x;
  }
  y[to] = value.x;
  y[to + plane] = value.y;
  y[to + 2u * plane] = value.z;
}
