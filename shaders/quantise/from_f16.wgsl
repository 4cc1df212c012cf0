// Source values stored as F16, taken apart in integers so that infinities and subnormals survive on every GPU.
fn read_value(index: u32) -> f32 {
  let bits = (source[index / 2u] >> (16u * (index % 2u))) & 0xffffu;
  let sign = (bits & 0x8000u) << 16u;
  let exponent = (bits >> 10u) & 31u;
  let mantissa = bits & 0x3ffu;
  if (exponent == 31u) { return bitcast<f32>(sign | 0x7f800000u | (mantissa << 13u)); }
  if (exponent == 0u) { return select(1.0, -1.0, sign != 0u) * f32(mantissa) / 16777216.0; }
  return bitcast<f32>(sign | ((exponent + 112u) << 23u) | (mantissa << 13u));
}
