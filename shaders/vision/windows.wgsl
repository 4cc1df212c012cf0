// Source values of a convolution's kernel [row][INPUTS][TAPS], read in the order of what it meets: columns [TAPS][STRIDE], of which INPUTS count.
// SOURCE: 0 F32, 1 F16, 2 BF16.
fn read_value(row: u32, column: u32) -> f32 {
  let input = column % STRIDE;
  if (input >= INPUTS) { return 0.0; }
  let at = (row * INPUTS + input) * TAPS + column / STRIDE;
  if (SOURCE == 0u) { return bitcast<f32>(source[at]); }
  if (SOURCE == 1u) { return half_value(half_at(at * 2u)); }
  return bitcast<f32>(half_at(at * 2u) << 16u);
}
