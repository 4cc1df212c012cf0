// Source values of a convolution over two frames whose kernel stands in two tensors, [row][3][AREA] for each frame: columns [3][2][AREA].
// SOURCE: 0 F32, 1 F16, 2 BF16.
fn read_value(row: u32, column: u32) -> f32 {
  let start = part_at(column / AREA % 2u);
  let at = row * 3u * AREA + column / (2u * AREA) * AREA + column % AREA;
  if (SOURCE == 0u) { return bitcast<f32>(source[start / 4u + at]); }
  if (SOURCE == 1u) { return half_value(half_at(start + at * 2u)); }
  return bitcast<f32>(half_at(start + at * 2u) << 16u);
}
