// f32 bits to f16 bits, round to nearest even, in integers: pack2x16float may round as the GPU likes, and quantised files must not depend on it.
fn half_bits(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  let sign = (bits >> 16u) & 0x8000u;
  let exponent = i32((bits >> 23u) & 0xffu) - 112;
  let mantissa = bits & 0x7fffffu;
  if (exponent >= 31) { return sign | 0x7c00u; }
  if (exponent <= 0) {
    if (exponent < -10) { return sign; }
    return sign | round_shift(mantissa | 0x800000u, u32(14 - exponent));
  }
  // A carry out of the mantissa steps the exponent, up to infinity, as it should.
  return sign | (round_shift(mantissa, 13u) + (u32(exponent) << 10u));
}

fn round_shift(value: u32, shift: u32) -> u32 {
  let whole = value >> shift;
  let rest = value & ((1u << shift) - 1u);
  let tie = 1u << (shift - 1u);
  return whole + select(0u, 1u, rest > tie || (rest == tie && (whole & 1u) == 1u));
}
