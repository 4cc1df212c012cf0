// Bytes of source at any address: file formats do not keep to words.
fn byte_at(at: u32) -> u32 { return (source[at / 4u] >> (8u * (at % 4u))) & 0xffu; }

// 16 bits at an even address.
fn half_at(at: u32) -> u32 { return (source[at / 4u] >> (8u * (at % 4u))) & 0xffffu; }

fn word_at(at: u32) -> u32 {
  let shift = 8u * (at % 4u);
  let low = source[at / 4u];
  if (shift == 0u) { return low; }
  return (low >> shift) | (source[at / 4u + 1u] << (32u - shift));
}

// The value of f16 bits, taken apart in integers so that infinities and subnormals survive on every GPU.
fn half_value(bits: u32) -> f32 {
  let sign = (bits & 0x8000u) << 16u;
  let exponent = (bits >> 10u) & 31u;
  let mantissa = bits & 0x3ffu;
  if (exponent == 31u) { return bitcast<f32>(sign | 0x7f800000u | (mantissa << 13u)); }
  if (exponent == 0u) { return select(1.0, -1.0, sign != 0u) * f32(mantissa) / 16777216.0; }
  return bitcast<f32>(sign | ((exponent + 112u) << 23u) | (mantissa << 13u));
}
