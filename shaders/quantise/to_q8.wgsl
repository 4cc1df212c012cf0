// 8-bit: scale = f16(max |x| / 127), code = round(x / scale). Scales of eight rows stand together, two to a word.
fn encode(row: u32, group: u32, values: array<f32, 32>) {
  let block = (row / 8u) * groups_in_row() + group;
  var largest = 0.0;
  for (var index = 0u; index < trips(32u); index++) { largest = max(largest, abs(values[index])); }
  let bits = half_bits(largest / 127.0);
  let scale = unpack2x16float(bits).x;
  for (var word = 0u; word < trips(8u); word++) {
    var packed = 0u;
    for (var byte = 0u; byte < 4u; byte++) {
      packed |= (u32(code_of(values[word * 4u + byte], scale)) & 0xffu) << (byte * 8u);
    }
    atomicStore(&y[((block * 2u + word / 4u) * 8u + row % 8u) * 4u + word % 4u], packed);
  }
  atomicOr(&y[aux[5] + block * 4u + (row % 8u) / 2u], bits << (16u * (row % 2u)));
}

fn code_of(value: f32, scale: f32) -> i32 {
  if (scale == 0.0) { return 0; }
  let scaled = value / scale;
  return clamp(i32(floor(abs(scaled) + 0.5)) * select(1, -1, scaled < 0.0), -127, 127);
}
